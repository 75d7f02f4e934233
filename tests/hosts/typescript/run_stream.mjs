/**
 * A stream of a shipped bundle with onnxruntime-web in Node: pushes in, what it told out.
 *
 *     node run_stream.mjs DIST BUNDLE < {"mode", "hop", "pushes": [[name, times, samples], ...]}
 *
 * DIST is the folder that @onwrist/stream was built to.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import * as ort from "onnxruntime-web/wasm";

const [dist, file] = process.argv.slice(2);
const { loadModel, onnxRuntime, openBundle } = await import(pathToFileURL(join(dist, "index.js")));
const { mode, hop, pushes } = JSON.parse(readFileSync(0, "utf-8"));

ort.env.wasm.numThreads = 1;
const model = await loadModel(await openBundle(readFileSync(file)), onnxRuntime(ort));
const stream = model.stream({ mode, hop });
const predictions = [];
for (const [name, times, samples] of pushes) {
  const values = Float32Array.from(samples, (x) => x ?? NaN);
  predictions.push(...(await stream.push(name, Float64Array.from(times), values)));
}
predictions.push(...(await stream.flush()));
const { values, observed } = stream.window;
console.log(
  JSON.stringify({
    predictions: predictions.map((one) => ({ ...one, embedding: one.embedding && [...one.embedding] })),
    counters: stream.counters,
    staleness: stream.staleness,
    latency: stream.latency,
    baseline: [...stream.baseline],
    window: { values: [...values], observed: [...observed] },
  }),
);
