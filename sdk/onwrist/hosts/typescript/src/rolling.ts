/**
 * Final grid points in, predictions out: whole windows or steps, and the running baseline.
 *
 * Everything goes on by the next end that is due, of a window or of a step. What has been done
 * is a function of which grid points are final, however many of them became so at once.
 */

import { Baseline } from "./baseline.js";
import { type Engine, ones, output, tensor, type Tensor, type Tensors } from "./engine.js";
import type { Manifest } from "./manifest.js";
import type { Prediction } from "./prediction.js";
import type { Predictor } from "./predictor.js";
import type { Settings } from "./settings.js";
import type { Timeline } from "./timeline.js";
import type { Grid } from "./window.js";

const AT_ONCE = 4096; // grid points that are resampled at a time

/** What turns the grid of a stream into predictions. */
export interface Roll {
  /** The last window of the grid, channels x samples. */
  readonly grid: Grid;
  /** Grid points that were gone through, from the origin on. */
  readonly done: number;
  /** Of the last prediction, by channel; zeros before one. */
  readonly coverage: readonly number[];
  readonly end: number | null;
  readonly baseline: Float64Array | null;
  /** Go on to the last end that is due. */
  advance(timeline: Timeline): AsyncGenerator<Prediction>;
}

/** The last window of the grid, and what the graphs remember of the time before it. */
export class Rolling implements Roll {
  coverage: readonly number[];
  end: number | null = null;
  done = 0;
  // The last window lies before this column; grid points after it are yet to be used.
  #column: number;
  #points: number;
  #values: Float32Array;
  #observed: Uint8Array;
  readonly #channels: number;
  readonly #baseline: Baseline | null;
  readonly #step: number | null;
  #state: Tensor;

  /** @param engine runs steps; null where whole windows are predicted on. */
  constructor(
    readonly manifest: Manifest,
    readonly settings: Settings,
    readonly predictor: Predictor,
    readonly engine: Engine | null,
  ) {
    const { baseline, step, samples, rate, channels } = manifest;
    this.#channels = channels.length;
    this.#column = this.#points = samples;
    this.#values = new Float32Array(this.#channels * samples);
    this.#observed = new Uint8Array(this.#channels * samples);
    this.#baseline = baseline
      ? new Baseline(this.#channels, rate, baseline.seconds, baseline.samples)
      : null;
    this.#step = engine && step ? step.samples : null;
    this.#state = tensor(new Float32Array(step?.state ?? 0), 1, step?.state ?? 0);
    this.coverage = channels.map(() => 0);
  }

  get grid(): Grid {
    return this.#columns(this.#column - this.manifest.samples, this.#column);
  }

  get baseline(): Float64Array | null {
    return this.#baseline?.usual ?? null;
  }

  async *advance(timeline: Timeline): AsyncGenerator<Prediction> {
    while (timeline.origin !== null) {
      const available = timeline.final - timeline.origin;
      let stop = this.done;
      for (
        let due = this.#due(stop);
        due <= available && (due <= this.done + AT_ONCE || stop === this.done);
        due = this.#due(due)
      ) {
        stop = due;
      }
      if (stop === this.done) return;
      this.#append(timeline.resample(timeline.origin + this.done, stop - this.done));
      while (this.done < stop) {
        const prediction = await this.#goOn(timeline.origin);
        if (prediction) yield prediction;
      }
      timeline.forget(timeline.origin + stop);
    }
  }

  /** Grid points after the last window. */
  #append(fresh: Grid): void {
    const { samples } = this.manifest;
    const last = this.grid;
    const count = fresh.values.length / this.#channels;
    this.#points = samples + count;
    this.#values = new Float32Array(this.#channels * this.#points);
    this.#observed = new Uint8Array(this.#channels * this.#points);
    this.#column = samples;
    for (let row = 0; row < this.#channels; row++) {
      for (const [whole, parts] of [
        [this.#values, [last.values, fresh.values]],
        [this.#observed, [last.observed, fresh.observed]],
      ] as const) {
        const [before, after] = parts;
        whole.set(before.subarray(row * samples, (row + 1) * samples), row * this.#points);
        whole.set(after.subarray(row * count, (row + 1) * count), row * this.#points + samples);
      }
    }
  }

  /** The end of the next step, or of the next window if that is not far. */
  #due(done: number): number {
    if (this.#step !== null) return done + this.#step;
    const { samples } = this.manifest;
    const past = done - samples; // the end of the first window
    const toNext = past < 0 ? -past : this.settings.hop - (past % this.settings.hop);
    return done + Math.min(toNext, samples);
  }

  async #goOn(origin: number): Promise<Prediction | null> {
    const { samples, rate } = this.manifest;
    const due = this.#due(this.done);
    const column = this.#column + due - this.done;
    const past = due - samples;
    const gives = past >= 0 && past % this.settings.hop === 0;
    const remembered = this.#baseline?.state;
    const known = this.#updateBaseline(due, column);
    const start = (origin + past) / rate;
    let prediction: Prediction | null = null;
    try {
      if (this.#step !== null && this.engine) {
        prediction = await this.#takeStep(this.engine, this.#step, column, known, start, gives);
      } else if (gives) {
        const grid = this.#columns(column - samples, column);
        prediction = await this.predictor.window(grid, start, known, this.settings.impute);
      }
    } catch (error) {
      if (this.#baseline && remembered) this.#baseline.state = remembered;
      throw error;
    }
    this.done = due;
    this.#column = column;
    if (prediction) {
      this.coverage = this.manifest.channels.map((c) => prediction.coverage[c.name] as number);
      this.end = prediction.end;
    }
    return prediction;
  }

  /** Take the step that ends before a column; predict, if it `gives`. */
  async #takeStep(
    engine: Engine,
    step: number,
    column: number,
    known: Tensors,
    start: number,
    gives: boolean,
  ): Promise<Prediction | null> {
    const window = this.#columns(column - this.manifest.samples, column);
    const fresh = this.#columns(column - step, column);
    const situation = this.predictor.patterns.of(window.observed);
    const outputs = await engine.run({
      values: tensor(fresh.values, 1, this.#channels, step),
      observed: ones(fresh.observed, 1, this.#channels, step),
      ...known,
      state: this.#state,
      ...situation.scales,
    });
    this.#state = output(outputs, "next_state");
    if (!gives) return null;
    const there = situation.coverage.some((share) => share > 0) ? outputs : null;
    return this.predictor.answer(there, situation, start, window);
  }

  /** Take the blocks that end up to `due`; the graph's input for it. */
  #updateBaseline(due: number, column: number): Tensors {
    if (!this.#baseline) return {};
    const { samples } = this.#baseline;
    for (let end = (Math.floor(this.done / samples) + 1) * samples; end <= due; end += samples) {
      const stop = column - (due - end);
      this.#baseline.update(this.#values, this.#observed, this.#points, stop - samples);
    }
    return { baseline: this.#baseline.input };
  }

  /** Columns [from, to) of all channels, on their own. */
  #columns(from: number, to: number): Grid {
    const count = to - from;
    const values = new Float32Array(this.#channels * count);
    const observed = new Uint8Array(this.#channels * count);
    for (let row = 0; row < this.#channels; row++) {
      const at = row * this.#points;
      values.set(this.#values.subarray(at + from, at + to), row * count);
      observed.set(this.#observed.subarray(at + from, at + to), row * count);
    }
    return { values, observed };
  }
}
