/**
 * A live stream: bursts of samples in as they arrive, predictions out as they come due.
 *
 * What becomes of samples, by what happens on their way; `timeline` has the terms.
 *
 * - In bursts, or out of order within the lateness: the same as in order, one by one.
 * - Later than the lateness: counted as late and dropped.
 * - Twice at one stamp: counted as a duplicate; the smaller value stays, whichever came first.
 * - With jittered stamps: those more than 1/16 period off the line of their clock are moved to
 *   it, 7/16 at most, and counted as repaired. Drift up to 200 ppm moves no stamp.
 * - A clock steps back: what it says again is late or a duplicate. It steps forward: a gap, and
 *   the old time is late from then on. By more than a year: refused as another clock.
 * - A sensor appears late or never: unobserved until then. Nothing waits for it.
 * - A sensor runs ahead of the others by more than the lateness: the others are late.
 *
 * Of minutes no stamp is repaired and no sample filtered: a sample counts in the minute in
 * which it lies, and a minute without one is not observed.
 */

import { arrive, type Piece } from "./arrivals.js";
import { Days } from "./days.js";
import type { Engine } from "./engine.js";
import { EngineError, InputError } from "./errors.js";
import { type Manifest, periodOf } from "./manifest.js";
import { Minutes } from "./minutes.js";
import { imputeOf, midnightOf } from "./options.js";
import type { Prediction } from "./prediction.js";
import type { Predictor, Runner } from "./predictor.js";
import { checkRecording, turns } from "./recorded.js";
import { type Roll, Rolling } from "./rolling.js";
import { allAxes, sensorsOfStream, type Target, targetsOf } from "./sensors.js";
import { checkLateness, hopSamples, noSuchName, ratesOf } from "./settings.js";
import type { Mode, Settings } from "./settings.js";
import type { Signal } from "./signals.js";
import { type Tally, Timeline } from "./timeline.js";
import type { Grid } from "./window.js";
import { quoted, shown } from "./words.js";

const MOST_WAITING = 1024; // calls that may wait for those before them

export interface StreamOptions {
  /** Seconds from one prediction to the next; one step, or half a window, if not said. */
  readonly hop?: number;
  /** Seconds that a sample may be older than the newest one and still count; 2 if not said. */
  readonly lateness?: number;
  /** Steps where the bundle has a graph of them, if not said. */
  readonly mode?: Mode;
  /** Nominal native rate in Hz by channel or sensor, where it is not the bundle's. */
  readonly rates?: Readonly<Record<string, number>>;
  /** Any local midnight on the clock of the samples, of a bundle with tokens. */
  readonly midnight?: number;
  /** Whether to give windows without gaps; they are not if not said. */
  readonly impute?: boolean;
}

export interface RecordingOptions {
  /** Seconds from one window to the next; half a window if not said. Not for days. */
  readonly hop?: number;
  readonly midnight?: number;
  /** Whether to give windows without gaps: days are if not said, other windows are not. */
  readonly impute?: boolean;
}

export interface FlushOptions {
  /** Where samples came, but for less than one window, give one whose rest is unobserved. */
  readonly atLeastOne?: boolean;
}

/** What became of the samples of one channel so far. */
export interface Counters {
  /** Taken; those that are NaN are none. */
  readonly samples: number;
  /** Dropped, since they were older than the newest stamp by more than the lateness. */
  readonly late: number;
  /** Dropped, since there was another at the same stamp. */
  readonly duplicate: number;
  /** Among those resampled so far, with a stamp off the line of the sensor's clock. */
  readonly repaired: number;
}

/** What a model gives its streams. */
export interface Made {
  readonly manifest: Manifest;
  readonly runner: Runner;
  readonly step: Engine | null;
  readonly predictor: Predictor;
}

/** Where a stream is: all of this begins anew with `reset`. */
interface Run {
  readonly timeline: Timeline;
  readonly roll: Roll;
  readonly targets: ReadonlyMap<string, Target>;
}

/**
 * Predictions from samples that arrive in bursts, late, twice or out of order.
 *
 * Calls take turns, so that none must be awaited before the next one is made.
 */
export class Stream<P extends Prediction = Prediction> {
  readonly #made: Made;
  readonly #settings: Settings;
  private run: Run;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  private constructor(made: Made, settings: Settings) {
    this.#made = made;
    this.#settings = settings;
    this.run = this.#begin();
  }

  /** Made by `Model.stream`. */
  static begin<P extends Prediction>(made: Made, options: StreamOptions): Stream<P> {
    const { manifest } = made;
    const mode = options.mode ?? (made.step ? "step" : "window");
    if (mode !== "step" && mode !== "window") {
      throw new InputError(`mode must be 'step' or 'window', not ${shown(mode)}`);
    }
    if (mode === "step" && !made.step) {
      throw new InputError(
        `there is no step graph in ${manifest.name} ${manifest.version}: use mode: 'window'`,
      );
    }
    const midnight = midnightOf(manifest, options.midnight);
    const impute = imputeOf(manifest, options.impute, false);
    const lateness = checkLateness(options.lateness ?? 2);
    const hop = hopSamples(manifest, mode, options.hop);
    const rates = ratesOf(manifest, options.rates);
    return new Stream<P>(made, { mode, hop, lateness, rates, midnight, impute });
  }

  /** The windows of a recording, see `Model.predictRecording`. */
  static async *ofRecording<P extends Prediction>(
    made: Made,
    signals: Readonly<Record<string, Signal>>,
    options: RecordingOptions,
  ): AsyncGenerator<P> {
    const { manifest } = made;
    const days = manifest.tokens !== null;
    const midnight = midnightOf(manifest, options.midnight);
    const impute = imputeOf(manifest, options.impute, true);
    if (days && options.hop !== undefined) {
      throw new InputError(
        `${manifest.name} ${manifest.version} predicts once for each day of a recording; for a ` +
          "hop push the samples to a stream",
      );
    }
    const hop = days ? manifest.samples : hopSamples(manifest, "window", options.hop);
    const used = checkRecording(manifest, signals);
    const rates = manifest.channels.map(({ name, rate }) => used.get(name)?.rate ?? rate);
    const settings = { mode: "window", hop, lateness: 0, rates, midnight, impute } as const;
    const { timeline, roll, targets } = new Stream(made, settings).run;
    for await (const prediction of played(used, timeline, roll, targets, manifest)) {
      const some = Object.values(prediction.coverage).some((share) => share > 0);
      if (some || !days) yield prediction as P;
    }
  }

  #begin(): Run {
    const { manifest, runner, predictor, step } = this.#made;
    const settings = this.#settings;
    const sensors = sensorsOfStream(manifest, settings);
    const { rate, channels, tokens } = manifest;
    const minutes = tokens ? new Minutes(periodOf(manifest), settings.midnight) : null;
    const whole = tokens ? settings.hop : 1;
    const names = channels.map((channel) => channel.name);
    return {
      timeline: new Timeline(sensors, names.length, rate, settings.lateness, minutes, whole),
      roll:
        runner.kind === "day"
          ? new Days(names, settings, runner.chain, predictor)
          : new Rolling(manifest, settings, predictor, settings.mode === "step" ? step : null),
      targets: targetsOf(manifest, sensors),
    };
  }

  /**
   * Take samples of one sensor or channel, and predict what has come due.
   *
   * @param name of a channel, or of a sensor.
   * @param timestamps seconds, in any order, of one clock for all sensors.
   * @param samples one for each stamp; of a sensor of several channels all of them for each
   *   stamp, sample by sample. NaN where missing.
   * @returns predictions in the order of time.
   * @throws InputError where they cannot be used, or the stream was flushed. It is as before.
   * @throws EngineError where the engine failed; `predictions` are those before. The samples
   *   up to there were taken, and the next call tries again.
   */
  push(name: string, timestamps: Float64Array, samples: Float32Array): Promise<P[]> {
    // What waits for its turn must not change meanwhile.
    const [times, values] = [copied(timestamps), copied(samples)];
    return this.#inTurn(async (run, ready) => {
      if (run.timeline.finished) {
        throw new InputError("this stream was flushed; reset() begins anew");
      }
      const target = run.targets.get(name);
      if (!target) throw new InputError(noSuchName(this.#made.manifest, name));
      const { sensor, axis } = target;
      for (const piece of this.#arrived(run, name, target, times, values)) {
        run.timeline.take(sensor, axis === null ? piece : alone(piece, target));
        run.timeline.settleOrigin();
        await collect(run.roll.advance(run.timeline), ready);
      }
    });
  }

  /**
   * Settle every sample, and predict on the windows that they complete.
   *
   * After this nothing can be pushed until `reset`.
   */
  flush(options: FlushOptions = {}): Promise<P[]> {
    const { tokens, samples } = this.#made.manifest;
    const least = options.atLeastOne ? (tokens ? this.#settings.hop : samples) : 0;
    return this.#inTurn(async ({ timeline, roll }, ready) => {
      timeline.finish(least);
      await collect(roll.advance(timeline), ready);
      timeline.countRest();
    });
  }

  /** Begin anew, as a new stream does; calls that wait for their turn are dropped. */
  reset(): void {
    this.run = this.#begin();
  }

  get mode(): Mode {
    return this.#settings.mode;
  }

  /** Seconds from one prediction to the next. */
  get hop(): number {
    return this.#settings.hop / this.#made.manifest.rate;
  }

  /** Seconds that a sample may be older than the newest one. */
  get lateness(): number {
    return this.#settings.lateness;
  }

  /** Share of the last window's grid points that were observed, by channel. */
  get coverage(): Record<string, number> {
    return this.#named((row) => this.run.roll.coverage[row] as number);
  }

  /** Seconds from a channel's last sample to the newest of all; null without one. */
  get staleness(): Record<string, number | null> {
    const { newest, tallies } = this.run.timeline;
    return this.#named((row) => {
      const last = tallies[row]?.last ?? null;
      return last === null ? null : newest - last;
    });
  }

  /** Seconds from the end of the last prediction to the newest sample. */
  get latency(): number | null {
    const { end } = this.run.roll;
    return end === null ? null : this.run.timeline.newest - end;
  }

  /** What became of the samples, by channel. */
  get counters(): Record<string, Counters> {
    return this.#named((row) => {
      const { samples, late, duplicate, repaired } = this.run.timeline.tallies[row] as Tally;
      return { samples, late, duplicate, repaired };
    });
  }

  /** Running mean and scale of each channel, one after the other; NaN where unknown. */
  get baseline(): Float64Array {
    const size = 2 * this.#made.manifest.channels.length;
    return this.run.roll.baseline ?? new Float64Array(size).fill(NaN);
  }

  /** The grid of the last window, for drawing. */
  get window(): Grid {
    const { values, observed } = this.run.roll.grid;
    return { values: values.slice(), observed: observed.slice() };
  }

  #named<T>(of: (row: number) => T): Record<string, T> {
    return Object.fromEntries(this.#made.manifest.channels.map(({ name }, row) => [name, of(row)]));
  }

  #arrived(
    { timeline }: Run,
    name: string,
    { sensor, axis }: Target,
    times: Float64Array,
    samples: Float32Array,
  ): Piece[] {
    const { newest, lateness } = timeline;
    const held = sensor.samples.length;
    const count = axis === null ? sensor.rows.length : 1;
    try {
      return arrive(times, samples, count, { newest, lateness, held, limit: sensor.limit });
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`${quoted(name)}: ${error.message}`);
      throw error;
    }
  }

  /** Do some work once that of the calls before is done. */
  #inTurn(work: (run: Run, ready: Prediction[]) => Promise<void>): Promise<P[]> {
    if (this.#waiting >= MOST_WAITING) {
      const why = `${MOST_WAITING} calls wait for those before them: await some of them first`;
      return Promise.reject(new InputError(why));
    }
    const run = this.run;
    this.#waiting++;
    const result = this.#turn.then(async () => {
      this.#waiting--;
      const ready: P[] = [];
      if (run !== this.run) return ready;
      try {
        await work(run, ready);
      } catch (error) {
        throw error instanceof EngineError ? new EngineError(error.message, ready) : error;
      }
      return ready;
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** The predictions of a whole recording. */
async function* played(
  signals: ReadonlyMap<string, Signal>,
  timeline: Timeline,
  roll: Roll,
  targets: ReadonlyMap<string, Target>,
  manifest: Manifest,
): AsyncGenerator<Prediction> {
  for (const turn of turns(signals, targets)) {
    const floor = timeline.newest - timeline.lateness;
    for (const { sensor, times, rows } of turn) {
      const plain = !rows.some((row) => row.includes(NaN));
      timeline.take(sensor, { times, rows, plain }, floor);
    }
    timeline.settleOrigin();
    yield* roll.advance(timeline);
  }
  timeline.finish(manifest.samples);
  yield* roll.advance(timeline);
}

/** The samples of one axis as those of its sensor. */
function alone({ times, rows }: Piece, { sensor, axis }: Target): Piece {
  const axes = new Map([[axis ?? 0, rows[0] as Float32Array]]);
  return { times, rows: allAxes(sensor, axes, times.length), plain: false };
}

async function collect(from: AsyncGenerator<Prediction>, ready: Prediction[]): Promise<void> {
  for await (const prediction of from) ready.push(prediction);
}

/** A copy of an array; what is none is refused later, in words. */
function copied<T extends ArrayLike<number>>(given: T): T {
  return ArrayBuffer.isView(given) && "slice" in given
    ? ((given as unknown as Float64Array).slice() as unknown as T)
    : given;
}
