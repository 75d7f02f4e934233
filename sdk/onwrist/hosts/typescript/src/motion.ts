/** Samples of a sensor of motion in; out, what they look like: gravity, noise, runs, rails. */

import { AXES } from "./manifest_plausible.js";
import { rounded } from "./sorted.js";

const REST = 0.8; // seconds that a sensor must be quiet
const QUIET = 0.05; // greatest deviation of the magnitude of acceleration there, of its mean
const EQUAL = Math.fround(1e-4); // two samples are equal if they differ by less, in g or deg/s
const LEAST_FEATURE = 1e-3; // deviations below are taken as this, so that they have a logarithm

/** What a window of a sensor looks like. */
export interface Looks {
  /** Grid points at which all six channels are observed. */
  readonly count: number;
  /** Median magnitude of the acceleration in g; infinite where count is 0. */
  readonly gravity: number;
  /** Second least and second greatest mean magnitude of a stretch at rest. */
  readonly restLow: number;
  readonly restHigh: number;
  /** Root mean square of acceleration and turning about their means. */
  readonly shakes: number;
  readonly turns: number;
  /** Longest run of equal samples of each channel. */
  readonly run: readonly number[];
  /** How many samples of each channel are its least, or its greatest if that is more. */
  readonly rails: readonly number[];
  /** Mean acceleration in g, logarithms of the deviation of each axis. */
  readonly features: readonly number[];
}

/**
 * What a window looks like.
 *
 * @param motion acceleration in g, then turning in deg/s, by axis; 0 where missing.
 * @param observed 0 or 1 by axis.
 */
export function looks(
  motion: readonly Float32Array[],
  observed: readonly Uint8Array[],
  rate: number,
): Looks {
  const points = motion[0]?.length ?? 0;
  const seen = new Uint8Array(points).map((_, k) => (observed.every((row) => row[k]) ? 1 : 0));
  const count = total(seen, (x) => x);
  const most = Math.max(count, 1);
  const means = motion.map((row) => Math.fround(total(row, (x, k) => (seen[k] ? x : 0)) / most));
  const centred = motion.map((row, axis) =>
    row.map((x, k) => (seen[k] ? x - (means[axis] as number) : 0)),
  );
  const variance = centred.map((row) => total(row, (x) => x * x) / most);
  const spread = (from: number, to: number): number =>
    Math.sqrt(variance.slice(from, to).reduce((sum, x) => sum + x, 0));
  const magnitude = new Float32Array(points).map((_, k) =>
    Math.sqrt(motion.slice(0, AXES).reduce((sum, row) => sum + (row[k] as number) ** 2, 0)),
  );
  const [restLow, restHigh] = atRest(magnitude, seen, Math.max(2, rounded(REST * rate)));
  const logs = variance.map((x) => Math.log(Math.max(Math.sqrt(x), LEAST_FEATURE)));
  return {
    count,
    gravity: median(magnitude, seen, count),
    restLow,
    restHigh,
    shakes: spread(0, AXES),
    turns: spread(AXES, 2 * AXES),
    run: motion.map((row) => longestRun(row, seen)),
    rails: centred.map((row) => atExtremes(row, count)),
    features: [...means.slice(0, AXES), ...logs],
  };
}

/** The lower median of what is seen. */
function median(magnitude: Float32Array, seen: Uint8Array, count: number): number {
  const ordered = magnitude.map((x, k) => (seen[k] ? x : Infinity)).sort();
  return ordered[Math.max(count - 1, 0) >> 1] ?? Infinity;
}

/** Second least and second greatest mean over the stretches of `length` that are quiet. */
function atRest(magnitude: Float32Array, seen: Uint8Array, length: number): [number, number] {
  const quiet: number[] = [];
  for (let begin = 0; begin + length <= magnitude.length; begin += length) {
    if (seen.subarray(begin, begin + length).includes(0)) continue;
    const stretch = magnitude.subarray(begin, begin + length);
    const mean = total(stretch, (x) => x) / length;
    const square = total(stretch, (x) => x * x) / length;
    if (square <= mean * mean * (1 + QUIET ** 2)) quiet.push(mean);
  }
  quiet.sort((a, b) => a - b);
  return [quiet[1] ?? Infinity, quiet[quiet.length - 2] ?? -Infinity];
}

/** Samples in the longest run of equal ones; gaps end a run. */
function longestRun(row: Float32Array, seen: Uint8Array): number {
  let longest = 0;
  let run = 0;
  for (let k = 0; k < row.length; k++) {
    const step = Math.abs(Math.fround((row[k] as number) - (row[k - 1] ?? NaN)));
    run = step < EQUAL && seen[k] && seen[k - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

/**
 * How many samples are the least, or the greatest if that is more.
 *
 * What is missing is 0 in `centred`, the mean, which is neither but where all samples are equal.
 */
function atExtremes(centred: Float32Array, count: number): number {
  const least = Math.fround(centred.reduce((a, b) => Math.min(a, b), Infinity) + EQUAL);
  const most = Math.fround(centred.reduce((a, b) => Math.max(a, b), -Infinity) - EQUAL);
  const low = total(centred, (x) => (x <= least ? 1 : 0));
  const high = total(centred, (x) => (x >= most ? 1 : 0));
  return Math.min(Math.max(low, high), count);
}

function total(row: Float32Array | Uint8Array, of: (x: number, k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += of(row[k] as number, k);
  return sum;
}
