/** A bundle and an engine: windows, recordings or streams in, predictions out. */

import type { Bundle } from "./bundle.js";
import { Chain } from "./chain.js";
import { type Choice, type Engine, hasGraph, openGraph } from "./engine.js";
import type { OpenSession, Tensors } from "./engine.js";
import { Ensemble } from "./ensemble.js";
import { type Activations, type Format, imputes, type Manifest, sensorsOf } from "./manifest.js";
import { baselineOf, imputeOf, midnightOf, startOf } from "./options.js";
import type { ModelIdentity, Prediction } from "./prediction.js";
import { Predictor, type Runner } from "./predictor.js";
import type { Signal } from "./signals.js";
import { type Made, type RecordingOptions, Stream, type StreamOptions } from "./stream.js";
import { Cut } from "./tokens.js";
import { demandParity, type Verification, verify } from "./verify.js";
import { checkWindow } from "./window.js";

export interface LoadOptions {
  /** Which model files are run: "onnx" if not said. */
  readonly format?: Format;
  /** Of ONNX: "s8", which is right on every processor, if not said. */
  readonly activations?: Activations;
  /** Whether the engine is proven by the golden vectors before the model is given: yes. */
  readonly prove?: boolean;
}

export interface PredictOptions {
  /** Channels x samples, 1 where a sample was really seen; all but NaN if not said. */
  readonly observed?: Uint8Array;
  /** When the window begins, in seconds; of a day it is needed. */
  readonly start?: number;
  /** Running mean and scale of each channel, NaN where unknown. */
  readonly baseline?: Float64Array;
  /** Any local midnight on the clock of `start`, of a bundle with tokens; 0 if not said. */
  readonly midnight?: number;
  /** Whether to give the window without gaps: days are if not said, other windows are not. */
  readonly impute?: boolean;
}

/**
 * Load the graphs of a bundle into an engine, and prove it by the golden vectors.
 *
 * @throws EngineError where the engine cannot open them, or the bundle has none of this kind.
 * @throws ParityError where it does not give the bundle's numbers here.
 */
export async function loadModel<P extends Prediction = Prediction>(
  bundle: Bundle,
  open: OpenSession,
  options: LoadOptions = {},
): Promise<Model<P>> {
  const { format = "onnx", activations = "s8", prove = true } = options;
  const choice: Choice = { bundle, open, format, activations };
  const runner = await openRunner(choice);
  const step = hasGraph(choice, "step") ? await openGraph(choice, "step") : null;
  const model = new Model<P>(bundle, format, runner, step);
  if (prove) demandParity(bundle.manifest, await model.verify());
  return model;
}

async function openRunner(choice: Choice): Promise<Runner> {
  const { manifest } = choice.bundle;
  const decoder = async (): Promise<Engine | null> =>
    imputes(manifest) ? openGraph(choice, "decode") : null;
  if (manifest.tokens) {
    const [embed, encode] = [await openGraph(choice, "embed"), await openGraph(choice, "encode")];
    return { kind: "day", chain: new Chain(Cut.of(manifest), embed, encode, await decoder()) };
  }
  if (manifest.fusion) {
    const senses: Engine[] = [];
    for (const sensor of sensorsOf(manifest)) senses.push(await openGraph(choice, "sense", sensor));
    const fuse = await openGraph(choice, "fuse");
    return { kind: "fusion", ensemble: new Ensemble(manifest, senses, fuse, await decoder()) };
  }
  return { kind: "window", engine: await openGraph(choice, "window") };
}

/**
 * A model that is ready to predict: an opened bundle, and the engine that runs it.
 *
 * `P` is what it predicts; a caller who knows the bundle may name its tasks.
 */
export class Model<P extends Prediction = Prediction> {
  readonly bundle: Bundle;
  readonly manifest: Manifest;
  /** Names of the rows of a window. */
  readonly channels: readonly string[];
  readonly sensors: readonly string[];
  /** Grid points per second. */
  readonly rate: number;
  /** Grid points of a window. */
  readonly windowSamples: number;
  readonly tasks: readonly string[];
  readonly #format: Format;
  readonly #runner: Runner;
  readonly #step: Engine | null;
  readonly #predictor: Predictor;

  constructor(bundle: Bundle, format: Format, runner: Runner, step: Engine | null) {
    const { manifest } = bundle;
    this.bundle = bundle;
    this.manifest = manifest;
    this.channels = manifest.channels.map((channel) => channel.name);
    this.sensors = sensorsOf(manifest);
    this.rate = manifest.rate;
    this.windowSamples = manifest.samples;
    this.tasks = manifest.tasks.map((task) => task.name);
    this.#format = format;
    this.#runner = runner;
    this.#step = step;
    const identity: ModelIdentity = {
      name: manifest.name,
      version: manifest.version,
      hash: bundle.hash,
    };
    this.#predictor = new Predictor(manifest, runner, identity);
  }

  /**
   * Predict on one window.
   *
   * @param values channels x samples on the grid, row by row; NaN where missing.
   * @throws InputError where they or the options cannot be used.
   */
  async predict(values: Float32Array, options: PredictOptions = {}): Promise<P> {
    const { manifest } = this;
    const midnight = midnightOf(manifest, options.midnight);
    const impute = imputeOf(manifest, options.impute, true);
    const day = this.#runner.kind === "day";
    const grid = checkWindow(values, options.observed, this.channels, this.windowSamples, day);
    const known: Tensors = baselineOf(manifest, options.baseline);
    const start = startOf(manifest, options.start);
    const prediction = day
      ? await this.#predictor.day(grid, start as number, midnight, impute)
      : await this.#predictor.window(grid, start, known, impute);
    return prediction as P;
  }

  /**
   * Predict on a recording of any length, one window every hop, or one for each local day.
   *
   * The windows are those of a stream. A recording that is shorter than one window gives
   * exactly one, whose rest is unobserved.
   *
   * @param signals what was recorded, by channel; other names are not used.
   */
  predictRecording(
    signals: Readonly<Record<string, Signal>>,
    options: RecordingOptions = {},
  ): AsyncGenerator<P> {
    return Stream.ofRecording<P>(this.#made(), signals, options);
  }

  /** Begin a stream of samples as they arrive. */
  stream(options: StreamOptions = {}): Stream<P> {
    return Stream.begin<P>(this.#made(), options);
  }

  /** Replay the golden vectors on this processor. */
  verify(): Promise<Verification> {
    return verify(this.bundle, { runner: this.#runner, step: this.#step }, this.#format);
  }

  #made(): Made {
    return {
      manifest: this.manifest,
      runner: this.#runner,
      step: this.#step,
      predictor: this.#predictor,
    };
  }
}

