/** A JSON value in, the records of a manifest out, every field of the type that it must have. */

import { BundleError } from "./errors.js";
import type { Parsed } from "./json.js";
import type { Manifest } from "./manifest.js";
import { quoted } from "./words.js";

type Read<T> = (value: unknown, path: string, parsed: Parsed) => T;
type Fields<T> = { readonly [K in keyof T]-?: Read<T[K]> };

function wrong(path: string, wanted: string, value: unknown): never {
  throw new BundleError(`manifest.json: expected ${wanted}, got ${kind(value)} at ${path}`);
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? "an array" : "a record";
}

const LONE = /[\u{D800}-\u{DFFF}]/u; // half a character, which UTF-8 cannot hold

const text: Read<string> = (value, path) =>
  typeof value === "string" && !LONE.test(value) ? value : wrong(path, "a text", value);

const flag: Read<boolean> = (value, path) =>
  typeof value === "boolean" ? value : wrong(path, "true or false", value);

/** NaN compares as neither above nor below a threshold, so numbers are finite. */
const real: Read<number> = (value, path) =>
  typeof value === "number" && Number.isFinite(value)
    ? value
    : wrong(path, "a finite number", value);

const whole: Read<number> = (value, path, parsed) =>
  Number.isSafeInteger(value) && !parsed.fractions.has(path)
    ? (value as number)
    : wrong(path, "a whole number", value);

function oneOf<const T extends string>(...choices: T[]): Read<T> {
  return (value, path) =>
    choices.find((choice) => choice === value) ?? wrong(path, choices.join(" or "), value);
}

function list<T>(item: Read<T>, length?: number): Read<readonly T[]> {
  return (value, path, parsed) => {
    if (!Array.isArray(value)) return wrong(path, "an array", value);
    if (length !== undefined && value.length !== length) {
      throw new BundleError(
        `manifest.json: expected an array of ${length}, got ${value.length} at ${path}`,
      );
    }
    return value.map((x, k) => item(x, `${path}[${k}]`, parsed));
  };
}

const pair = list(real, 2) as Read<readonly [number, number]>;
const axes = list(text, 3) as Read<readonly [string, string, string]>;

function entries<T>(item: Read<T>): Read<Record<string, T>> {
  return (value, path, parsed) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return wrong(path, "a record", value);
    }
    const found = Object.entries(value).map(
      ([key, x]) => [key, item(x, `${path}.${key}`, parsed)] as const,
    );
    return Object.fromEntries(found);
  };
}

/** A record of these fields: none may be missing that has no default, and no other be there. */
function record<T>(fields: Fields<T>, defaults: Partial<T> = {}): Read<T> {
  return (value, path, parsed) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return wrong(path, "a record", value);
    }
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key)) {
        throw new BundleError(`manifest.json: it has an unknown field ${key} at ${path}`);
      }
    }
    const found: Partial<T> = {};
    for (const key of Object.keys(fields) as (keyof T & string)[]) {
      if (Object.hasOwn(value, key)) {
        found[key] = fields[key]((value as Record<string, unknown>)[key], `${path}.${key}`, parsed);
      } else if (Object.hasOwn(defaults, key)) {
        found[key] = defaults[key] as T[typeof key];
      } else {
        throw new BundleError(`manifest.json: it lacks the field ${key} at ${path}`);
      }
    }
    return found as T;
  };
}

function orNull<T>(read: Read<T>): Read<T | null> {
  return (value, path, parsed) => (value === null ? null : read(value, path, parsed));
}

const shares = entries(real);

const channel = record<Manifest["channels"][number]>(
  {
    name: text,
    sensor: text,
    rate: real,
    unit: text,
    polarity: text,
    minimum: real,
    maximum: real,
    aggregation: oneOf("resample", "mean", "sum"),
    normalization: oneOf("window", "fixed", "standard", "log"),
    offset: real,
    scale: real,
  },
  { aggregation: "resample", offset: 0, scale: 1 },
);

const stage = record<Manifest["embedding"][number]>({
  name: text,
  start: whole,
  stop: whole,
  stride: whole,
  receptive_field: whole,
});

export const task = record<Manifest["tasks"][number]>(
  {
    name: text,
    kind: oneOf("regression", "classification"),
    unit: orNull(text),
    labels: list(text),
    required: shares,
    any_of: shares,
    minimum_confidence: real,
  },
  { unit: null, labels: [], any_of: {} },
);

const graph = record<Manifest["graphs"][number]>(
  {
    file: text,
    format: oneOf("onnx", "tflite"),
    activations: oneOf("u8", "s8"),
    role: oneOf("window", "step", "embed", "encode", "decode", "sense", "fuse"),
    sensor: orNull(text),
  },
  { role: "window", sensor: null },
);

const tokens = record<NonNullable<Manifest["tokens"]>>(
  {
    patch: whole,
    groups: list(record({ name: text, channels: list(text), least: whole })),
    width: whole,
    sizes: list(whole),
    interpolated: orNull(text),
  },
  { interpolated: null },
);

const availability = record<NonNullable<Manifest["availability"]>>({
  least: real,
  patterns: list(
    record({ sensors: list(text), temperatures: shares, minimum_confidence: shares }),
  ),
});

const plausible = record<Manifest["plausible"][number]>(
  {
    sensor: text,
    acceleration: axes,
    turning: axes,
    gravity: pair,
    rest: pair,
    turns: pair,
    turns_per_g: pair,
    run: real,
    rails: pair,
    usual: orNull(record({ mean: list(real), whitening: list(real) })),
    turned: orNull(real),
    exchanged: shares,
    alarms: orNull(real),
  },
  { usual: null, turned: null, exchanged: {}, alarms: null },
);

const golden = record<Manifest["golden"]>(
  { file: text, windows: whole, steps: whole, tolerance: shares, loose: shares },
  { steps: 0 },
);

/** The manifest of a parsed file; BundleError where a field is unknown, missing or mistyped. */
export const readFields: Read<Manifest> = record<Manifest>(
  {
    format: whole,
    name: text,
    version: text,
    description: text,
    licence: text,
    rate: real,
    samples: whole,
    channels: list(channel),
    embedding: list(stage),
    tasks: list(task),
    graphs: list(graph),
    baseline: orNull(record({ seconds: real, samples: whole })),
    step: orNull(record({ samples: whole, state: whole })),
    tokens: orNull(tokens),
    availability: orNull(availability),
    fusion: orNull(record({ tokens: whole, width: whole, restores: flag })),
    plausible: list(plausible),
    golden,
    members: entries(record({ bytes: whole, sha256: text })),
  },
  { baseline: null, step: null, tokens: null, availability: null, fusion: null, plausible: [] },
);
