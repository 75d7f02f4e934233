/**
 * One window on the grid in, its prediction out: what is there, the engine, the decision.
 *
 * Windows of a caller, of a recording and of a stream all come through here.
 */

import { NOTHING, Patterns, type Situation } from "./availability.js";
import type { Chain } from "./chain.js";
import { decide, states } from "./decision.js";
import { type Engine, ones, output, tensor, type Tensors } from "./engine.js";
import type { Ensemble } from "./ensemble.js";
import type { Manifest } from "./manifest.js";
import { Plausibility } from "./plausibility.js";
import type { Imputed, ModelIdentity, Prediction } from "./prediction.js";
import type { Grid } from "./window.js";

/** What runs the windows of a bundle: one graph, those of a day, or those of fused sensors. */
export type Runner =
  | { readonly kind: "window"; readonly engine: Engine }
  | { readonly kind: "day"; readonly chain: Chain }
  | { readonly kind: "fusion"; readonly ensemble: Ensemble };

export class Predictor {
  readonly patterns: Patterns;
  readonly #manifest: Manifest;
  readonly #runner: Runner;
  readonly #identity: ModelIdentity;
  readonly #plausibility: Plausibility | null;

  constructor(manifest: Manifest, runner: Runner, identity: ModelIdentity) {
    this.patterns = new Patterns(manifest);
    this.#manifest = manifest;
    this.#runner = runner;
    this.#identity = identity;
    this.#plausibility = manifest.plausible.length ? Plausibility.of(manifest) : null;
  }

  /**
   * The prediction of a window of any bundle but one with tokens.
   *
   * @param known further inputs of the graph: the baseline, if it takes one.
   */
  async window(
    grid: Grid,
    start: number | null,
    known: Tensors,
    impute: boolean,
  ): Promise<Prediction> {
    const leftOut = this.#plausibility?.implausible(grid.values, grid.observed) ?? NOTHING;
    const situation = this.patterns.of(grid.observed, leftOut);
    return this.answer(await this.#run(grid, situation, known, impute), situation, start, grid);
  }

  async #run(
    grid: Grid,
    { coverage, live, scales }: Situation,
    known: Tensors,
    impute: boolean,
  ): Promise<Tensors | null> {
    if (this.#runner.kind === "fusion") {
      if (!live.includes(true)) return null;
      return this.#runner.ensemble.window(grid, live, scales, impute);
    }
    if (this.#runner.kind === "day" || !coverage.some((share) => share > 0)) return null;
    const { samples, channels } = this.#manifest;
    return this.#runner.engine.run({
      values: tensor(grid.values, 1, channels.length, samples),
      observed: ones(grid.observed, 1, channels.length, samples),
      ...known,
      ...scales,
    });
  }

  /**
   * The prediction of a day.
   *
   * @throws InputError where it does not begin at a patch, counted from `midnight`.
   */
  async day(grid: Grid, start: number, midnight: number, impute: boolean): Promise<Prediction> {
    const { chain } = this.#runner as Extract<Runner, { kind: "day" }>;
    const clock = chain.cut.clock(start, midnight);
    const outputs = await chain.window(grid, clock, impute);
    return this.answer(outputs, this.patterns.of(grid.observed), start, grid);
  }

  /** The prediction of a window with these outputs; null where nothing was run. */
  answer(
    outputs: Tensors | null,
    situation: Situation,
    start: number | null,
    grid: Grid,
  ): Prediction {
    const { channels, samples, rate, tasks } = this.#manifest;
    const { leftOut } = situation;
    const believed = channels.map((channel) => !leftOut.has(channel.sensor));
    const coverage: Record<string, number> = {};
    const usable: Record<string, number> = {};
    channels.forEach(({ name }, row) => {
      coverage[name] = situation.coverage[row] as number;
      usable[name] = believed[row] ? (coverage[name] as number) : 0;
    });
    const { sensors } = this.patterns;
    const doubted = leftOut.size > 0;
    return {
      tasks: decide({ tasks, sensors }, outputs, usable, situation.pattern, doubted),
      coverage,
      sensors: states(this.patterns, situation, outputs),
      embedding: outputs ? output(outputs, "embedding").data.slice() : null,
      start,
      end: start === null ? null : start + samples / rate,
      imputed: this.#imputed(outputs, grid, believed),
      model: this.#identity,
    };
  }

  #imputed(outputs: Tensors | null, grid: Grid, believed: readonly boolean[]): Imputed | null {
    const restored = outputs?.["imputed"]?.data;
    if (!restored) return null;
    const { samples } = this.#manifest;
    // As if what is not believed were not observed.
    const observed = grid.observed.map((seen, k) => (believed[Math.floor(k / samples)] ? seen : 0));
    const values = restored.map((value, k) => (observed[k] ? (grid.values[k] as number) : value));
    return { values, observed };
  }
}
