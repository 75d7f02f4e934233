/** The channels of a manifest in, the sensors of a stream and what names mean to it out. */

import type { Limit } from "./arrivals.js";
import { PIECE } from "./arrivals.js";
import { HISTORY } from "./clock.js";
import { type Manifest } from "./manifest.js";
import { reach } from "./resampling.js";
import { Samples } from "./samples.js";
import type { Settings } from "./settings.js";

const DENSEST = 1000; // Hz: any sensor may be so fast, or four times what is stated of it
const MOST = 1e9; // samples of one sensor, however long they must wait

/** Channels that share stamps and rate. */
export interface Sensor {
  /** Their rows of the window, ascending. */
  readonly rows: readonly number[];
  /** Nominal native sampling rate in Hz. */
  readonly rate: number;
  /** Whether samples of a minute are summed, by channel; null where they are resampled. */
  readonly sums: readonly boolean[] | null;
  /** Seconds past a grid point within which a stamp can change its value. */
  readonly reach: number;
  /** Seconds before a sample within which others can tell where its stamp should be. */
  readonly run: number;
  readonly limit: Limit;
  /** What is still needed. */
  readonly samples: Samples;
}

/** What samples together: channels of one sensor, at one rate. */
export function sensorsOfStream(manifest: Manifest, settings: Settings): Sensor[] {
  const groups = new Map<string, { rate: number; rows: number[] }>();
  manifest.channels.forEach(({ sensor }, row) => {
    const rate = settings.rates[row] as number;
    const key = `${sensor} ${rate}`;
    const group = groups.get(key) ?? { rate, rows: [] };
    groups.set(key, group);
    group.rows.push(row);
  });
  // Until it is used a sample waits for the newest one, and for the next window's end, or
  // that of a patch.
  const until = manifest.tokens ? manifest.tokens.patch : manifest.samples;
  const wait = settings.lateness + (2 * until) / manifest.rate;
  return [...groups.values()].map(({ rate, rows }) => {
    const days = manifest.tokens !== null;
    const run = days ? 0 : (1.5 * (HISTORY + 1)) / rate; // steps of a run are below 3 / 2 periods
    const ahead = days ? 0 : reach(rate, manifest.rate);
    const held = wait + run + 2 * ahead;
    const most = Math.trunc(Math.min(held * Math.max(DENSEST, 4 * rate), MOST)) + 2 * PIECE;
    return {
      rows,
      rate,
      sums: sumsOf(manifest, rows),
      reach: ahead,
      run,
      limit: { samples: most, seconds: held },
      samples: new Samples(rows.length),
    };
  });
}

/** Which channels of a sensor are summed in a bundle with tokens; null in any other. */
export function sumsOf(manifest: Manifest, rows: readonly number[]): boolean[] | null {
  if (!manifest.tokens) return null;
  return rows.map((row) => manifest.channels[row]?.aggregation === "sum");
}

/** A whole sensor, or one axis of several. */
export interface Target {
  readonly sensor: Sensor;
  readonly axis: number | null;
}

/** What a name of `push` means. */
export function targetsOf(manifest: Manifest, sensors: readonly Sensor[]): Map<string, Target> {
  const targets = new Map<string, Target>();
  for (const sensor of sensors) {
    sensor.rows.forEach((row, axis) => {
      const channel = manifest.channels[row];
      if (!channel) return;
      targets.set(channel.sensor, { sensor, axis: null });
      targets.set(channel.name, { sensor, axis: sensor.rows.length > 1 ? axis : null });
    });
  }
  return targets;
}

/** Values of all channels from those of some, NaN elsewhere. */
export function allAxes(
  sensor: Sensor,
  axes: ReadonlyMap<number, Float32Array>,
  count: number,
): Float32Array[] {
  return sensor.rows.map((_, axis) => axes.get(axis) ?? new Float32Array(count).fill(NaN));
}
