/** What `predict` returns: plain records, one per window. */

/** Which bundle gave a prediction: its name, version and SHA-256. */
export interface ModelIdentity {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
}

/** The outcome of one task on one window. */
export interface TaskResult {
  /** Of a regression; null when abstained. */
  readonly value: number | null;
  readonly unit: string | null;
  /** Of a classification; null when abstained, as `probabilities` is. */
  readonly label: string | null;
  readonly probabilities: Record<string, number> | null;
  /** Calibrated probability of being right; null when nothing was computed. */
  readonly confidence: number | null;
  readonly abstained: boolean;
  /** Why it abstained, in words; null otherwise. */
  readonly reason: string | null;
}

/** What became of one sensor in one window. */
export interface SensorState {
  /** Share of observed grid points of all its channels. */
  readonly coverage: number;
  /** Whether it counted: enough of it was observed, and it was believed. */
  readonly used: boolean;
  /** How much it counted, all sensors together 1; null without fusion. */
  readonly weight: number | null;
  readonly reason: string | null;
}

/** A window without gaps: what was observed where it was, output of the model elsewhere. */
export interface Imputed {
  readonly values: Float32Array;
  readonly observed: Uint8Array;
}

/**
 * The results of one window; arrays of a window are channels x samples, row by row.
 *
 * Where the bundle is known, its names are those of tasks, channels and sensors.
 */
export interface Prediction<
  Task extends string = string,
  Channel extends string = string,
  Sensor extends string = string,
> {
  readonly tasks: Record<Task, TaskResult>;
  /** Share of observed grid points of each channel. */
  readonly coverage: Record<Channel, number>;
  readonly sensors: Record<Sensor, SensorState>;
  /** The means of all stages; null when nothing was observed. */
  readonly embedding: Float32Array | null;
  /** Seconds on the recording's clock; null if unknown, as `end` is. */
  readonly start: number | null;
  readonly end: number | null;
  readonly imputed: Imputed | null;
  readonly model: ModelIdentity;
}
