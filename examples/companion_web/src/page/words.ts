/** Numbers and results in words, as `onwrist predict` prints them. */
import type { Manifest, Prediction, TaskResult } from "@onwrist/stream";

export function inWords(name: string): string {
  return name.replaceAll("_", " ");
}

/** 12.3 as 0:12, 3725 as 1:02:05. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.trunc(seconds));
  const two = (x: number) => String(x).padStart(2, "0");
  const [hours, minutes, second] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  return hours ? `${hours}:${two(minutes)}:${two(second)}` : `${minutes}:${two(second)}`;
}

/** 64 as "64 Hz"; what comes less than once in ten seconds by its period. */
export function rateInWords(hertz: number): string {
  return hertz < 0.1 ? `every ${Math.round(1 / hertz)} s` : `${Number(hertz.toPrecision(4))} Hz`;
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** Rounded down, so that 99.6 % does not look whole. */
export function covered(share: number): string {
  return `${Math.floor(100 * share)} %`;
}

export function answer(result: TaskResult): string {
  if (result.abstained || result.confidence === null) return "-";
  return result.value === null ? String(result.label) : result.value.toFixed(1);
}

export function reasons(prediction: Prediction, manifest: Manifest): string {
  return manifest.tasks
    .map((task) => [task.name, prediction.tasks[task.name]!] as const)
    .filter(([, result]) => result.abstained)
    .map(([name, result]) => `${inWords(name)}: ${result.reason}`)
    .join("; ");
}

/** Sensors that were not used, and why. */
export function unused(prediction: Prediction): string {
  return Object.entries(prediction.sensors)
    .filter(([, state]) => !state.used)
    .map(([name, state]) => `without ${name}${state.reason ? ` (${state.reason})` : ""}`)
    .join("; ");
}
