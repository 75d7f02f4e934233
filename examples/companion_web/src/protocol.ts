/** What the page and its worker say to each other: plain data that can be cloned. */
import type { Counters, Manifest, Prediction, Verification } from "@onwrist/stream";
import type { NamedFile, Signal } from "./readers/recording";

export type Mode = "window" | "step";
/** Where the numbers are computed: in this page, or by `onwrist serve` on this machine. */
export type Engine = "wasm" | "service";

export type Request =
  | { kind: "bundle"; name: string; url: string; engine: Engine }
  | { kind: "bundle"; name: string; file: Blob; engine: Engine }
  | { kind: "recording"; name: string; url: string }
  | { kind: "recording"; files: NamedFile[] }
  | { kind: "settings"; mode: Mode; speed: number; utcOffset: number }
  | { kind: "play" }
  | { kind: "pause" }
  | { kind: "step" }
  | { kind: "restart" }
  /** A heart-rate strap begins to be listened to, or no longer is. */
  | { kind: "live"; on: boolean }
  | { kind: "beat"; time: number; bpm: number };

export interface BundleFacts {
  name: string;
  hash: string;
  bytes: number;
  manifest: Manifest;
  engine: string;
  /** Golden vectors replayed here; null where another process has proven itself. */
  verification: Verification | null;
  /** Seconds that opening and proving took. */
  seconds: number;
  steps: boolean;
}

export interface RecordingFacts {
  name: string;
  /** Whether it is one that comes with the app, of nobody. */
  simulated: boolean;
  start: number;
  end: number;
  signals: Record<string, Signal>;
  /** Channels that the model takes and that have samples. */
  used: string[];
  events: number[];
  notes: string[];
}

/** How a stream stands, some times a second. */
export interface Status {
  position: number;
  playing: boolean;
  finished: boolean;
  staleness: Record<string, number | null>;
  coverage: Record<string, number>;
  counters: Record<string, Counters>;
}

export interface Predicted {
  prediction: Prediction;
  /** Milliseconds that computing it took; null where it came with others or from elsewhere. */
  milliseconds: number | null;
}

export type Reply =
  | { kind: "bundle"; facts: BundleFacts }
  | { kind: "recording"; facts: RecordingFacts }
  /** Whatever was shown of predictions is of the past. */
  | { kind: "cleared" }
  | { kind: "busy"; what: string | null }
  | { kind: "status"; status: Status }
  | { kind: "predictions"; predictions: Predicted[] }
  /** A day bundle's days, all at once. */
  | { kind: "days"; predictions: Predicted[]; midnight: number; live: boolean }
  | { kind: "error"; about: "bundle" | "recording" | "run"; message: string };
