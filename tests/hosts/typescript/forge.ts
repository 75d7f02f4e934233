/** Zips made by hand, where every header field can be set to a lie; bundles to begin with. */

import { createHash } from "node:crypto";

import { crc32 } from "./host.js";
import { bundleOf } from "./shipped.js";

export type Entry = readonly [name: string, data: Uint8Array];
export type Lies = Record<string, number | Uint8Array | undefined>;
export type Change = (manifest: any) => void;

const encoder = new TextEncoder();

export const bytes = (text: string): Uint8Array => encoder.encode(text);

/** Small bytes in place of what a shipped bundle holds, under its own manifest. */
export async function entriesOf(name: string): Promise<Entry[]> {
  const bundle = await bundleOf(name);
  const manifest = JSON.parse(new TextDecoder().decode(bundle.member("manifest.json")));
  const members = Object.keys(manifest.members)
    .sort()
    .map((file): Entry => [file, bytes(`this is ${file}`)]);
  for (const [file, data] of members) {
    const sha256 = createHash("sha256").update(data).digest("hex");
    manifest.members[file] = { bytes: data.length, sha256 };
  }
  return [["manifest.json", bytes(JSON.stringify(manifest))], ...members];
}

/** The entries with another manifest, the members' hashes left right. */
export function withManifest(entries: readonly Entry[], change: Change): Uint8Array {
  const manifest = JSON.parse(new TextDecoder().decode(entries[0]![1]));
  change(manifest);
  return zip([["manifest.json", bytes(JSON.stringify(manifest))], ...entries.slice(1)]);
}

/**
 * A zip of entries.
 *
 * @param victim the entry whose headers lie: `local_X` and `central_X` in one, `X` in both.
 * @param end lies of the end record, and `before` and `comment`, bytes around it.
 */
export function zip(
  entries: readonly Entry[],
  victim = "",
  lies: Lies = {},
  end: Lies = {},
): Uint8Array {
  const body = new Writer();
  const directory = new Writer();
  for (const [name, data] of entries) {
    const mine = name === victim ? lies : {};
    const honest: Record<string, number | Uint8Array> = {
      needed: 20, flags: 0, method: 0, time: 0, date: 0x21, crc: crc32(data), stored: data.length,
      size: data.length, name: bytes(name), extra: new Uint8Array(), comment: new Uint8Array(),
      made: 20, attributes: 0, offset: body.length, signature: 0,
    };
    const field = (where: string, key: string): number =>
      (mine[`${where}_${key}`] ?? mine[key] ?? honest[key]) as number;
    const raw = (where: string, key: string): Uint8Array =>
      (mine[`${where}_${key}`] ?? mine[key] ?? honest[key]) as Uint8Array;
    const common = (to: Writer, where: string): void => {
      for (const key of ["needed", "flags", "method", "time", "date"]) to.u16(field(where, key));
      for (const key of ["crc", "stored", "size"]) to.u32(field(where, key));
      to.u16(raw(where, "name").length).u16(raw(where, "extra").length);
    };
    body.u32(field("local", "signature") || 0x04034b50);
    common(body, "local");
    body.raw(raw("local", "name")).raw(raw("local", "extra")).raw(data);
    body.raw((mine["after"] as Uint8Array) ?? new Uint8Array());
    directory.u32(0x02014b50).u16(field("central", "made"));
    common(directory, "central");
    directory.u16(raw("central", "comment").length).u16(0).u16(0);
    directory.u32(field("central", "attributes")).u32(field("central", "offset"));
    directory.raw(raw("central", "name")).raw(raw("central", "extra")).raw(raw("central", "comment"));
  }
  const gap = (end["gap"] as Uint8Array) ?? new Uint8Array();
  const comment = (end["comment"] as Uint8Array) ?? new Uint8Array();
  const offset = body.length;
  const size = directory.length;
  body.raw(gap).raw(directory.bytes()).raw((end["before"] as Uint8Array) ?? new Uint8Array());
  body.u32(0x06054b50).u16(0).u16(0);
  for (const key of ["here", "entries"]) body.u16((end[key] as number) ?? entries.length);
  body.u32((end["size"] as number) ?? size).u32((end["offset"] as number) ?? offset);
  return body.u16(comment.length).raw(comment).bytes();
}

class Writer {
  #parts: number[] = [];

  get length(): number {
    return this.#parts.length;
  }

  u16(value: number): this {
    this.#parts.push(value & 0xff, (value >>> 8) & 0xff);
    return this;
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16);
  }

  raw(data: Uint8Array): this {
    for (const byte of data) this.#parts.push(byte);
    return this;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}
