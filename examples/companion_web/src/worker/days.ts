/** A bundle of days: a recording's days at once, and live beats per minute as today so far. */
import type { Model } from "@onwrist/stream";
import type { Predicted, Reply } from "../protocol";
import { Growing } from "../readers/numbers";
import type { Signal } from "../readers/recording";

const REDRAW_EVERY = 2000; // milliseconds between two predictions on live beats

type Post = (reply: Reply) => void;

/** One prediction for each local day of the recording, with what the model imputes. */
export async function predictDays(
  model: Model,
  signals: Record<string, Signal>,
  midnight: number,
): Promise<Predicted[]> {
  const days: Predicted[] = [];
  let before = performance.now();
  for await (const prediction of model.predictRecording(signals, { midnight, impute: true })) {
    days.push({ prediction, milliseconds: performance.now() - before });
    before = performance.now();
  }
  return days;
}

/** Beats per minute of a strap, kept for as long as the page lives; the day is predicted anew. */
export class LiveDay {
  private readonly times = new Growing();
  private readonly values = new Growing();
  private busy = false;
  private told = -Infinity;

  constructor(
    private readonly model: Model,
    private readonly post: Post,
  ) {}

  async beat(time: number, bpm: number): Promise<void> {
    if (!(time > this.newest) || !Number.isFinite(bpm)) return;
    this.newest = time;
    this.times.push(time);
    this.values.push(bpm);
    if (this.busy || performance.now() - this.told < REDRAW_EVERY) return;
    this.busy = true;
    try {
      const values = Float32Array.from(this.values.done());
      const signals = { heart_rate: { times: this.times.done(), values, rate: 1 } };
      // Local midnights lie this far behind those of UTC, on which the clock counts.
      const midnight = 60 * new Date().getTimezoneOffset();
      const predictions = await predictDays(this.model, signals, midnight);
      this.post({ kind: "days", predictions, midnight, live: true });
    } finally {
      this.told = performance.now();
      this.busy = false;
    }
  }

  private newest = -Infinity;
}
