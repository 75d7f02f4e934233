/**
 * A window of several sensors in; out, those that cannot be believed, and why, in words.
 *
 * The manifest says what is plausible; a sensor that is not is left out as if it were not
 * there. Only what is observed counts, and of too little nothing is said.
 */

import type { Manifest, Plausible } from "./manifest.js";
import { AXES } from "./manifest_plausible.js";
import { type Looks, looks } from "./motion.js";
import { arranged, ARRANGEMENTS, inWords, likelihood } from "./usual.js";
import { fixed, general } from "./words.js";

const LEAST = 0.25; // share of a window in which all channels of a sensor are observed
// What gravity looks like in another unit, and where a sensor's range is taken for another.
const SCALES: readonly (readonly [number, string])[] = [
  [9.80665, "in m/s2"],
  [1000, "in mg"],
  [0.25, "a quarter"],
  [4, "fourfold"],
  [0.5, "half"],
  [2, "double"],
];
const STILL = 1e-6; // g, below the noise of any sensor
const RADIAN = 57.29578; // degrees

interface Claim {
  readonly excess: number;
  readonly reasons: readonly (readonly [sensor: string, why: string])[];
}

/** What is plausible, ready for any number of windows. */
export class Plausibility {
  readonly #records: readonly Plausible[];
  readonly #names: readonly (readonly string[])[];
  readonly #rows: readonly (readonly number[])[];
  readonly #rate: number;
  readonly #samples: number;

  /** @param channels names of the rows of a window. */
  constructor(
    records: readonly Plausible[],
    channels: readonly string[],
    rate: number,
    samples: number,
  ) {
    this.#records = records;
    this.#names = records.map((record) => [...record.acceleration, ...record.turning]);
    this.#rows = this.#names.map((names) => names.map((name) => channels.indexOf(name)));
    this.#rate = rate;
    this.#samples = samples;
  }

  static of({ plausible, channels, rate, samples }: Manifest): Plausibility {
    return new Plausibility(plausible, channels.map((channel) => channel.name), rate, samples);
  }

  /** Why a sensor cannot be believed, for each that cannot: channels x samples in. */
  implausible(values: Float32Array, observed: Uint8Array): Map<string, string> {
    const samples = this.#samples;
    const found = this.#rows.map((rows) => {
      const cut = <T extends Float32Array | Uint8Array>(window: T) =>
        rows.map((row) => window.subarray(row * samples, (row + 1) * samples) as T);
      return looks(cut(values), cut(observed), this.#rate);
    });
    const reasons = new Map<string, string>();
    const able = this.#records.map((record, k) => {
      const one = found[k] as Looks;
      if (one.count < LEAST * samples) return false;
      if (within(record, one, samples)) return true;
      reasons.set(record.sensor, this.#ofOne(k, one));
      return false;
    });
    const described = this.#records
      .map((record, k) => ({
        record,
        features: (found[k] as Looks).features,
        able: able[k] as boolean,
      }))
      .filter(({ record }) => record.usual !== null);
    for (const [sensor, why] of ofArrangement(described)) reasons.set(sensor, why);
    return reasons;
  }

  /** What is wrong with the samples of a sensor on their own. */
  #ofOne(index: number, found: Looks): string {
    const record = this.#records[index] as Plausible;
    const names = this.#names[index] as readonly string[];
    const { count, run, rails } = found;
    const saturated = [0, 1].flatMap((part) => {
      const axis = part * AXES + greatest(rails.slice(part * AXES, (part + 1) * AXES));
      return (rails[axis] as number) > (record.rails[part] as number) * count ? [axis] : [];
    });
    const axis = greatest(run);
    const longest = run[axis] as number;
    // What is at its limit often stays there; but it comes back as well, and again.
    const returns = saturated.some(
      (k) => (run[k] as number) < (rails[k] as number) && (rails[k] as number) < count,
    );
    if (longest > record.run * this.#samples && !returns) {
      return `constant: ${longest} samples of ${names[axis]} in a row are the same`;
    }
    const [first] = saturated;
    if (first !== undefined) {
      const share = fixed(((rails[first] as number) / count) * 100, 0);
      return `saturated: ${share}% of ${names[first]} are one extreme value`;
    }
    const [low, high] = record.rest;
    for (const rest of [found.restLow, found.restHigh]) {
      if (Number.isFinite(rest) && !(low <= rest && rest <= high)) {
        return `its acceleration at rest is ${general(rest, 3)} g${unit(rest, record.rest)}`;
      }
    }
    const { gravity } = found;
    if (!(record.gravity[0] <= gravity && gravity <= record.gravity[1])) {
      return `its median acceleration is ${general(gravity, 3)} g${unit(gravity, record.rest)}`;
    }
    return ofTurning(record, found.turns, found.shakes);
  }
}

/** Whether the samples of a sensor on their own are plausible. */
function within(record: Plausible, found: Looks, samples: number): boolean {
  const { count, run, rails, gravity, restLow, restHigh, turns, shakes } = found;
  const ratio = turns / Math.max(shakes, STILL);
  const share = (part: number): number =>
    Math.max(...rails.slice(part * AXES, (part + 1) * AXES)) / Math.max(count, 1);
  const inside = (x: number, [low, high]: readonly [number, number]): boolean =>
    low <= x && x <= high;
  return (
    Math.max(...run) <= record.run * samples &&
    share(0) <= record.rails[0] &&
    share(1) <= record.rails[1] &&
    inside(gravity, record.gravity) &&
    record.rest[0] <= restLow &&
    restHigh <= record.rest[1] &&
    inside(turns, record.turns) &&
    inside(ratio, record.turns_per_g)
  );
}

interface Described {
  readonly record: Plausible;
  readonly features: readonly number[];
  readonly able: boolean;
}

/** Which sensors other axes, or each other's place, explain better; the best first. */
function ofArrangement(all: readonly Described[]): Map<string, string> {
  const claims: Claim[] = [];
  const likely = (gaussian: Described, features: readonly number[]): number =>
    gaussian.record.usual ? likelihood(gaussian.record.usual, features) : 0;
  for (const one of all) {
    if (!one.able) continue;
    const own = likely(one, one.features);
    const turned = ARRANGEMENTS.map((other) => likely(one, arranged(one.features, other)) - own);
    const best = greatest(turned);
    const excess = (turned[best] as number) - (one.record.turned ?? Infinity);
    if (excess > 0) {
      const axes = inWords(ARRANGEMENTS[best] as (typeof ARRANGEMENTS)[number]);
      const why = `explained better with ${axes} for its axes x, y, z`;
      claims.push({ excess, reasons: [[one.record.sensor, why]] });
    }
  }
  for (const one of all) {
    for (const other of all) {
      const named = Object.hasOwn(one.record.exchanged, other.record.sensor);
      const margin = named ? one.record.exchanged[other.record.sensor] : undefined;
      if (!one.able || !other.able || margin === undefined) continue;
      const crossed = likely(one, other.features) + likely(other, one.features);
      const excess = crossed - likely(one, one.features) - likely(other, other.features) - margin;
      if (!(excess > 0)) continue;
      const [a, b] = [one.record.sensor, other.record.sensor];
      const why = `explained better by ${a} and ${b} exchanged`;
      claims.push({ excess, reasons: [[a, why], [b, why]] });
    }
  }
  const reasons = new Map<string, string>();
  for (const claim of claims.sort((a, b) => b.excess - a.excess)) {
    if (claim.reasons.some(([sensor]) => reasons.has(sensor))) continue;
    for (const [sensor, why] of claim.reasons) reasons.set(sensor, why);
  }
  return reasons;
}

function ofTurning(record: Plausible, turns: number, shakes: number): string {
  const [low, high] = record.turns;
  const radians = low <= turns * RADIAN && turns * RADIAN <= high ? ": in rad/s?" : "";
  const range = (a: number, b: number): string => `${general(a, 3)} to ${general(b, 3)}${radians}`;
  if (!(low <= turns && turns <= high)) {
    return `it turns by ${general(turns, 3)} deg/s and not ${range(low, high)}`;
  }
  const ratio = general(turns / Math.max(shakes, STILL), 3);
  const [least, most] = record.turns_per_g;
  return `it turns by ${ratio} deg/s for each g of acceleration and not ${range(least, most)}`;
}

/** What explains an acceleration that is not that of gravity: the end of a sentence. */
function unit(gravity: number, [low, high]: readonly [number, number]): string {
  for (const [scale, what] of SCALES) {
    if (low <= gravity / scale && gravity / scale <= high) {
      return what.startsWith("in ") ? `: ${what}?` : `: ${what} the gravity, in another range?`;
    }
  }
  return ` and not ${fixed(low, 2)} to ${fixed(high, 2)}`;
}

/** The first place of the greatest number. */
function greatest(numbers: readonly number[]): number {
  return numbers.indexOf(Math.max(...numbers));
}
