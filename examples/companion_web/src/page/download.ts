/** Predictions in, the CSV and JSON that `onwrist predict` writes out, as files to keep. */
import type { Manifest, Prediction, Task, TaskResult } from "@onwrist/stream";
import type { Predicted } from "../protocol";
import { dayFacts } from "./days_table";
import { element } from "./dom";

/** One prediction as `onwrist predict --json` prints it; of a day bundle one day. */
export function asJson(prediction: Prediction, manifest: Manifest, midnight: number): object {
  const { start, end, coverage, sensors } = prediction;
  const row = {
    start,
    end,
    coverage,
    sensors,
    tasks: Object.fromEntries(
      manifest.tasks.map((task) => [task.name, taskJson(task, prediction.tasks[task.name]!)]),
    ),
  };
  if (manifest.tokens === null) return row;
  const facts = dayFacts(prediction, manifest, midnight);
  const mean = manifest.tokens.interpolated;
  if (mean === null) return { date: facts.date, ...row };
  const means = { [mean]: { observed: facts.observedMean, with_imputed: facts.imputedMean } };
  return { date: facts.date, ...row, imputed: facts.imputed, means };
}

function taskJson(task: Task, result: TaskResult): object {
  const { confidence, abstained, reason } = result;
  const answer =
    task.kind === "regression"
      ? { value: result.value, unit: task.unit }
      : { label: result.label, probabilities: result.probabilities };
  return { ...answer, confidence, abstained, reason };
}

/** One row a prediction; a cell without an answer is empty. */
export function asCsv(all: readonly Predicted[], manifest: Manifest, midnight: number): string {
  const names = manifest.channels.map(({ name }) => name);
  const sensors = [...new Set(manifest.channels.map(({ sensor }) => sensor))];
  const days = manifest.tokens !== null;
  const mean = manifest.tokens?.interpolated ?? null;
  const header = [
    ...(days ? ["date"] : ["start", "end"]),
    ...names.map((name) => `coverage_${name}`),
  ];
  if (days && mean !== null) {
    header.push(
      ...names.map((name) => `imputed_${name}`),
      `${mean}_observed_mean`,
      `${mean}_with_imputed_mean`,
    );
  }
  const states = !days && manifest.availability !== null;
  if (states)
    header.push(...sensors.flatMap((x) => [`used_${x}`, `weight_${x}`, `unused_reason_${x}`]));
  for (const task of manifest.tasks) {
    const own =
      task.kind === "regression"
        ? ["value"]
        : ["label", ...task.labels.map((x) => `probability_${x}`)];
    header.push(
      ...[...own, "confidence", "abstained", "reason"].map((column) => `${task.name}_${column}`),
    );
  }
  const rows = all.map(({ prediction }) => {
    const shares = names.map((name) => prediction.coverage[name]);
    const row: unknown[] = days ? [] : [prediction.start, prediction.end];
    const facts = days ? dayFacts(prediction, manifest, midnight) : null;
    if (facts) row.push(facts.date);
    row.push(...shares);
    if (facts && mean !== null) {
      row.push(...names.map((name) => facts.imputed[name]), facts.observedMean, facts.imputedMean);
    }
    if (states) {
      for (const state of Object.values(prediction.sensors)) {
        row.push(Number(state.used), state.weight, state.reason);
      }
    }
    for (const task of manifest.tasks) row.push(...cells(task, prediction.tasks[task.name]!));
    return row;
  });
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function cells(task: Task, result: TaskResult): unknown[] {
  const answer: unknown[] =
    task.kind === "regression"
      ? [result.value]
      : [result.label, ...task.labels.map((label) => result.probabilities?.[label])];
  return [...answer, result.confidence, Number(result.abstained), result.reason];
}

function cell(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Give a file to keep; it never leaves the device by this. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
