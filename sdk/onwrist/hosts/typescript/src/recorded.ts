/** The signals of a recording in, pieces of all sensors in the order of time out. */

import { PIECE } from "./arrivals.js";
import { InputError } from "./errors.js";
import type { Manifest } from "./manifest.js";
import { allAxes, type Sensor, type Target } from "./sensors.js";
import { checkRate, LATEST, LONGEST, notSeconds, type Signal } from "./signals.js";
import { upperBound } from "./sorted.js";
import { general, quoted } from "./words.js";
import { LARGEST_SAMPLE } from "./window.js";

/** Axes of one sensor that have the same stamps. */
interface Track {
  readonly sensor: Sensor;
  readonly times: Float64Array;
  readonly axes: Map<number, Float32Array>;
}

/** Some samples of one sensor; NaN where an axis is not given. */
export interface Turn {
  readonly sensor: Sensor;
  readonly times: Float64Array;
  readonly rows: readonly Float32Array[];
}

/**
 * The signals that a model uses: those of its channels that have samples.
 *
 * @throws InputError where there is none, or one cannot be used, or is on another clock.
 */
export function checkRecording(
  manifest: Manifest,
  signals: Readonly<Record<string, Signal>>,
): Map<string, Signal> {
  const used = new Map<string, Signal>();
  for (const { name } of manifest.channels) {
    const signal = Object.hasOwn(signals, name) ? signals[name] : undefined;
    if (!signal) continue;
    try {
      checkSignal(signal);
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`${quoted(name)}: ${error.message}`);
      throw error;
    }
    if (!signal.values.every(Number.isNaN)) used.set(name, signal);
  }
  if (!used.size) {
    const channels = manifest.channels.map((channel) => channel.name).join(", ");
    const given = Object.keys(signals).join(", ") || "no signals";
    throw new InputError(`no samples of ${channels} among ${given}`);
  }
  const all = [...used.values()].map((signal) => signal.times);
  const earliest = Math.min(...all.map((times) => times[0] as number));
  const latest = Math.max(...all.map((times) => times[times.length - 1] as number));
  if (latest > earliest + LONGEST) {
    throw new InputError(
      `the samples span ${(latest - earliest).toFixed(0)} s, from ${earliest} to ${latest}: all ` +
        "channels of a recording must be on one clock",
    );
  }
  return used;
}

function checkSignal({ times, values, rate }: Signal): void {
  if (!(times instanceof Float64Array && values instanceof Float32Array)) {
    throw new InputError("a signal is times, a Float64Array, values, a Float32Array, and a rate");
  }
  if (times.length !== values.length) {
    throw new InputError(
      `${values.length} values and ${times.length} times: a signal needs one time stamp for each ` +
        "of its samples",
    );
  }
  checkRate(rate);
  const infinite = values.findIndex((value) => Math.abs(value) >= LARGEST_SAMPLE);
  if (infinite >= 0) {
    throw new InputError(
      `sample ${infinite} is ${values[infinite]}; a sample must be below 1e+15 in magnitude, and ` +
        "NaN where it is missing",
    );
  }
  times.forEach((time, k) => {
    if (!(Math.abs(time) <= LATEST)) throw new InputError(notSeconds(time));
    const before = times[k - 1] ?? -Infinity;
    if (time <= before) {
      throw new InputError(
        `time stamps must increase, but sample ${k} at ${general(time, 17)} follows one at ` +
          general(before, 17),
      );
    }
  });
}

/** Pieces of all sensors up to the same time: of the densest one as many as a piece. */
export function* turns(
  signals: ReadonlyMap<string, Signal>,
  targets: ReadonlyMap<string, Target>,
): Generator<Turn[]> {
  const tracks = tracksOf(signals, targets);
  const taken = tracks.map(() => 0);
  for (;;) {
    const end = tracks.reduce((least, { times }, k) => {
      const done = taken[k] as number;
      if (done >= times.length) return least;
      return Math.min(least, times[Math.min(done + PIECE, times.length) - 1] as number);
    }, Infinity);
    if (end === Infinity) return;
    yield tracks.flatMap(({ sensor, times, axes }, k) => {
      const from = taken[k] as number;
      const to = upperBound(times, end);
      if (from >= to) return [];
      taken[k] = to;
      const parts = new Map([...axes].map(([axis, x]) => [axis, x.subarray(from, to)]));
      return [{ sensor, times: times.slice(from, to), rows: allAxes(sensor, parts, to - from) }];
    });
  }
}

/** What can be taken together. */
function tracksOf(
  signals: ReadonlyMap<string, Signal>,
  targets: ReadonlyMap<string, Target>,
): Track[] {
  const tracks: Track[] = [];
  for (const [name, { times, values }] of signals) {
    const { sensor, axis } = targets.get(name) as Target;
    const alike = tracks.find((track) => track.sensor === sensor && same(track.times, times));
    if (alike) alike.axes.set(axis ?? 0, values);
    else tracks.push({ sensor, times, axes: new Map([[axis ?? 0, values]]) });
  }
  return tracks;
}

function same(a: Float64Array, b: Float64Array): boolean {
  return a === b || (a.length === b.length && a.every((time, k) => time === b[k]));
}
