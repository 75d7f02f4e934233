/**
 * Outputs of the graph and coverage in, one result for each task and sensor out.
 *
 * This is where a model abstains: below what the manifest asks of coverage or confidence
 * there is no value and no label, and the reason is given in words.
 */

import type { Patterns, Situation } from "./availability.js";
import { output, type Tensors } from "./engine.js";
import type { Pattern, Task } from "./manifest.js";
import type { SensorState, TaskResult } from "./prediction.js";
import { fixed, listed } from "./words.js";

export const NOTHING_OBSERVED = "nothing was observed";

export type Coverage = Readonly<Record<string, number>>;

/** What tasks are decided by, beside outputs and coverage. */
export interface Tasks {
  readonly tasks: readonly Task[];
  readonly sensors: readonly string[];
}

/**
 * The result of every task of a bundle on one window.
 *
 * @param outputs by name; null where nothing was observed, or too little to run a graph.
 * @param coverage share of observed grid points by channel.
 * @param pattern of the sensors that are live, in a bundle with `availability`.
 * @param doubted whether some sensor is not believed.
 */
export function decide(
  { tasks, sensors }: Tasks,
  outputs: Tensors | null,
  coverage: Coverage,
  pattern: Pattern | null = null,
  doubted = false,
): Record<string, TaskResult> {
  const results: Record<string, TaskResult> = {};
  for (const task of tasks) {
    results[task.name] = result(task, sensors, outputs, coverage, pattern, doubted);
  }
  return results;
}

function result(
  task: Task,
  sensors: readonly string[],
  outputs: Tensors | null,
  coverage: Coverage,
  pattern: Pattern | null,
  doubted: boolean,
): TaskResult {
  if (!outputs) return abstained(task, null, notRun(coverage, doubted));
  let reason = lackOfCoverage(task, coverage);
  if (reason === null && pattern && !Object.hasOwn(pattern.temperatures, task.name)) {
    reason = notCalibrated(pattern, sensors);
  }
  if (reason !== null) return abstained(task, null, reason);
  const numbers = output(outputs, task.name).data;
  return task.kind === "regression"
    ? regression(task, numbers, pattern)
    : classification(task, numbers, pattern);
}

/** What became of every sensor in a window. */
export function states(
  patterns: Patterns,
  situation: Situation,
  outputs: Tensors | null,
): Record<string, SensorState> {
  const weights = outputs?.["weights"]?.data;
  const found: Record<string, SensorState> = {};
  patterns.sensors.forEach((name, k) => {
    const coverage = situation.sensors[k] as number;
    let reason = situation.leftOut.get(name) ?? null;
    if (coverage === 0) reason = NOTHING_OBSERVED;
    else if (coverage < patterns.least) reason = below("coverage", coverage, patterns.least);
    const weight = weights?.[k] ?? null;
    found[name] = { coverage, used: situation.live[k] as boolean, weight, reason };
  });
  return found;
}

function regression(task: Task, numbers: Float32Array, pattern: Pattern | null): TaskResult {
  const [value, confidence] = numbers as unknown as [number, number];
  if (!(confidence >= leastConfidence(task, pattern))) return unsure(task, confidence, pattern);
  const { unit } = task;
  const answer = { value, unit, label: null, probabilities: null };
  return { ...answer, confidence, abstained: false, reason: null };
}

function classification(task: Task, numbers: Float32Array, pattern: Pattern | null): TaskResult {
  const confidence = numbers.reduce((most, x) => (x > most ? x : most));
  if (!(confidence >= leastConfidence(task, pattern))) return unsure(task, confidence, pattern);
  const label = task.labels[numbers.indexOf(confidence)] as string;
  const probabilities = Object.fromEntries(
    task.labels.map((name, k) => [name, numbers[k] as number]),
  );
  const answer = { value: null, unit: null, label, probabilities };
  return { ...answer, confidence, abstained: false, reason: null };
}

function notRun(coverage: Coverage, doubted: boolean): string {
  if (doubted) return "too little of what was observed can be believed";
  return Object.values(coverage).some((share) => share > 0)
    ? "too little was observed"
    : NOTHING_OBSERVED;
}

function lackOfCoverage(task: Task, coverage: Coverage): string | null {
  const short = ([channel, least]: [string, number]): boolean =>
    (coverage[channel] as number) < least;
  const said = ([channel, least]: [string, number]): string =>
    `${channel} ${below("coverage", coverage[channel] as number, least)}`;
  const lacking = Object.entries(task.required).filter(short);
  if (lacking.length) return lacking.map(said).join(" and ");
  const any = Object.entries(task.any_of);
  if (any.length && any.every(short)) return `too little of all of: ${any.map(said).join(", ")}`;
  return null;
}

function leastConfidence(task: Task, pattern: Pattern | null): number {
  return pattern ? (pattern.minimum_confidence[task.name] as number) : task.minimum_confidence;
}

function notCalibrated(pattern: Pattern, sensors: readonly string[]): string {
  if (!pattern.sensors.length) return "too little was observed";
  const alone = pattern.sensors.length === sensors.length ? "" : " alone";
  return `not calibrated for ${listed(pattern.sensors)}${alone}`;
}

function unsure(task: Task, confidence: number, pattern: Pattern | null): TaskResult {
  let reason = below("confidence", confidence, leastConfidence(task, pattern));
  if (pattern) {
    const ask = pattern.sensors.length === 1 ? "asks" : "ask";
    reason += `, which ${listed(pattern.sensors)} ${ask} for`;
  }
  return abstained(task, confidence, reason);
}

function abstained(task: Task, confidence: number | null, reason: string): TaskResult {
  const { unit } = task;
  const nothing = { value: null, unit, label: null, probabilities: null };
  return { ...nothing, confidence, abstained: true, reason };
}

/** As many digits as it takes to see that the one is below the other. */
function below(what: string, value: number, least: number): string {
  const digits = [2, 4].find((d) => fixed(value, d) !== fixed(least, d)) ?? 9;
  return `${what} ${fixed(value, digits)} is below ${fixed(least, digits)}`;
}
