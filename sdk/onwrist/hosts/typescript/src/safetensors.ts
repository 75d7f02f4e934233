/** The bytes of a safetensors file in, its tensors by name out: all of it checked first. */

import { BundleError } from "./errors.js";
import { quoted } from "./words.js";

const TYPES = {
  F32: Float32Array,
  F64: Float64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
} as const;

export type DType = keyof typeof TYPES;

/** One tensor, row by row. */
export interface GoldenTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: InstanceType<(typeof TYPES)[DType]>;
}

const MAX_HEADER = 100_000_000;

/**
 * All tensors of a file.
 *
 * @throws BundleError where header and bytes contradict each other: tensors that overlap,
 *   leave room, or are not as long as their shape.
 */
export function readTensors(bytes: Uint8Array, file: string): Map<string, GoldenTensor> {
  const refuse = (why: string): never => {
    throw new BundleError(`${file} cannot be read: ${why}`);
  };
  if (bytes.length < 8) refuse("it has no header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER || length > bytes.length - 8) refuse("its header is too long");
  let header: unknown;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    header = JSON.parse(decoder.decode(bytes.subarray(8, 8 + length)));
  } catch {
    refuse("its header is not JSON");
  }
  if (!isRecord(header)) return refuse("its header is no record");
  const begin = 8 + length;
  const found: { name: string; dtype: DType; shape: number[]; from: number; to: number }[] = [];
  for (const [name, stated] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (!isRecord(stated)) return refuse(`${quoted(name)} is no record`);
    const { dtype, shape, data_offsets: offsets } = stated;
    if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype)) {
      return refuse(`${quoted(name)} has the type ${String(dtype)}`);
    }
    if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
      return refuse(`${quoted(name)} has no shape or no place`);
    }
    const [from, to] = offsets as [number, number];
    const count = shape.reduce((product, n) => product * n, 1);
    const size = count * TYPES[dtype as DType].BYTES_PER_ELEMENT;
    if (to - from !== size) refuse(`${quoted(name)} is not as long as its shape`);
    found.push({ name, dtype: dtype as DType, shape, from, to });
  }
  found.sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const tensor of found) {
    if (tensor.from !== end) refuse(`${quoted(tensor.name)} does not follow the one before it`);
    end = tensor.to;
  }
  if (begin + end !== bytes.length) refuse("its tensors are not all of it");
  return new Map(
    found.map(({ name, dtype, shape, from, to }) => {
      // A copy begins at a multiple of any element's size.
      const { buffer } = new Uint8Array(bytes.subarray(begin + from, begin + to));
      return [name, { dtype, shape, data: new TYPES[dtype](buffer) }];
    }),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
