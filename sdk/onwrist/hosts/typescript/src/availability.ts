/**
 * What was observed of a window in; which sensors are live, and what is asked of them, out.
 *
 * This is the one place that says from when on a sensor is live.
 */

import { type Tensor, tensor } from "./engine.js";
import { type Manifest, type Pattern, rowsOfSensor, SCALE, sensorsOf } from "./manifest.js";

export type Scales = Readonly<Record<string, Tensor>>;

export const NOTHING: ReadonlyMap<string, string> = new Map();

/** How much of a window there is, and what is asked of it. */
export interface Situation {
  /** Share of observed grid points of each channel. */
  readonly coverage: readonly number[];
  /** The same of all channels of each sensor. */
  readonly sensors: readonly number[];
  readonly live: readonly boolean[];
  /** Why a sensor is not believed, by its name; such a one is not live. */
  readonly leftOut: ReadonlyMap<string, string>;
  /** Of the live sensors; one that is not listed names no task. Null without `availability`. */
  readonly pattern: Pattern | null;
  /** What the graph multiplies logits with, by input. */
  readonly scales: Scales;
}

/** The patterns of a manifest, ready to be looked up. */
export class Patterns {
  readonly sensors: readonly string[];
  /** From which coverage on a sensor is live; without `availability` as soon as anything is. */
  readonly least: number;
  readonly #samples: number;
  readonly #rows: readonly (readonly number[])[];
  readonly #tasks: readonly string[] | null;
  readonly #listed = new Map<string, { pattern: Pattern; scales: Scales }>();
  readonly #plain: Scales;

  constructor(manifest: Manifest) {
    const { availability } = manifest;
    this.sensors = sensorsOf(manifest);
    this.least = availability?.least ?? Number.MIN_VALUE;
    this.#samples = manifest.samples;
    this.#rows = this.sensors.map((sensor) => rowsOfSensor(manifest, sensor));
    this.#tasks = availability ? manifest.tasks.map((task) => task.name) : null;
    for (const pattern of availability?.patterns ?? []) {
      const scales = this.#scales(pattern.temperatures);
      this.#listed.set(pattern.sensors.join(" "), { pattern, scales });
    }
    this.#plain = this.#scales({});
  }

  /** The situation of a window whose `observed` is channels x samples. */
  of(observed: Uint8Array, leftOut = NOTHING): Situation {
    return this.ofCounts(countRows(observed, this.#samples), leftOut);
  }

  /** The situation of a window of which so many grid points of each channel are observed. */
  ofCounts(counts: readonly number[], leftOut = NOTHING): Situation {
    // Whole numbers are added up and divided once: the same bits on every host.
    const shares = this.#rows.map((rows) => {
      const sum = rows.reduce((all, row) => all + (counts[row] as number), 0);
      return sum / (rows.length * this.#samples);
    });
    const live = shares.map(
      (share, k) => share >= this.least && !leftOut.has(this.sensors[k] as string),
    );
    const coverage = counts.map((count) => count / this.#samples);
    const { pattern, scales } = this.#asked(live);
    return { coverage, sensors: shares, live, leftOut, pattern, scales };
  }

  #asked(live: readonly boolean[]): { pattern: Pattern | null; scales: Scales } {
    if (!this.#tasks) return { pattern: null, scales: this.#plain };
    const sensors = this.sensors.filter((_, k) => live[k]);
    const listed = this.#listed.get(sensors.join(" "));
    if (listed) return listed;
    const pattern = { sensors, temperatures: {}, minimum_confidence: {} };
    return { pattern, scales: this.#plain };
  }

  #scales(temperatures: Readonly<Record<string, number>>): Scales {
    const scales: Record<string, Tensor> = {};
    for (const task of this.#tasks ?? []) {
      const temperature = Object.hasOwn(temperatures, task) ? (temperatures[task] as number) : 1;
      scales[`${task}${SCALE}`] = tensor(Float32Array.of(1 / temperature), 1, 1);
    }
    return scales;
  }
}

function countRows(observed: Uint8Array, samples: number): number[] {
  const counts = new Array<number>(observed.length / samples).fill(0);
  return counts.map((_, row) => {
    let count = 0;
    for (let k = row * samples; k < (row + 1) * samples; k++) count += observed[k] as number;
    return count;
  });
}
