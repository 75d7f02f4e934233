/**
 * What runs one graph of a bundle: tensors by name in, tensors by name out.
 *
 * The inference engine is the caller's: a function that opens a model's bytes. Its outputs
 * are held against the manifest, and one run ends before the next begins.
 */

import type { Bundle } from "./bundle.js";
import { EngineError, messageOf } from "./errors.js";
import {
  type Activations,
  type Format,
  type Graph,
  inputsOf,
  type Manifest,
  outputsOf,
  type Role,
} from "./manifest.js";

/** Numbers row by row, and how many there are in each dimension. */
export interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** One opened graph of an inference engine. */
export interface Session {
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
}

/** Opens the bytes of a graph; `name` is its file. */
export type OpenSession = (model: Uint8Array, name: string) => Promise<Session>;

/** Which graphs of a bundle are run, and by what. */
export interface Choice {
  readonly bundle: Bundle;
  readonly open: OpenSession;
  readonly format: Format;
  readonly activations: Activations;
}

export class Engine {
  readonly file: string;
  readonly #session: Session;
  readonly #manifest: Manifest;
  readonly #graph: Graph;
  #before: Promise<unknown> = Promise.resolve();

  constructor(session: Session, manifest: Manifest, graph: Graph) {
    this.file = graph.file;
    this.#session = session;
    this.#manifest = manifest;
    this.#graph = graph;
  }

  /** @throws EngineError where the engine fails, or gives what the manifest does not describe. */
  run(inputs: Tensors): Promise<Tensors> {
    const run = this.#before.then(() => this.#run(inputs));
    this.#before = run.catch(() => undefined);
    return run;
  }

  async #run(inputs: Tensors): Promise<Tensors> {
    let outputs: Tensors;
    try {
      outputs = await this.#session.run({ ...inputs });
    } catch (error) {
      throw new EngineError(`the engine failed on ${this.file}: ${messageOf(error)}`);
    }
    const { role, sensor } = this.#graph;
    const sized = [...inputsOf(this.#manifest, role, undefined, sensor).keys()][0] as string;
    const shape = inputs[sized]?.shape ?? [];
    const size = role === "encode" ? shape[1] : role === "embed" ? shape[2] : undefined;
    const found: Record<string, Tensor> = {};
    for (const [name, must] of outputsOf(this.#manifest, role, size)) {
      const tensor = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
      if (tensor?.shape.join() !== must.join() || tensor.data.length !== product(must)) {
        throw new EngineError(
          `${this.file} gave ${name} (${tensor?.shape.join(", ") ?? "not at all"}), but the ` +
            `manifest describes (${must.join(", ")})`,
        );
      }
      found[name] = tensor;
    }
    return found;
  }
}

/**
 * Open the graph of a role.
 *
 * @throws EngineError where the bundle has none for this format, or it cannot be opened.
 */
export async function openGraph(
  choice: Choice,
  role: Role,
  sensor: string | null = null,
): Promise<Engine> {
  const { bundle, open } = choice;
  const graph = graphOf(choice, role, sensor);
  let session: Session;
  try {
    // A copy: an engine may take the buffer for its own.
    session = await open(new Uint8Array(bundle.member(graph.file)), graph.file);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError(`the engine cannot open ${graph.file}: ${messageOf(error)}`);
  }
  return new Engine(session, bundle.manifest, graph);
}

/** Whether there is a graph of a role that can be run. */
export function hasGraph(choice: Choice, role: Role): boolean {
  const { manifest } = choice.bundle;
  return manifest.graphs.some((graph) => graph.role === role && isChosen(choice, graph));
}

function graphOf(choice: Choice, role: Role, sensor: string | null): Graph {
  const ofRole = choice.bundle.manifest.graphs.filter(
    (graph) => graph.role === role && graph.sensor === sensor,
  );
  const found = ofRole.find((graph) => isChosen(choice, graph));
  if (found) return found;
  const held = ofRole.map((graph) => graph.file).join(", ") || `no graph of the role ${role}`;
  throw new EngineError(
    `${choice.format} graphs with ${choice.activations} activations are asked for, but this ` +
      `bundle holds ${held}: choose another format, or pack the bundle with it`,
  );
}

function isChosen({ format, activations }: Choice, graph: Graph): boolean {
  // A TFLite graph is the same whatever its activations are called.
  return graph.format === format && (format === "tflite" || graph.activations === activations);
}

/** A tensor of these numbers; as many as the shape says. */
export function tensor(data: Float32Array, ...shape: number[]): Tensor {
  return { data, shape };
}

/** What was observed as the graphs take it: 0 or 1. */
export function ones(observed: Uint8Array, ...shape: number[]): Tensor {
  return { data: Float32Array.from(observed), shape };
}

/** The output of this name, which the engine was found to give. */
export function output(outputs: Tensors, name: string): Tensor {
  return outputs[name] as Tensor;
}

export function product(shape: readonly number[]): number {
  return shape.reduce((all, n) => all * n, 1);
}
