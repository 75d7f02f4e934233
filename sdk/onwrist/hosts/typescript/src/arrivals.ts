/**
 * What a caller pushes in: stamps and samples in, checked pieces out.
 *
 * Everything is checked before anything is taken.
 */

import { InputError } from "./errors.js";
import { LATEST, LONGEST, notSeconds } from "./signals.js";
import { lowerBound } from "./sorted.js";
import { LARGEST_SAMPLE } from "./window.js";

export const PIECE = 16_384; // samples that are taken at a time

/** Some samples of one push. */
export interface Piece {
  readonly times: Float64Array;
  /** Values of each channel, finite or NaN. */
  readonly rows: readonly Float32Array[];
  /** Whether every stamp is later than the one before it, and no value is NaN. */
  readonly plain: boolean;
}

/** How many samples of one sensor a stream holds at once, within so many seconds. */
export interface Limit {
  readonly samples: number;
  readonly seconds: number;
}

/** What a stream knows when samples arrive. */
export interface Situation {
  /** The newest stamp so far; -Infinity before the first. */
  readonly newest: number;
  readonly lateness: number;
  /** Samples that it holds of this sensor, and may hold. */
  readonly held: number;
  readonly limit: Limit;
}

/**
 * One push, checked and copied.
 *
 * @param samples one for each stamp, or one for each stamp and channel, sample by sample.
 * @throws InputError where lengths, stamps or values cannot be used.
 */
export function arrive(
  times: Float64Array,
  samples: Float32Array,
  channels: number,
  { newest, lateness, held, limit }: Situation,
): Piece[] {
  checkKinds(times, samples, channels);
  const pieces: Piece[] = [];
  for (let begin = 0; begin < times.length; begin += PIECE) {
    pieces.push(pieceOf(times, samples, channels, begin, Math.min(begin + PIECE, times.length)));
  }
  let mark = newest;
  let latest = newest;
  let count = held;
  for (const piece of pieces) {
    const [kept, after] = checkClock(piece, latest, lateness);
    count += kept;
    latest = after;
    if (latest - mark >= limit.seconds) {
      mark = latest;
      count = kept;
    } else if (count > limit.samples) {
      throw new InputError(
        `more than ${limit.samples} samples within ${limit.seconds.toFixed(0)} s are more than a ` +
          "stream holds: state the sensor's rate by stream({ rates: ... }), or correct the time " +
          "stamps",
      );
    }
  }
  return pieces;
}

function checkKinds(times: Float64Array, samples: Float32Array, channels: number): void {
  if (times instanceof Float32Array) {
    throw new InputError(
      "time stamps must be a Float64Array, not a Float32Array: at the Unix epoch float32 seconds " +
        "step by 128 s",
    );
  }
  if (!(times instanceof Float64Array)) {
    throw new InputError("time stamps must be a Float64Array of seconds");
  }
  if (!(samples instanceof Float32Array)) throw new InputError("samples must be a Float32Array");
  if (samples.length !== times.length * channels) {
    const each = channels === 1 ? "" : ` of ${channels} values, sample by sample`;
    throw new InputError(
      `${samples.length} samples and ${times.length} time stamps: every sample${each} needs one ` +
        "time stamp",
    );
  }
}

function pieceOf(
  stamps: Float64Array,
  samples: Float32Array,
  channels: number,
  begin: number,
  end: number,
): Piece {
  const times = stamps.slice(begin, end);
  const rows = Array.from({ length: channels }, () => new Float32Array(end - begin));
  let plain = true;
  for (let k = 0; k < times.length; k++) {
    const time = times[k] as number;
    if (!(Math.abs(time) <= LATEST)) throw new InputError(notSeconds(time));
    if (k && time <= (times[k - 1] as number)) plain = false;
  }
  rows.forEach((row, channel) => {
    for (let k = 0; k < row.length; k++) {
      const value = samples[(begin + k) * channels + channel] as number;
      if (Math.abs(value) >= LARGEST_SAMPLE) {
        throw new InputError(
          `a sample is ${value}; a sample must be below 1e+15 in magnitude, and NaN where it is ` +
            "missing",
        );
      }
      if (Number.isNaN(value)) plain = false;
      row[k] = value;
    }
  });
  return { times, rows, plain };
}

/**
 * How many samples are not late, and the newest stamp after them.
 *
 * @throws InputError where a stamp is so far from the newest one before it that it is of
 *   another clock.
 */
function checkClock(piece: Piece, newest: number, lateness: number): [number, number] {
  const { times } = piece;
  if (piece.plain) {
    const first = times[0] as number;
    const last = times[times.length - 1] as number;
    const base = newest === -Infinity ? first : newest;
    if (base - LONGEST <= first && last <= base + LONGEST) {
      const late = first < newest - lateness ? lowerBound(times, newest - lateness) : 0;
      return [times.length - late, Math.max(newest, last)];
    }
  }
  let running = newest;
  let kept = 0;
  times.forEach((time, k) => {
    if (piece.rows.every((row) => Number.isNaN(row[k]))) return;
    const before = running === -Infinity ? time : running;
    if (Math.abs(time - before) > LONGEST) {
      throw new InputError(
        `a time stamp is ${time}, but the newest so far is ${before}: all sensors of a stream ` +
          "must be on one clock; reset() begins anew",
      );
    }
    running = Math.max(before, time);
    if (time >= running - lateness) kept++;
  });
  return [kept, running];
}
