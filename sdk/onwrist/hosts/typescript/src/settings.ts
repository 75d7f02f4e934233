/** What a caller asks of a stream in, its settings out, in grid points and by row. */

import { InputError } from "./errors.js";
import type { Manifest } from "./manifest.js";
import { checkRate, checkTime } from "./signals.js";
import { rounded } from "./sorted.js";
import { general, shown } from "./words.js";

/** Whether predictions are made step by step, or window by window. */
export type Mode = "step" | "window";

const LONGEST_HOP = 86_400; // seconds
const LONGEST_LATENESS = 86_400;

/** How a stream works, for as long as it lives. */
export interface Settings {
  readonly mode: Mode;
  /** Grid points from one prediction to the next; whole steps in step mode. */
  readonly hop: number;
  /** Seconds that a sample may be older than the newest one. */
  readonly lateness: number;
  /** Nominal native rate of each channel in Hz. */
  readonly rates: readonly number[];
  /** A local midnight on the clock of the stream, for a bundle with tokens. */
  readonly midnight: number;
  readonly impute: boolean;
}

export function checkLateness(lateness: number): number {
  const seconds = checkTime(lateness);
  if (seconds < 0 || seconds > LONGEST_LATENESS) {
    throw new InputError(`lateness must be from 0 to ${LONGEST_LATENESS} seconds, not ${lateness}`);
  }
  return seconds;
}

/**
 * Grid points from one prediction to the next, for a hop in seconds.
 *
 * @throws InputError where it is not positive, too long, or not whole steps or patches.
 */
export function hopSamples(manifest: Manifest, mode: Mode, hop: number | undefined): number {
  const { tokens, rate } = manifest;
  const step = tokens ? tokens.patch : mode === "step" ? (manifest.step?.samples ?? null) : null;
  if (hop === undefined) return step ?? Math.max(1, Math.floor(manifest.samples / 2));
  const seconds = checkTime(hop);
  if (!(seconds > 0 && seconds <= LONGEST_HOP)) {
    throw new InputError(
      `hop must be a positive number of seconds, at most ${LONGEST_HOP}, not ${hop}`,
    );
  }
  const samples = Math.max(1, rounded(seconds * rate));
  if (step && samples % step) {
    const below = samples - (samples % step);
    const near = [below, below + step].filter((x) => x > 0).map((x) => `${general(x / rate)} s`);
    throw new InputError(
      `a hop of ${general(hop)} s is not a whole number of ${tokens ? "patches" : "steps"} of ` +
        `${general(step / rate)} s: take ${near.join(" and ")}` +
        (tokens ? "" : ", or mode: 'window'"),
    );
  }
  return samples;
}

/** Rates by channel or sensor in, the rate of each channel out. */
export function ratesOf(
  manifest: Manifest,
  given: Readonly<Record<string, number>> = {},
): readonly number[] {
  const rates = manifest.channels.map((channel) => channel.rate);
  for (const [name, rate] of Object.entries(given)) {
    for (const row of rowsOf(manifest, name)) rates[row] = checkRate(rate);
  }
  const sensors = new Map<string, number>();
  manifest.channels.forEach(({ sensor }, row) => {
    const rate = rates[row] as number;
    const other = sensors.get(sensor) ?? rate;
    sensors.set(sensor, other);
    if (other !== rate) {
      throw new InputError(
        `the channels of ${shown(sensor)} share their time stamps, so they have one rate: ` +
          `${general(other)} or ${general(rate)} Hz?`,
      );
    }
  });
  return rates;
}

/** The row of a channel, or the rows of a sensor; InputError for any other name. */
export function rowsOf(manifest: Manifest, name: string): number[] {
  const rows = manifest.channels.flatMap((channel, row) =>
    name === channel.name || name === channel.sensor ? [row] : [],
  );
  if (!rows.length) throw new InputError(noSuchName(manifest, name));
  return rows;
}

/** What is wrong with a name that is neither of a channel nor of a sensor. */
export function noSuchName(manifest: Manifest, name: unknown): string {
  const channels = manifest.channels.map((channel) => channel.name);
  const sensors = new Set(manifest.channels.map((channel) => channel.sensor));
  return (
    `there is no channel or sensor ${shown(name)}; this model knows the channels ` +
    `${channels.join(", ")} and the sensors ${[...sensors].join(", ")}`
  );
}
