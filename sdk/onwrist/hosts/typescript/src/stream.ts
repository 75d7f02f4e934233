/** A live stream: bursts of samples in as they arrive, predictions out as they come due. */

import type { Engine } from "./engine.js";
import { InputError } from "./errors.js";
import type { Manifest } from "./manifest.js";
import type { Prediction } from "./prediction.js";
import type { Predictor, Runner } from "./predictor.js";
import type { Signal } from "./signals.js";
import type { Grid } from "./window.js";

export type Mode = "step" | "window";

export interface StreamOptions {
  /** Seconds from one prediction to the next; one step, or half a window, if not said. */
  readonly hop?: number;
  /** Seconds that a sample may be older than the newest one and still count; 2 if not said. */
  readonly lateness?: number;
  readonly mode?: Mode;
  /** Nominal native rate in Hz by channel or sensor, where it is not the bundle's. */
  readonly rates?: Record<string, number>;
  readonly midnight?: number;
  readonly impute?: boolean;
}

/** What became of the samples of one channel so far. */
export interface Counters {
  readonly samples: number;
  readonly late: number;
  readonly duplicate: number;
  readonly repaired: number;
}

/** What a model gives its streams. */
export interface Made {
  readonly manifest: Manifest;
  readonly runner: Runner;
  readonly step: Engine | null;
  readonly predictor: Predictor;
}

export class Stream {
  private constructor() {}

  static begin(_made: Made, _options: StreamOptions): Stream {
    throw new InputError("streams are not there yet");
  }

  static async *ofRecording(
    _made: Made,
    _signals: Record<string, Signal>,
    _options: { hop?: number; midnight?: number; impute?: boolean },
  ): AsyncGenerator<Prediction> {
    throw new InputError("recordings are not there yet");
  }

  async push(_name: string, _timestamps: Float64Array, _samples: Float32Array): Promise<Prediction[]> {
    return [];
  }

  async flush(_options: { atLeastOne?: boolean } = {}): Promise<Prediction[]> {
    return [];
  }

  reset(): void {}

  get mode(): Mode {
    return "window";
  }
  get hop(): number {
    return 0;
  }
  get lateness(): number {
    return 0;
  }
  get coverage(): Record<string, number> {
    return {};
  }
  get staleness(): Record<string, number | null> {
    return {};
  }
  get latency(): number | null {
    return null;
  }
  get counters(): Record<string, Counters> {
    return {};
  }
  get window(): Grid {
    return { values: new Float32Array(0), observed: new Uint8Array(0) };
  }
}
