/** The shipped bundles and the real engine: what tests of whole models begin with. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import * as ort from "onnxruntime-web/wasm";

import { type Bundle, loadModel, type LoadOptions, type Model, onnxRuntime, openBundle } from "./host.js";

ort.env.wasm.numThreads = 1;

export const NAMES = ["wrist-himae", "wrist-himae-small", "day-lsm2", "body-fusion"];

export const engine = onnxRuntime(ort);

/** ONNX Runtime as it is, without the option that s8 graphs ask for. */
export const floating = onnxRuntime(ort, { extra: {} });

export function bytesOf(name: string): Uint8Array {
  const folder = new URL("../../../sdk/onwrist/bundles/", import.meta.url);
  return new Uint8Array(readFileSync(fileURLToPath(new URL(`${name}.onwrist`, folder))));
}

export function bundleOf(name: string): Promise<Bundle> {
  return openBundle(bytesOf(name));
}

export async function modelOf(name: string, options: LoadOptions = {}): Promise<Model> {
  return loadModel(await bundleOf(name), engine, options);
}
