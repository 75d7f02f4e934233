/**
 * The resampler: samples with time stamps in, values and `observed` on the grid out.
 *
 * Two ways, by the native rate. From half the grid's rate up, a Kaiser-windowed sinc: below
 * half the *grid's* rate where there is something above it to remove, else an interpolating
 * one that gives samples on the grid back unchanged. Below half the grid's rate, straight
 * lines between neighbours.
 *
 * Every grid point is computed on its own, with float64 operations in one fixed order, so
 * that it does not depend on which other points are computed with it.
 */

import { HISTORY, repaired } from "./clock.js";
import { HALF_WIDTH, type Kernel, kernelOf } from "./kernel.js";
import { lowerBound, upperBound } from "./sorted.js";
import { SAME_TIME } from "./tokens.js";
import type { Grid } from "./window.js";

const POINTS = 2048; // samples from which on those far away are left out

/** Seconds past a grid point within which samples can change its value. */
export function lookahead(rate: number, gridRate: number): number {
  return isSlow(rate, gridRate) ? 2 / rate : HALF_WIDTH / Math.min(rate, gridRate);
}

/** Seconds past a grid point within which stamps can change it: repair moves them. */
export function reach(rate: number, gridRate: number): number {
  return lookahead(rate, gridRate) + 0.5 / rate;
}

function isSlow(rate: number, gridRate: number): boolean {
  return rate < gridRate / 2;
}

/**
 * Channels that share time stamps, at grid points first ... first + count - 1.
 *
 * Grid point k lies at k / gridRate. Stamps are repaired first. What is missing is not there.
 *
 * @param times in seconds, strictly increasing.
 * @param rows values of each channel at those times, NaN where a sample is missing.
 * @returns channels x count: values 0 where not observed, which is further than one native
 *   period from a sample.
 */
export function resample(
  times: Float64Array,
  rows: readonly Float32Array[],
  rate: number,
  gridRate: number,
  first: number,
  count: number,
): Grid {
  const values = new Float32Array(rows.length * count);
  const observed = new Uint8Array(rows.length * count);
  const missing = rows.some((row) => row.includes(NaN));
  const parts = missing
    ? rows.map((row, k) => ({ at: k, ...present(times, row) }))
    : [{ at: 0, times, rows }];
  for (const part of parts) {
    const out = values.subarray(part.at * count, (part.at + part.rows.length) * count);
    const seen = observed.subarray(part.at * count, (part.at + part.rows.length) * count);
    resampleBlock(part.times, part.rows, rate, gridRate, first, count, out, seen);
  }
  return { values, observed };
}

/** The samples of a channel that are not missing. */
function present(
  times: Float64Array,
  row: Float32Array,
): { times: Float64Array; rows: Float32Array[] } {
  const real = (_: number, k: number): boolean => !Number.isNaN(row[k]);
  return { times: times.filter(real), rows: [row.filter(real)] };
}

function resampleBlock(
  given: Float64Array,
  samples: readonly Float32Array[],
  rate: number,
  gridRate: number,
  first: number,
  count: number,
  values: Float32Array,
  observed: Uint8Array,
): void {
  let times = given;
  let rows = samples;
  if (times.length > POINTS && count) {
    const far = reach(rate, gridRate);
    const begin = lowerBound(times, first / gridRate - far);
    const end = lowerBound(times, (first + count - 1) / gridRate + far);
    const from = Math.max(begin - HISTORY, 0);
    times = times.subarray(from, end);
    rows = rows.map((row) => row.subarray(from, end));
  }
  if (!count || !times.length) return;
  times = repaired(times, rate);
  const slow = isSlow(rate, gridRate);
  const filter = slow ? null : new Filter(times, kernelOf(rate, gridRate));
  for (let k = 0; k < count; k++) {
    const time = (first + k) / gridRate;
    // A point exactly one period away is not observed, however its time is rounded.
    if (!(distance(times, time) < 1 / rate - SAME_TIME)) continue;
    filter?.aim(time);
    const line = slow ? lineAt(times, rate, time) : null;
    rows.forEach((row, channel) => {
      observed[channel * count + k] = 1;
      values[channel * count + k] = line ? along(line, row) : (filter as Filter).sum(row);
    });
  }
}

/** From a time to the nearest of the sample times. */
function distance(times: Float64Array, time: number): number {
  const after = lowerBound(times, time);
  const left = time - (times[Math.max(after - 1, 0)] as number);
  const right = (times[Math.min(after, times.length - 1)] as number) - time;
  return Math.min(Math.abs(left), Math.abs(right));
}

interface Line {
  readonly left: number;
  readonly right: number;
  readonly share: number;
}

/** A line between samples that are less than two periods apart, else the nearest one. */
function lineAt(times: Float64Array, rate: number, time: number): Line {
  const after = lowerBound(times, time);
  const left = Math.max(after - 1, 0);
  const right = Math.min(after, times.length - 1);
  const step = (times[right] as number) - (times[left] as number);
  const past = time - (times[left] as number);
  const share = past / (step > 0 ? step : 1);
  if (step >= 2 / rate - SAME_TIME) {
    return { left: share > 0.5 ? right : left, right, share: 0 };
  }
  // Before the first and after the last sample, those hold.
  return { left, right, share: Math.min(Math.max(share, 0), 1) };
}

function along({ left, right, share }: Line, row: Float32Array): number {
  const from = row[left] as number;
  return from + ((row[right] as number) - from) * share;
}

/** The weights of the samples around one grid point, and the sums that they give. */
class Filter {
  #weights = new Float64Array(64);
  #first = 0;
  #count = 0;

  constructor(
    readonly times: Float64Array,
    readonly kernel: Kernel,
  ) {}

  /** Weigh the samples within the kernel of a time. */
  aim(time: number): void {
    const { halfWidth, startTwice, scaleHalf, table, slope } = this.kernel;
    const first = upperBound(this.times, time - halfWidth);
    const last = lowerBound(this.times, time + halfWidth) - 1;
    this.#first = first;
    this.#count = Math.max(last - first + 1, 0);
    if (this.#weights.length < this.#count) this.#weights = new Float64Array(2 * this.#count);
    let before = 0;
    for (let k = first; k <= last; k++) {
      // From the last sample on, the integral is all of it.
      let position = slope.length - 1;
      if (k < last) {
        // Half of the sum of two neighbours, less the table's start, in entries: halving is
        // exact, so it may be done last.
        position = (this.times[k] as number) - time + ((this.times[k + 1] as number) - time);
        position = (position - startTwice) * scaleHalf;
      }
      const entry = Math.trunc(position);
      const upto = (slope[entry] as number) * (position - entry) + (table[entry] as number);
      this.#weights[k - first] = k === first ? upto : upto - before;
      before = upto;
    }
  }

  sum(row: Float32Array): number {
    let sum = 0;
    for (let k = 0; k < this.#count; k++) {
      sum += (row[this.#first + k] as number) * (this.#weights[k] as number);
    }
    return sum;
  }
}
