/**
 * Final patches in, predictions on the day up to each hop out; each patch is embedded once.
 *
 * A window is the last day of the grid. It ends where a hop does, from the first hop on: what
 * lies before the first sample is simply not observed.
 */

import type { Chain } from "./chain.js";
import type { Prediction } from "./prediction.js";
import type { Predictor } from "./predictor.js";
import type { Roll } from "./rolling.js";
import type { Settings } from "./settings.js";
import type { Timeline } from "./timeline.js";
import { modulo } from "./tokens.js";
import type { Grid } from "./window.js";

export class Days implements Roll {
  grid: Grid;
  coverage: readonly number[];
  end: number | null = null;
  readonly baseline = null;
  #tokens: Float32Array;
  /** Whole patches. */
  done = 0;

  constructor(
    readonly channels: readonly string[],
    readonly settings: Settings,
    readonly chain: Chain,
    readonly predictor: Predictor,
  ) {
    const { samples, most, width } = chain.cut;
    const size = channels.length * samples;
    this.grid = { values: new Float32Array(size), observed: new Uint8Array(size) };
    this.#tokens = new Float32Array(most * width);
    this.coverage = channels.map(() => 0);
  }

  async *advance(timeline: Timeline): AsyncGenerator<Prediction> {
    const { patch } = this.chain.cut;
    while (timeline.origin !== null && this.done + patch <= timeline.final - timeline.origin) {
      const stop = timeline.origin + this.done + patch;
      const prediction = await this.#take(timeline, stop);
      timeline.forget(stop);
      if (prediction) yield prediction;
    }
  }

  /** Take the patch that ends at grid point `stop`; predict, if a hop ends there. */
  async #take(timeline: Timeline, stop: number): Promise<Prediction | null> {
    const { patch, samples, rows, width } = this.chain.cut;
    const fresh = timeline.resample(stop - patch, patch);
    const grid = {
      values: shifted(this.grid.values, fresh.values, samples, patch),
      observed: shifted(this.grid.observed, fresh.observed, samples, patch),
    };
    const tokens = new Float32Array(this.#tokens.length);
    const size = rows.length * width;
    tokens.set(this.#tokens.subarray(size));
    // Of a patch without a token no graph is run.
    if (this.chain.cut.present(fresh.observed, patch).includes(1)) {
      tokens.set(await this.chain.embed(fresh, patch), tokens.length - size);
    }
    let prediction: Prediction | null = null;
    if ((this.done + patch) % this.settings.hop === 0) {
      prediction = await this.#predict(timeline, stop, grid, tokens);
      this.coverage = this.channels.map((name) => prediction?.coverage[name] as number);
      this.end = prediction.end;
    }
    this.grid = grid;
    this.#tokens = tokens;
    this.done += patch;
    return prediction;
  }

  async #predict(
    timeline: Timeline,
    stop: number,
    grid: Grid,
    tokens: Float32Array,
  ): Promise<Prediction> {
    const { cut } = this.chain;
    const first = stop - cut.samples;
    const present = cut.present(grid.observed, cut.samples);
    const clock = modulo(Math.floor(first / cut.patch), cut.patches);
    const outputs = present.includes(1)
      ? await this.chain.answer(tokens, present, grid, clock, this.settings.impute)
      : null;
    const start = timeline.minutes?.start(first) ?? null;
    return this.predictor.answer(outputs, this.predictor.patterns.of(grid.observed), start, grid);
  }
}

/** Channels x samples without the oldest `count`, and with as many fresh ones. */
function shifted<T extends Float32Array | Uint8Array>(
  window: T,
  fresh: T,
  samples: number,
  count: number,
): T {
  const next = new (window.constructor as new (size: number) => T)(window.length);
  for (let row = 0; row * samples < window.length; row++) {
    next.set(window.subarray(row * samples + count, (row + 1) * samples), row * samples);
    next.set(fresh.subarray(row * count, (row + 1) * count), (row + 1) * samples - count);
  }
  return next;
}
