/**
 * The strict zip profile of a bundle: bytes in, entries out.
 *
 * The reader goes through the file once, in order, and compares each header with the one
 * that the contents must have, so that every byte of an accepted file is accounted for.
 */

import { BundleError } from "./errors.js";
import { quoted } from "./words.js";

export const MAX_BYTES = 512 * 2 ** 20;
export const MAX_ENTRIES = 64;
export const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const ZIP64_END = 0x06064b50;
const FIRST_DATE = 0x21; // 1 January 1980, the earliest that zip can state

type Field = readonly [name: string, bytes: 2 | 4];

const COMMON: readonly Field[] = [
  ["version needed", 2],
  ["flags", 2],
  ["compression method", 2],
  ["time", 2],
  ["date", 2],
  ["CRC-32", 4],
  ["compressed size", 4],
  ["size", 4],
  ["name length", 2],
  ["extra field length", 2],
];
const LOCAL_FIELDS: readonly Field[] = [["signature", 4], ...COMMON];
const CENTRAL_FIELDS: readonly Field[] = [
  ["signature", 4],
  ["version made by", 2],
  ...COMMON,
  ["comment length", 2],
  ["disk number", 2],
  ["internal attributes", 2],
  ["external attributes", 4],
  ["offset", 4],
];
const END_FIELDS: readonly Field[] = [
  ["signature", 4],
  ["disk number", 2],
  ["directory's disk", 2],
  ["entries on this disk", 2],
  ["entries", 2],
  ["directory size", 4],
  ["directory offset", 4],
  ["comment length", 2],
];
const LOCAL_SIZE = 30;

export interface Entry {
  readonly name: string;
  readonly crc: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
}

/** All entries, once every header and the room between them is as it must be. */
export function readLayout(bytes: Uint8Array): Entry[] {
  checkLength(bytes.length);
  const source = new Source(bytes);
  const entries: Entry[] = [];
  const names = new Set<string>();
  let signature = source.peek("a header");
  while (signature === LOCAL) {
    const entry = readLocal(source);
    if (names.has(entry.name)) {
      throw new BundleError(`the entry ${quoted(entry.name)} appears twice`);
    }
    names.add(entry.name);
    entries.push(entry);
    if (entries.length > MAX_ENTRIES) {
      throw new BundleError(`it has more than ${MAX_ENTRIES} entries`);
    }
    signature = source.peek("a header");
  }
  if (!entries.length) {
    const start = String.fromCharCode(...bytes.subarray(0, 4));
    throw new BundleError(`it starts with ${quoted(start)}, so it is not a bundle`);
  }
  const directory = source.offset;
  for (const entry of entries) {
    const where = `the directory entry of ${quoted(entry.name)}`;
    compare(source.record(CENTRAL_FIELDS, where), central(entry), CENTRAL_FIELDS, where);
    const name = source.text(entry.name.length, where);
    if (name !== entry.name) throw new BundleError(`${where} has the name ${quoted(name)}`);
  }
  if (source.peek("the end record") === ZIP64_END) {
    throw new BundleError("it is a zip64 file, which a bundle never is");
  }
  const where = "the end record";
  const size = source.offset - directory;
  const must = [END, 0, 0, entries.length, entries.length, size, directory, 0];
  compare(source.record(END_FIELDS, where), must, END_FIELDS, where);
  if (source.offset !== bytes.length) {
    const rest = bytes.length - source.offset;
    throw new BundleError(`${rest} bytes follow its end record, so it is not a bundle`);
  }
  return entries;
}

/** Refuse a file that is too long, before it is read. */
export function checkLength(length: number): void {
  if (length > MAX_BYTES) {
    throw new BundleError(`it has ${length} bytes, and a bundle at most ${MAX_BYTES}`);
  }
}

/** What an entry holds, once its CRC-32 was found to be right. */
export function contents(bytes: Uint8Array, entry: Entry): Uint8Array {
  const start = entry.offset + LOCAL_SIZE + entry.name.length;
  const data = bytes.subarray(start, start + entry.size);
  if (crc32(data) !== entry.crc) {
    throw new BundleError(`${entry.name} does not have the CRC-32 of its header`);
  }
  return data;
}

class Source {
  offset = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.offset;
  }

  peek(what: string): number {
    this.#demand(4, what);
    return this.#view.getUint32(this.offset, true);
  }

  record(fields: readonly Field[], what: string): number[] {
    this.#demand(
      fields.reduce((sum, [, bytes]) => sum + bytes, 0),
      what,
    );
    return fields.map(([, bytes]) => {
      const at = this.offset;
      this.offset += bytes;
      return bytes === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
    });
  }

  text(length: number, what: string): string {
    this.#demand(length, what);
    const raw = this.#bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    let text = "";
    for (const byte of raw) text += String.fromCharCode(byte);
    return text;
  }

  #demand(count: number, what: string): void {
    if (count > this.left) {
      const length = this.#bytes.length;
      throw new BundleError(`it is truncated: it ends at byte ${length}, within ${what}`);
    }
  }
}

function readLocal(source: Source): Entry {
  const offset = source.offset;
  let where = `the entry at byte ${offset}`;
  const found = source.record(LOCAL_FIELDS, where);
  const [, , flags = 0, method, , , crc = 0, , size = 0, nameLength = 0, extra] = found;
  const name = source.text(nameLength, where);
  if (!FILE_NAME.test(name)) {
    throw new BundleError(`${where} has the name ${quoted(name)}, which is no plain file name`);
  }
  where = `the entry ${quoted(name)}`;
  if (method) {
    throw new BundleError(`${where} is compressed; a bundle stores its entries as they are`);
  }
  if (flags & 8) {
    throw new BundleError(`${where} has a data descriptor, which a bundle never has`);
  }
  if (size === 0xffffffff || extra) {
    throw new BundleError(`${where} has zip64 sizes or extra fields, which a bundle never has`);
  }
  const entry = { name, crc, size, offset };
  compare(found, [LOCAL, ...common(entry)], LOCAL_FIELDS, where);
  if (size > source.left) {
    throw new BundleError(
      `it is truncated: ${where} claims ${size} bytes, and ${source.left} follow`,
    );
  }
  source.offset += size;
  return entry;
}

function common(entry: Entry): number[] {
  const { crc, size, name } = entry;
  return [20, 0, 0, 0, FIRST_DATE, crc, size, size, name.length, 0];
}

function central(entry: Entry): number[] {
  return [CENTRAL, 20, ...common(entry), 0, 0, 0, 0, entry.offset];
}

function compare(
  found: readonly number[],
  expected: readonly number[],
  fields: readonly Field[],
  where: string,
): void {
  fields.forEach(([field], k) => {
    if (found[k] !== expected[k]) {
      throw new BundleError(`${where} has the ${field} ${found[k]}, not ${expected[k]}`);
    }
  });
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The CRC-32 of zip. */
export function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (let k = 0; k < data.length; k++) {
    value = (CRC_TABLE[(value ^ (data[k] as number)) & 0xff] as number) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
