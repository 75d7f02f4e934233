/**
 * The graphs of sensors that are fused: values and observed in, all outputs out.
 *
 * The encoder of a sensor runs only where the sensor is live; one more graph answers from
 * what the encoders gave, and another restores the signals of all sensors if it is asked.
 */

import type { Scales } from "./availability.js";
import { type Engine, ones, output, tensor, type Tensors } from "./engine.js";
import { type Fusion, type Manifest, rowsOfSensor, sensorsOf } from "./manifest.js";
import type { Grid } from "./window.js";

export class Ensemble {
  readonly #rows: readonly (readonly number[])[];
  readonly #fusion: Fusion;
  readonly #samples: number;

  /** @param senses the encoder of each sensor. */
  constructor(
    manifest: Manifest,
    readonly senses: readonly Engine[],
    readonly fuse: Engine,
    readonly decoder: Engine | null,
  ) {
    this.#rows = sensorsOf(manifest).map((sensor) => rowsOfSensor(manifest, sensor));
    this.#fusion = manifest.fusion as Fusion;
    this.#samples = manifest.samples;
  }

  get file(): string {
    const graphs = [...this.senses, this.fuse, this.decoder];
    return graphs.flatMap((graph) => (graph ? [graph.file] : [])).join(", ");
  }

  /**
   * The outputs of a window, some sensor of which is live.
   *
   * @param live of each sensor, whether its encoder runs.
   * @param scales further inputs of the graph that fuses.
   */
  async window(
    grid: Grid,
    live: readonly boolean[],
    scales: Scales,
    impute: boolean,
  ): Promise<Tensors> {
    const { tokens, width } = this.#fusion;
    const size = tokens * width;
    const sensed = new Float32Array(live.length * size);
    for (const [k, sense] of this.senses.entries()) {
      if (!live[k]) continue;
      const rows = this.#rows[k] as readonly number[];
      const given = await sense.run({
        values: tensor(taken(grid.values, rows, this.#samples), 1, rows.length, this.#samples),
        observed: ones(taken(grid.observed, rows, this.#samples), 1, rows.length, this.#samples),
      });
      sensed.set(output(given, "sensed").data, k * size);
    }
    const inputs = {
      sensed: tensor(sensed, 1, live.length * tokens, width),
      live: tensor(Float32Array.from(live, Number), 1, live.length),
    };
    const outputs = await this.fuse.run({ ...inputs, ...scales });
    if (!impute || !this.decoder) return outputs;
    return { ...outputs, imputed: output(await this.decoder.run(inputs), "imputed") };
  }
}

/** Some rows of channels x samples. */
export function taken<T extends Float32Array | Uint8Array>(
  window: T,
  rows: readonly number[],
  samples: number,
): T {
  const part = new (window.constructor as new (size: number) => T)(rows.length * samples);
  rows.forEach((row, k) => {
    part.set(window.subarray(row * samples, (row + 1) * samples), k * samples);
  });
  return part;
}
