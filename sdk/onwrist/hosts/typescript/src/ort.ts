/**
 * onnxruntime-web, handed over by the caller, in; what opens graphs with it out.
 *
 * Only what is used of its interface is described, so that this package needs none of it.
 */

import type { OpenSession, Tensor } from "./engine.js";

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
