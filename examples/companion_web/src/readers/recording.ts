/**
 * What every reader gives: the channels of one recording, each with its own time stamps.
 *
 * Names and units are those of the bundles, as in sdk/onwrist/readers/FORMAT.md.
 */
import { AppError } from "../errors";

export interface Signal {
  times: Float64Array;
  values: Float32Array;
  rate: number;
}

export interface Recording {
  name: string;
  signals: Record<string, Signal>;
  /** Button presses, in seconds on the recording's clock. */
  events: number[];
  /** What the reader repaired or left out, a sentence each. */
  notes: string[];
}

/** A file with its place in what was dropped: "anna/BVP.csv". */
export interface NamedFile {
  path: string;
  file: Blob;
}

const LARGEST = 1e15; // of a sample
const LATEST = 1e11; // seconds: the year 5138; milliseconds lie beyond it

/** A checked signal: finite or NaN samples, increasing times in seconds, a usable rate. */
export function signalOf(
  where: string,
  times: Float64Array,
  values: Float32Array,
  rate: number,
): Signal {
  if (!(rate >= 1e-6 && rate <= 1e5)) {
    throw new AppError(`${where}: a rate must be from 1e-06 to 100000 Hz, not ${rate}`);
  }
  for (let k = 0; k < values.length; k++) {
    if (Math.abs(values[k]!) >= LARGEST) {
      throw new AppError(
        `${where}: sample ${k} is ${values[k]}; a sample must be below 1e+15 in magnitude, ` +
          "and blank where it is missing",
      );
    }
    if (!(Math.abs(times[k]!) <= LATEST)) {
      throw new AppError(
        `${where}: a time must be finite and in seconds, not ${times[k]} (milliseconds, perhaps?)`,
      );
    }
    if (k && times[k]! <= times[k - 1]!) {
      throw new AppError(
        `${where}: time stamps must increase, but sample ${k} at ${times[k]} follows one at ` +
          `${times[k - 1]}`,
      );
    }
  }
  return { times, values, rate };
}

export function startOf(recording: Recording): number {
  return Math.min(...Object.values(recording.signals).map((signal) => signal.times[0]!));
}

export function endOf(recording: Recording): number {
  return Math.max(...Object.values(recording.signals).map((signal) => signal.times.at(-1)!));
}
