/**
 * The graphs of a day, one after the other: values and observed in, all outputs out.
 *
 * Embed makes tokens of the samples, encode takes those that there are, and decode imputes
 * every grid point. A stream embeds each patch once.
 */

import { type Engine, ones, output, tensor, type Tensor, type Tensors } from "./engine.js";
import { type Cut, nearest } from "./tokens.js";
import type { Grid } from "./window.js";

export class Chain {
  constructor(
    readonly cut: Cut,
    readonly embedder: Engine,
    readonly encoder: Engine,
    readonly decoder: Engine | null,
  ) {}

  get file(): string {
    const graphs = [this.embedder, this.encoder, this.decoder];
    return graphs.flatMap((graph) => (graph ? [graph.file] : [])).join(", ");
  }

  /** The outputs of a window; null where there is no token. */
  async window(grid: Grid, clock: number, impute: boolean): Promise<Tensors | null> {
    const present = this.cut.present(grid.observed, this.cut.samples);
    if (!present.includes(1)) return null;
    const tokens = await this.embed(grid, this.cut.samples);
    return this.answer(tokens, present, grid, clock, impute);
  }

  /** The tokens of one patch, or of a window: so many grid points. */
  async embed({ values, observed }: Grid, points: number): Promise<Float32Array> {
    const channels = values.length / points;
    const inputs = {
      values: tensor(values, 1, channels, points),
      observed: ones(observed, 1, channels, points),
    };
    return output(await this.embedder.run(inputs), "tokens").data;
  }

  /**
   * The outputs of a window whose tokens are known.
   *
   * @param present which tokens there are; at least one.
   * @param clock the patch of the local day that the window begins with.
   */
  async answer(
    tokens: Float32Array,
    present: Uint8Array,
    { values, observed }: Grid,
    clock: number,
    impute: boolean,
  ): Promise<Tensors> {
    const { width, samples, most, interpolated } = this.cut;
    const slots = this.cut.slots(present);
    const rows = new Float32Array(slots.length * width);
    slots.forEach((token, row) => {
      if (token >= 0) rows.set(tokens.subarray(token * width, (token + 1) * width), row * width);
    });
    const time = tensor(Float32Array.of(clock), 1, 1);
    const { encoded, ...outputs } = await this.encoder.run({
      tokens: tensor(rows, 1, slots.length, width),
      slots: tensor(Float32Array.from(slots), 1, slots.length),
      clock: time,
    });
    if (!impute || !this.decoder || interpolated === null) return outputs;
    const placed = new Float32Array(most * width);
    const given = (encoded as Tensor).data;
    slots.forEach((token, row) => {
      if (token >= 0) placed.set(given.subarray(row * width, (row + 1) * width), token * width);
    });
    const channels = values.length / samples;
    const { before, after } = nearest(
      observed.subarray(interpolated * samples, (interpolated + 1) * samples),
    );
    const decoded = await this.decoder.run({
      encoded: tensor(placed, 1, most, width),
      present: ones(present, 1, most),
      values: tensor(values, 1, channels, samples),
      observed: ones(observed, 1, channels, samples),
      before: tensor(before, 1, samples),
      after: tensor(after, 1, samples),
      clock: time,
    });
    return { ...outputs, imputed: output(decoded, "imputed") };
  }
}
