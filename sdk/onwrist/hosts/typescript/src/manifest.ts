/**
 * The manifest of a bundle: what a host must know besides the graphs.
 *
 * Records with the field names of manifest.json, and what follows from them;
 * `manifest_json` reads and checks them.
 */

export const FORMAT_VERSION = 1;
export const MANIFEST_FILE = "manifest.json";
export const PARITY_FILE = "parity.json";
export const CARD_FILE = "CARD.md";
export const SCALE = "_scale"; // after a task's name

export type Role = "window" | "step" | "embed" | "encode" | "decode" | "sense" | "fuse";
export type Format = "onnx" | "tflite";
export type Activations = "u8" | "s8";

/** One row of a window, and how it came to be; `rate` is its nominal native rate in Hz. */
export interface Channel {
  readonly name: string;
  readonly sensor: string;
  readonly rate: number;
  readonly unit: string;
  readonly polarity: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly aggregation: "resample" | "mean" | "sum";
  readonly normalization: "window" | "fixed" | "standard" | "log";
  readonly offset: number;
  readonly scale: number;
}

/** Where the mean of one encoder stage lies in the embedding: [start, stop). */
export interface Stage {
  readonly name: string;
  readonly start: number;
  readonly stop: number;
  readonly stride: number;
  readonly receptive_field: number;
}

/** One output, and when it may be believed. */
export interface Task {
  readonly name: string;
  readonly kind: "regression" | "classification";
  readonly unit: string | null;
  readonly labels: readonly string[];
  readonly required: Readonly<Record<string, number>>;
  readonly any_of: Readonly<Record<string, number>>;
  readonly minimum_confidence: number;
}

export interface Graph {
  readonly file: string;
  readonly format: Format;
  readonly activations: Activations;
  readonly role: Role;
  readonly sensor: string | null;
}

/** Time constant in seconds, and grid points of one update. */
export interface BaselineRecord {
  readonly seconds: number;
  readonly samples: number;
}

/** Grid points of one step, and floats of the state between two of them. */
export interface Step {
  readonly samples: number;
  readonly state: number;
}

export interface Group {
  readonly name: string;
  readonly channels: readonly string[];
  readonly least: number;
}

/** How a day is cut into tokens: token t G + g is of group g in patch t. */
export interface Tokens {
  readonly patch: number;
  readonly groups: readonly Group[];
  readonly width: number;
  readonly sizes: readonly number[];
  readonly interpolated: string | null;
}

/** What is asked where just these sensors are live. */
export interface Pattern {
  readonly sensors: readonly string[];
  readonly temperatures: Readonly<Record<string, number>>;
  readonly minimum_confidence: Readonly<Record<string, number>>;
}

export interface Availability {
  readonly least: number;
  readonly patterns: readonly Pattern[];
}

export interface Fusion {
  readonly tokens: number;
  readonly width: number;
  readonly restores: boolean;
}

/** How windows of a sensor usually are: a Gaussian of their features. */
export interface Usual {
  readonly mean: readonly number[];
  readonly whitening: readonly number[];
}

/** What samples of a sensor of motion are held against before they are believed. */
export interface Plausible {
  readonly sensor: string;
  readonly acceleration: readonly [string, string, string];
  readonly turning: readonly [string, string, string];
  readonly gravity: readonly [number, number];
  readonly rest: readonly [number, number];
  readonly turns: readonly [number, number];
  readonly turns_per_g: readonly [number, number];
  readonly run: number;
  readonly rails: readonly [number, number];
  readonly usual: Usual | null;
  readonly turned: number | null;
  readonly exchanged: Readonly<Record<string, number>>;
  readonly alarms: number | null;
}

/** Size and SHA-256 of one file of the bundle. */
export interface Member {
  readonly bytes: number;
  readonly sha256: string;
}

export interface Golden {
  readonly file: string;
  readonly windows: number;
  readonly steps: number;
  readonly tolerance: Readonly<Record<string, number>>;
  readonly loose: Readonly<Record<string, number>>;
}

export interface Manifest {
  readonly format: number;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly licence: string;
  readonly rate: number;
  readonly samples: number;
  readonly channels: readonly Channel[];
  readonly embedding: readonly Stage[];
  readonly tasks: readonly Task[];
  readonly graphs: readonly Graph[];
  readonly baseline: BaselineRecord | null;
  readonly step: Step | null;
  readonly tokens: Tokens | null;
  readonly availability: Availability | null;
  readonly fusion: Fusion | null;
  readonly plausible: readonly Plausible[];
  readonly golden: Golden;
  readonly members: Readonly<Record<string, Member>>;
}

export type Shapes = Map<string, readonly number[]>;

/** Names of the sensors, in the order in which they first appear among the channels. */
export function sensorsOf(manifest: Manifest): string[] {
  return [...new Set(manifest.channels.map((channel) => channel.sensor))];
}

/** The rows of a sensor's channels. */
export function rowsOfSensor(manifest: Manifest, sensor: string): number[] {
  return manifest.channels.flatMap((channel, row) => (channel.sensor === sensor ? [row] : []));
}

/** Whether there is a graph that imputes what was not observed. */
export function imputes(manifest: Manifest): boolean {
  if (manifest.tokens) return manifest.tokens.interpolated !== null;
  return manifest.fusion !== null && manifest.fusion.restores;
}

/** Seconds from one grid point to the next in a bundle with tokens: a whole number. */
export function periodOf(manifest: Manifest): number {
  return Math.round(1 / manifest.rate);
}

/** Every file of the bundle besides the manifest, in the order of the zip. */
export function filesOf(manifest: Manifest): string[] {
  const graphs = manifest.graphs.map((graph) => graph.file);
  return [...new Set([...graphs, manifest.golden.file, PARITY_FILE, CARD_FILE])].sort(byCodePoint);
}

/** Names are ASCII, so that UTF-16 units compare as the bytes of the zip do. */
function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How many grid points, or tokens, the graphs of a role take: each is a variant. */
export function sizesOf(manifest: Manifest, role: Role): readonly number[] {
  const { tokens, step, samples } = manifest;
  if (tokens && role === "embed") return [tokens.patch, samples];
  if (tokens && role === "encode") return tokens.sizes;
  if (step && role === "step") return [step.samples];
  return [samples];
}

/** Shape of each input of a graph by its name, of its largest size if none is given. */
export function inputsOf(
  manifest: Manifest,
  role: Role = "window",
  size?: number,
  sensor?: string | null,
): Shapes {
  const { tokens, fusion, step } = manifest;
  const all = sizesOf(manifest, role);
  const points = size ?? (all[all.length - 1] as number);
  if (tokens && role === "encode") {
    return new Map([
      ["tokens", [1, points, tokens.width]],
      ["slots", [1, points]],
      ["clock", [1, 1]],
    ]);
  }
  if (fusion && (role === "fuse" || role === "decode")) {
    const count = sensorsOf(manifest).length;
    const shapes: Shapes = new Map([
      ["sensed", [1, count * fusion.tokens, fusion.width]],
      ["live", [1, count]],
    ]);
    return role === "fuse" ? joined(shapes, scalesOf(manifest)) : shapes;
  }
  const channels =
    role === "sense" ? rowsOfSensor(manifest, sensor ?? "").length : manifest.channels.length;
  const shapes: Shapes = new Map([
    ["values", [1, channels, points]],
    ["observed", [1, channels, points]],
  ]);
  if (tokens) {
    const count = tokens.sizes[tokens.sizes.length - 1] as number;
    if (role === "embed") return shapes;
    if (role === "decode") {
      shapes.set("encoded", [1, count, tokens.width]).set("present", [1, count]);
      shapes.set("before", [1, points]).set("after", [1, points]);
    }
    return shapes.set("clock", [1, 1]);
  }
  if (role === "sense") return shapes;
  if (manifest.baseline) shapes.set("baseline", [1, channels, 3]);
  if (role === "step" && step) shapes.set("state", [1, step.state]);
  return joined(shapes, scalesOf(manifest));
}

/** Shape of each output of a graph by its name, as `inputsOf`. */
export function outputsOf(manifest: Manifest, role: Role = "window", size?: number): Shapes {
  const { tokens, fusion, step } = manifest;
  const all = sizesOf(manifest, role);
  const points = size ?? (all[all.length - 1] as number);
  if (tokens && role === "embed") {
    const count = Math.floor(points / tokens.patch) * tokens.groups.length;
    return new Map([["tokens", [1, count, tokens.width]]]);
  }
  if (tokens && role === "encode") {
    return answersOf(manifest).set("encoded", [1, points, tokens.width]);
  }
  if (fusion && role === "sense") return new Map([["sensed", [1, fusion.tokens, fusion.width]]]);
  const imputed: Shapes = new Map([["imputed", [1, manifest.channels.length, manifest.samples]]]);
  if (role === "decode") return imputed;
  const answers = answersOf(manifest);
  if (role === "step" && step) return answers.set("next_state", [1, step.state]);
  return role === "window" && imputes(manifest) ? joined(answers, imputed) : answers;
}

/** Shape of the inputs that tell an answering graph 1 / temperature of each task. */
export function scalesOf(manifest: Manifest): Shapes {
  const given = manifest.availability ? manifest.tasks : [];
  return new Map(given.map((task) => [`${task.name}${SCALE}`, [1, 1]]));
}

function answersOf(manifest: Manifest): Shapes {
  const last = manifest.embedding[manifest.embedding.length - 1];
  const shapes: Shapes = new Map([["embedding", [1, last?.stop ?? 0]]]);
  for (const task of manifest.tasks) {
    shapes.set(task.name, [1, task.kind === "regression" ? 2 : task.labels.length]);
  }
  if (manifest.fusion) shapes.set("weights", [1, sensorsOf(manifest).length]);
  return shapes;
}

function joined(a: Shapes, b: Shapes): Shapes {
  return new Map([...a, ...b]);
}
