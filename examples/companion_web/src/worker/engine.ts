/** A graph's bytes in, a session of onnxruntime-web out: WebAssembly with SIMD, one thread. */
import { EngineError, onnxRuntime, type OpenSession } from "@onwrist/stream";
import * as ort from "onnxruntime-web/wasm";
import { messageOf } from "../errors";
import { missingFeature } from "../features";

export const ENGINE = `onnxruntime-web ${ort.env.versions.web ?? ""} (WebAssembly, 1 thread)`;

// The page's own origin: nothing is taken from a CDN. One thread needs no cross-origin isolation.
const folder = new URL(`${import.meta.env.BASE_URL}ort/`, self.location.origin).href;
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = {
  mjs: `${folder}ort-wasm-simd-threaded.mjs`,
  wasm: `${folder}ort-wasm-simd-threaded.wasm`,
};
ort.env.logLevel = "error";

const open = onnxRuntime(ort);

export const openSession: OpenSession = async (model, name) => {
  const missing = missingFeature();
  if (missing) throw new EngineError(missing);
  try {
    return await open(model, name);
  } catch (error) {
    throw new EngineError(
      `${name}: onnxruntime-web cannot load it (${messageOf(error)}); reload the page`,
    );
  }
};
