/**
 * The golden vectors of a bundle in, how far an engine is from them on this processor out.
 *
 * They run from raw windows to outputs, so that engine, scales and state are proven at once.
 */

import { type Situation, Patterns } from "./availability.js";
import type { Bundle } from "./bundle.js";
import type { Chain } from "./chain.js";
import { type Engine, ones, output, tensor, type Tensor, type Tensors } from "./engine.js";
import { BundleError, EngineError, ParityError } from "./errors.js";
import { inputsOf, outputsOf, scalesOf } from "./manifest.js";
import type { Format, Manifest, Role } from "./manifest.js";
import type { Runner } from "./predictor.js";
import type { DType, GoldenTensor } from "./safetensors.js";
import { general } from "./words.js";

/** How far an engine is from the golden vectors. */
export interface Verification {
  /** How many golden windows, and steps, it ran. */
  readonly windows: number;
  readonly steps: number;
  /** Largest absolute difference by output; of a day also of `tokens`, which must be 0. */
  readonly outputs: Record<string, number>;
  /** The most that is allowed. */
  readonly tolerance: Record<string, number>;
  readonly passed: boolean;
}

/** What is proven: the graphs of windows, and that of steps if there is one. */
export interface Engines {
  readonly runner: Runner;
  readonly step: Engine | null;
}

/**
 * Replay the golden vectors of a bundle.
 *
 * @throws BundleError where they are not what the manifest describes.
 */
export async function verify(
  bundle: Bundle,
  { runner, step }: Engines,
  format: Format,
): Promise<Verification> {
  const { manifest } = bundle;
  const tensors = bundle.golden();
  const outputs: Record<string, number> = {};
  const tolerance: Record<string, number> = {};
  for (const name of outputsOf(manifest).keys()) {
    outputs[name] = 0;
    tolerance[name] = manifest.golden.tolerance[name] as number;
  }
  if (runner.kind === "day") {
    outputs["tokens"] = tolerance["tokens"] = 0;
  }
  const compare = (name: string, found: Float32Array, golden: Float32Array): void => {
    // A difference that is NaN stays, and does not pass.
    outputs[name] = Math.max(outputs[name] as number, furthest(found, golden));
  };
  const golden = (role: "window" | "step") => new Golden(manifest, tensors, format, role);
  await replayWindows(manifest, golden("window"), runner, compare);
  if (step) await replaySteps(manifest, golden("step"), step, compare);
  const passed = Object.keys(tolerance).every(
    (name) => (outputs[name] as number) <= (tolerance[name] as number),
  );
  const steps = step ? manifest.golden.steps : 0;
  return { windows: manifest.golden.windows, steps, outputs, tolerance, passed };
}

/** @throws ParityError unless the engine gives the bundle's numbers here. */
export function demandParity(manifest: Manifest, report: Verification): void {
  if (report.passed) return;
  const off = Object.entries(report.tolerance)
    .filter(([name, most]) => !((report.outputs[name] as number) <= most))
    .map(
      ([name, most]) =>
        `${name} by ${general(report.outputs[name] as number, 3)} (at most ${general(most, 3)})`,
    );
  throw new ParityError(
    `the engine is off the golden vectors of ${manifest.name} ${manifest.version} on this ` +
      `processor: ${off.join(", ")}; try another engine or other activations, and report this`,
  );
}

type Compare = (name: string, found: Float32Array, golden: Float32Array) => void;

async function replayWindows(
  manifest: Manifest,
  golden: Golden,
  runner: Runner,
  compare: Compare,
): Promise<void> {
  const patterns = new Patterns(manifest);
  const { file } = manifest.golden;
  const situations: Situation[] = [];
  for (let k = 0; k < golden.count; k++) {
    const values = golden.floats("values", k);
    const observed = golden.flags(k);
    const situation = patterns.of(observed);
    situations.push(situation);
    const grid = { values, observed };
    let found: Tensors | null;
    if (runner.kind === "day") {
      const clock = golden.floats("clock", k)[0] as number;
      found = await runner.chain.window(grid, clock, runner.chain.decoder !== null);
      compare("tokens", await patchesOff(runner.chain, values, observed), new Float32Array(1));
    } else if (runner.kind === "fusion") {
      const { ensemble } = runner;
      const impute = ensemble.decoder !== null;
      if (!situation.live.includes(true)) {
        throw new BundleError(`${file} has a window in which no sensor is live`);
      }
      found = await ensemble.window(grid, situation.live, situation.scales, impute);
    } else {
      found = await runner.engine.run({ ...golden.inputs(k), ...situation.scales });
    }
    if (!found) throw new BundleError(`${file} has a day in which nothing is observed`);
    for (const name of outputsOf(manifest).keys()) {
      compare(name, output(found, name).data, golden.output(name, k));
    }
  }
  if (manifest.fusion) checkPatterns(manifest, situations);
}

async function replaySteps(
  manifest: Manifest,
  golden: Golden,
  engine: Engine,
  compare: Compare,
): Promise<void> {
  const patterns = new Patterns(manifest);
  const { samples, channels } = manifest;
  const points = manifest.step?.samples ?? 0;
  const size = manifest.step?.state ?? 0;
  const window = new Uint8Array(channels.length * samples);
  let state: Tensor = tensor(new Float32Array(size), 1, size);
  for (let k = 0; k < golden.count; k++) {
    const observed = golden.flags(k);
    for (let row = 0; row < channels.length; row++) {
      const one = window.subarray(row * samples, (row + 1) * samples);
      one.copyWithin(0, points);
      one.set(observed.subarray(row * points, (row + 1) * points), samples - points);
    }
    const found = await engine.run({ ...golden.inputs(k), ...patterns.of(window).scales, state });
    state = output(found, "next_state");
    for (const name of outputsOf(manifest).keys()) {
      compare(name, output(found, name).data, golden.output(name, k));
    }
  }
}

/** Where sensors are fused, every pattern is proven. */
function checkPatterns(manifest: Manifest, situations: readonly Situation[]): void {
  const { file } = manifest.golden;
  const live = new Set(situations.map((situation) => situation.pattern?.sensors.join(", ")));
  for (const pattern of manifest.availability?.patterns ?? []) {
    const named = pattern.sensors.join(", ");
    if (!live.has(named)) {
      throw new BundleError(`${file} has no window in which just ${named} are live`);
    }
  }
}

/** How far tokens of single patches are from those of the whole day. */
async function patchesOff(
  chain: Chain,
  values: Float32Array,
  observed: Uint8Array,
): Promise<Float32Array> {
  const { patch, samples, patches, rows, width } = chain.cut;
  const channels = values.length / samples;
  const together = await chain.embed({ values, observed }, samples);
  const size = rows.length * width;
  let most = 0;
  for (let t = 0; t < patches; t++) {
    const points = channels * patch;
    const one = { values: new Float32Array(points), observed: new Uint8Array(points) };
    for (let row = 0; row < channels; row++) {
      const from = row * samples + t * patch;
      one.values.set(values.subarray(from, from + patch), row * patch);
      one.observed.set(observed.subarray(from, from + patch), row * patch);
    }
    const alone = await chain.embed(one, patch);
    most = Math.max(most, furthest(alone, together.subarray(t * size, (t + 1) * size)));
  }
  return Float32Array.of(most);
}

/** The golden vectors of one role, checked. */
class Golden {
  readonly count: number;
  readonly #inputs = new Map<string, GoldenTensor>();
  readonly #outputs = new Map<string, GoldenTensor>();
  readonly #shapes: ReadonlyMap<string, readonly number[]>;

  constructor(
    manifest: Manifest,
    tensors: ReadonlyMap<string, GoldenTensor>,
    format: Format,
    role: Extract<Role, "window" | "step">,
  ) {
    const { file, windows, steps } = manifest.golden;
    const part = role === "step" ? "step/" : "";
    this.count = role === "step" ? steps : windows;
    const take = (key: string, dtype: DType, shape: readonly number[]): GoldenTensor => {
      const found = tensors.get(key);
      const must = [this.count, ...shape.slice(1)];
      if (!found) throw new BundleError(`${file} has no tensor '${key}'`);
      if (found.dtype !== dtype || found.shape.join() !== must.join()) {
        throw new BundleError(
          `${file}: '${key}' is ${found.dtype} (${found.shape.join(", ")}), not ${dtype} ` +
            `(${must.join(", ")})`,
        );
      }
      return found;
    };
    this.#shapes = goldenInputs(manifest, role);
    for (const [name, shape] of this.#shapes) {
      const found = take(`${part}${name}`, name === "observed" ? "U8" : "F32", shape);
      if (!found.data.every(Number.isFinite)) {
        throw new BundleError(`${file}: '${part}${name}' are not all finite`);
      }
      this.#inputs.set(name, found);
    }
    for (const [name, shape] of outputsOf(manifest)) {
      this.#outputs.set(name, take(`${format}/${part}${name}`, "F32", shape));
    }
  }

  floats(name: string, k: number): Float32Array {
    return Float32Array.from(this.#row(this.#inputs.get(name), k));
  }

  flags(k: number): Uint8Array {
    return Uint8Array.from(this.#row(this.#inputs.get("observed"), k), (x) => (x > 0 ? 1 : 0));
  }

  output(name: string, k: number): Float32Array {
    return this.#row(this.#outputs.get(name), k) as Float32Array;
  }

  /** The inputs of a graph that takes them as they stand. */
  inputs(k: number): Record<string, Tensor> {
    const inputs: Record<string, Tensor> = {};
    for (const [name, shape] of this.#shapes) {
      inputs[name] =
        name === "observed"
          ? ones(this.flags(k), ...shape)
          : tensor(this.floats(name, k), ...shape);
    }
    return inputs;
  }

  #row(found: GoldenTensor | undefined, k: number): GoldenTensor["data"] {
    if (!found) throw new EngineError("the golden vectors lack an input");
    const size = found.data.length / this.count;
    return found.data.subarray(k * size, (k + 1) * size);
  }
}

/** Shapes of the inputs that are stored: not the state, and not the scales. */
function goldenInputs(manifest: Manifest, role: Role): Map<string, readonly number[]> {
  const scales = scalesOf(manifest);
  const shapes = inputsOf(manifest, role);
  shapes.delete("state");
  for (const name of scales.keys()) shapes.delete(name);
  return shapes;
}

function furthest(a: Float32Array, b: Float32Array): number {
  let most = 0;
  for (let k = 0; k < a.length; k++) {
    most = Math.max(most, Math.abs((a[k] as number) - (b[k] as number)));
  }
  return most;
}
