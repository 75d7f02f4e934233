/**
 * onnxruntime-web, handed over by the caller, in; what opens graphs with it out.
 *
 * Only what is used of its interface is described, so that this package needs none of it.
 */

import type { OpenSession, Tensor } from "./engine.js";
import { EngineError } from "./errors.js";

// A module of one function that uses a vector: valid where WebAssembly has SIMD.
const VECTOR = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0],
  ...[65, 0, 253, 15, 253, 98, 11],
);

interface OrtTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
  dispose?(): void;
}

interface OrtSession {
  run(feeds: Record<string, never>): Promise<Record<string, OrtTensor>>;
}

/** What `import * as ort from "onnxruntime-web/wasm"` gives. */
export interface OrtModule {
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => object;
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<unknown>;
  };
}

/** Opens graphs with ONNX Runtime in WebAssembly, in the integers of the graph. */
export function onnxRuntime(ort: OrtModule, options: object = {}): OpenSession {
  return async (model) => {
    demandSimd();
    const session = (await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      logSeverityLevel: 3,
      // Without it s8 convolutions run in float between quantizers, and their last bits
      // round to other integers than those of every other engine.
      extra: { session: { qdqisint8allowed: "1" } },
      ...options,
    })) as OrtSession;
    return {
      async run(inputs) {
        const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [
          name,
          new ort.Tensor("float32", data, shape),
        ]);
        const given = await session.run(Object.fromEntries(feeds) as Record<string, never>);
        const outputs: Record<string, Tensor> = {};
        for (const [name, found] of Object.entries(given)) {
          if (!(found.data instanceof Float32Array)) throw new TypeError(`${name} is not float32`);
          // A copy, as the engine may use its memory again.
          outputs[name] = { data: found.data.slice(), shape: [...found.dims] };
          found.dispose?.();
        }
        return outputs;
      },
    };
  };
}

/** The engine is built for WebAssembly with SIMD, and says little where there is none. */
function demandSimd(): void {
  if (typeof WebAssembly === "undefined") {
    throw new EngineError("there is no WebAssembly here: allow it, or take another browser");
  }
  if (!WebAssembly.validate(VECTOR)) {
    throw new EngineError(
      "WebAssembly has no SIMD here: take Chrome 91, Firefox 89, Safari 16.4 or a later one",
    );
  }
}
