/** Samples with time stamps as a caller gives them in, checked ones out. */

import { InputError } from "./errors.js";
import { general } from "./words.js";

export const SLOWEST = 1e-6; // Hz
export const FASTEST = 1e5;
export const LATEST = 1e11; // seconds: the year 5138; milliseconds lie beyond it
export const LONGEST = 366 * 86_400; // seconds from the first to the last sample

/** The samples of one channel at increasing times in seconds, and its nominal rate in Hz. */
export interface Signal {
  readonly times: Float64Array;
  /** NaN where a sample is missing. */
  readonly values: Float32Array;
  readonly rate: number;
}

/** A sampling rate in Hz; InputError unless it is one. */
export function checkRate(rate: number): number {
  if (typeof rate !== "number") {
    throw new InputError(`a rate must be a number in Hz, not ${String(rate)}`);
  }
  if (!(Number.isFinite(rate) && rate > 0)) {
    throw new InputError(`a rate must be positive and finite, in Hz, not ${rate}`);
  }
  if (rate < SLOWEST || rate > FASTEST) {
    throw new InputError(
      `a rate must be from ${general(SLOWEST)} to ${general(FASTEST)} Hz, not ${general(rate)}`,
    );
  }
  return rate;
}

/** A time in seconds; InputError if it is infinite or no number. */
export function checkTime(time: number): number {
  if (typeof time !== "number") {
    throw new InputError(`a time must be a number of seconds, not ${String(time)}`);
  }
  if (!(Math.abs(time) <= LATEST)) throw new InputError(notSeconds(time));
  return time;
}

export function notSeconds(value: number): string {
  return `a time must be finite and in seconds, not ${value} (milliseconds, perhaps?)`;
}
