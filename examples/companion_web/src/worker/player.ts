/**
 * A recording in, its samples pushed into a stream as time goes by; predictions out.
 *
 * All sensors get to the same time before any goes on, so nothing is late that was not late in
 * the recording. Played at any speed, or all at once, the stream gives the same predictions.
 */
import type { Counters, Manifest, Prediction } from "@onwrist/stream";
import { endOf, startOf, type Recording } from "../readers/recording";
import type { Predicted, Status } from "../protocol";
import { take, tracksOf, type Track } from "./tracks";

/** What a player needs of a stream, here or in another process. */
export interface Pushable {
  push(name: string, times: Float64Array, samples: Float32Array): Promise<Prediction[]>;
  flush(options?: { atLeastOne?: boolean }): Promise<Prediction[]>;
  readonly staleness: Record<string, number | null>;
  readonly coverage: Record<string, number>;
  readonly counters: Record<string, Counters>;
}

const TICK = 50; // milliseconds between two looks at the clock
const STATUS_EVERY = 100; // milliseconds
// Seconds by which one sensor may run ahead of the others: less than the stream's lateness, or
// what the others bring would come too late.
const SLICE = 0.5;
const BURST = 5 * SLICE; // at a time where there is nothing to wait for

export class Player {
  speed = 1;
  private position: number;
  private finished = false;
  private playing = false;
  private told = 0;
  private running: Promise<void> = Promise.resolve();
  private readonly tracks: Track[];
  private readonly end: number;

  constructor(
    manifest: Manifest,
    recording: Recording,
    private readonly stream: Pushable,
    private readonly onPredictions: (predictions: Predicted[]) => void,
    private readonly onStatus: (status: Status) => void,
    private readonly onFailure: (error: unknown) => void,
  ) {
    const known = new Set(manifest.channels.map((channel) => channel.name));
    const used = Object.entries(recording.signals).filter(([name]) => known.has(name));
    const own = { ...recording, signals: Object.fromEntries(used) };
    this.tracks = tracksOf(manifest, own.signals);
    this.position = startOf(own);
    this.end = endOf(own);
    this.tell();
  }

  play(): void {
    if (this.playing || this.finished) return;
    this.playing = true;
    this.work(() => this.keepGoing());
  }

  /** Stop after what is being computed. */
  async pause(): Promise<void> {
    this.playing = false;
    await this.running;
    this.tell();
  }

  /** Go on to the next prediction. */
  async step(): Promise<void> {
    await this.pause();
    this.work(async () => {
      let found = 0;
      while (!found && !this.finished) found = await this.slice(this.position + SLICE);
      this.tell();
    });
    await this.running;
  }

  private work(task: () => Promise<void>): void {
    this.running = this.running.then(task).catch((error: unknown) => {
      this.playing = false;
      this.finished = true;
      this.onFailure(error);
      this.tell();
    });
  }

  private async keepGoing(): Promise<void> {
    let before = performance.now();
    while (this.playing && !this.finished) {
      const now = performance.now();
      const passed = ((now - before) / 1000) * this.speed;
      before = now;
      await this.advance(this.position + (Number.isFinite(passed) ? passed : BURST));
      if (performance.now() - this.told >= STATUS_EVERY) this.tell();
      await (this.speed === Infinity ? turn() : sleep(TICK));
    }
    this.playing = false;
    this.tell();
  }

  private async advance(until: number): Promise<void> {
    while (this.position < until && !this.finished) {
      await this.slice(Math.min(until, this.position + SLICE));
    }
  }

  /** Push everything up to `until`; how many predictions that gave. */
  private async slice(until: number): Promise<number> {
    let found = 0;
    for (const track of this.tracks) {
      const piece = take(track, until);
      if (piece) found += await this.timed(() => this.stream.push(track.name, ...piece));
    }
    this.position = Math.min(until, this.end);
    if (until >= this.end) {
      found += await this.timed(() => this.stream.flush({ atLeastOne: true }));
      this.finished = true;
    }
    return found;
  }

  private async timed(work: () => Promise<Prediction[]>): Promise<number> {
    const before = performance.now();
    const predictions = await work();
    const each = (performance.now() - before) / predictions.length;
    if (predictions.length) {
      this.onPredictions(predictions.map((prediction) => ({ prediction, milliseconds: each })));
    }
    return predictions.length;
  }

  private tell(): void {
    this.told = performance.now();
    const { staleness, coverage, counters } = this.stream;
    const { position, playing, finished } = this;
    this.onStatus({ position, playing, finished, staleness, coverage, counters });
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Let messages in, without the 4 ms that a timer takes at least. */
function turn(): Promise<void> {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });
}
