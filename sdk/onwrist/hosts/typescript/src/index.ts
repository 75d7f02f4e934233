/** Runs `.onwrist` bundles where JavaScript runs: in pages, in workers and in Node. */

export {
  type Bundle,
  fromUrl,
  openBundle,
  openFiles,
  readBundle,
  type ReadFile,
} from "./bundle.js";
export { onnxRuntime, type OrtModule } from "./ort.js";
export type { OpenSession, Session, Tensor } from "./engine.js";
export { BundleError, EngineError, InputError, OnwristError, ParityError } from "./errors.js";
export type * from "./manifest.js";
export { loadModel, type LoadOptions, Model, type PredictOptions } from "./model.js";
export type { Imputed, ModelIdentity, Prediction, SensorState, TaskResult } from "./prediction.js";
export type { DType, GoldenTensor } from "./safetensors.js";
export type { Signal } from "./signals.js";
export type { Mode } from "./settings.js";
export {
  type Counters,
  type FlushOptions,
  type RecordingOptions,
  Stream,
  type StreamOptions,
} from "./stream.js";
export { demandParity, type Verification } from "./verify.js";
export type { Grid } from "./window.js";
