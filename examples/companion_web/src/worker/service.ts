/**
 * `onwrist serve` on this machine in, a stream like the page's own out.
 *
 * The protocol is sdk/onwrist/serve/PROTOCOL.md: a WebSocket a stream, pushes with an id, and
 * rows of `onwrist predict --json` back. Only the origin that the page came from is asked.
 */
import type { Counters, Manifest, Prediction, TaskResult } from "@onwrist/stream";
import { AppError } from "../errors";
import type { Mode } from "../protocol";
import type { Pushable } from "./player";

export interface ServiceModel {
  manifest: Manifest;
  hash: string;
  engine: string;
  stream(options: { mode: Mode; rates: Record<string, number> }): Promise<Pushable>;
  close(): void;
}

interface Described {
  name: string;
  version: string;
  hash: string;
  engine: string;
  manifest: Manifest;
}

const STATE_EVERY = 100; // milliseconds
const SERVICE = "the local service (onwrist serve)";

export async function openService(name: string): Promise<ServiceModel> {
  let response: Response;
  try {
    response = await fetch(new URL(`/v1/models/${encodeURIComponent(name)}`, self.location.origin));
  } catch {
    throw new AppError(`${SERVICE} does not answer: start it, or choose WebAssembly`);
  }
  const body = (await response.json().catch(() => ({}))) as Partial<Described> & { error?: string };
  if (!response.ok || !body.manifest) {
    throw new AppError(`${SERVICE}: ${body.error ?? `it answers ${response.status}`}`);
  }
  const described = body as Described;
  let open: ServiceStream | null = null;
  return {
    manifest: described.manifest,
    hash: described.hash,
    engine: `${described.engine} in ${SERVICE}`,
    async stream(options) {
      open?.close();
      open = new ServiceStream(described);
      await open.hello(options);
      return open;
    },
    close() {
      open?.close();
      open = null;
    },
  };
}

type Answer =
  | { prediction: Row }
  | { done: { id: number } }
  | { hello: object }
  | { state: Pick<ServiceStream, "coverage" | "staleness" | "counters"> }
  | { error: string };

/** What `onwrist predict --json` prints: a task has only what its kind has. */
type Row = Omit<Prediction, "embedding" | "imputed" | "model" | "tasks"> & {
  tasks: Record<string, Partial<TaskResult>>;
};

const NOTHING = { value: null, unit: null, label: null, probabilities: null };

class ServiceStream implements Pushable {
  coverage: Record<string, number> = {};
  staleness: Record<string, number | null> = {};
  counters: Record<string, Counters> = {};
  private readonly socket: WebSocket;
  private readonly opened: Promise<void>;
  private id = 0;
  private told = -Infinity;
  private predictions: Prediction[] = [];
  private waiting: { done: () => void; failed: (error: Error) => void } | null = null;
  private ended: Error | null = null;

  constructor(private readonly model: Described) {
    const url = new URL(
      `/v1/models/${encodeURIComponent(model.name)}/stream`,
      self.location.origin,
    );
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.opened = new Promise((done) => (this.socket.onopen = () => done()));
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(String(data)) as Answer);
    this.socket.onclose = ({ code, reason }) => {
      this.ended = new AppError(
        `${SERVICE} ended the stream (${code}${reason && `: ${reason}`}): start it again, or choose WebAssembly`,
      );
      this.waiting?.failed(this.ended);
    };
  }

  async hello(options: { mode: Mode; rates: Record<string, number> }): Promise<void> {
    await this.ask(async () => {
      await this.opened;
      this.socket.send(JSON.stringify({ hello: options }));
    });
  }

  async push(name: string, times: Float64Array, samples: Float32Array): Promise<Prediction[]> {
    const id = ++this.id;
    await this.ask(() => this.socket.send(frame(name, id, times, samples)));
    if (performance.now() - this.told > STATE_EVERY) {
      await this.ask(() => this.socket.send(JSON.stringify({ state: {} })));
      this.told = performance.now();
    }
    return this.taken();
  }

  async flush(options?: { atLeastOne?: boolean }): Promise<Prediction[]> {
    const flush = { at_least_one: options?.atLeastOne ?? false };
    await this.ask(() => this.socket.send(JSON.stringify({ flush, id: ++this.id })));
    return this.taken();
  }

  close(): void {
    this.socket.onclose = null;
    this.socket.close();
  }

  private taken(): Prediction[] {
    const predictions = this.predictions;
    this.predictions = [];
    return predictions;
  }

  /** Send, and wait until what came of it is complete. */
  private ask(send: () => void | Promise<void>): Promise<void> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((done, failed) => {
      this.waiting = { done, failed };
      Promise.resolve(send()).catch(failed);
    });
  }

  private take(answer: Answer): void {
    if ("prediction" in answer) {
      const { name, version, hash } = this.model;
      const model = { name, version, hash };
      const { tasks, ...row } = answer.prediction;
      const whole = Object.entries(tasks).map(([task, result]) => [
        task,
        { ...NOTHING, ...result },
      ]);
      this.predictions.push({
        ...row,
        tasks: Object.fromEntries(whole) as Prediction["tasks"],
        embedding: null,
        imputed: null,
        model,
      });
      return;
    }
    if ("state" in answer) {
      const { coverage, staleness, counters } = answer.state;
      Object.assign(this, { coverage, staleness, counters });
    }
    if ("error" in answer) this.waiting?.failed(new AppError(`${SERVICE}: ${answer.error}`));
    else this.waiting?.done();
    this.waiting = null;
  }
}

/** A push as PROTOCOL.md lays it out in bytes. */
function frame(name: string, id: number, times: Float64Array, samples: Float32Array): ArrayBuffer {
  const text = new TextEncoder().encode(name);
  const padded = 8 * Math.ceil(text.length / 8);
  const stamps = 16 + padded;
  const buffer = new ArrayBuffer(stamps + times.byteLength + samples.byteLength);
  const head = new DataView(buffer);
  head.setUint8(0, 1);
  head.setUint8(1, text.length);
  head.setUint16(2, samples.length / times.length, true);
  head.setUint32(4, times.length, true);
  head.setUint32(8, id, true);
  new Uint8Array(buffer, 16).set(text);
  new Float64Array(buffer, stamps, times.length).set(times);
  new Float32Array(buffer, stamps + times.byteLength, samples.length).set(samples);
  return buffer;
}
