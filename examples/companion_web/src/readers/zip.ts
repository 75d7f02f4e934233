/** A zip file in, its CSV members out, read as they are needed and never whole. */
import { AppError } from "../errors";
import type { NamedFile } from "./recording";

const LARGEST_MEMBER = 1 << 28; // 60 hours of an E4's BVP.csv are 0.1 GB
const LARGEST_DIRECTORY = 1 << 22;

/** The CSV files of a zip, at its root or in folders; __MACOSX is left out. */
export async function csvMembers(where: string, zip: Blob): Promise<NamedFile[]> {
  const broken = (what: string) =>
    new AppError(`${where}: not a readable zip (${what}); make it again or drop the folder`);
  const tailLength = Math.min(zip.size, 22 + 0xffff);
  const tail = await viewOf(zip.slice(zip.size - tailLength));
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw broken("it has no directory");
  const entries = tail.getUint16(end + 10, true);
  const size = tail.getUint32(end + 12, true);
  const offset = tail.getUint32(end + 16, true);
  if (size > LARGEST_DIRECTORY || offset + size > zip.size)
    throw broken("its directory is damaged");
  const directory = await viewOf(zip.slice(offset, offset + size));
  const found = new Map<string, NamedFile>();
  let at = 0;
  for (let entry = 0; entry < entries; entry++) {
    if (at + 46 > size || directory.getUint32(at, true) !== 0x02014b50) {
      throw broken("its directory is damaged");
    }
    const flags = directory.getUint16(at + 8, true);
    const method = directory.getUint16(at + 10, true);
    const packed = directory.getUint32(at + 20, true);
    const unpacked = directory.getUint32(at + 24, true);
    const nameLength = directory.getUint16(at + 28, true);
    const skipped = directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    const header = directory.getUint32(at + 42, true);
    if (at + 46 + nameLength > size) throw broken("its directory is damaged");
    const raw = new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength);
    const path = new TextDecoder().decode(raw);
    at += 46 + nameLength + skipped;
    if (!path.endsWith(".csv") || path.split("/")[0] === "__MACOSX") continue;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (found.has(name)) {
      throw new AppError(`${where}: ${name} is there twice; zip one export alone`);
    }
    if (flags & 1) throw new AppError(`${where}: ${name} is encrypted; zip it without a password`);
    if (unpacked > LARGEST_MEMBER) {
      throw new AppError(`${where}: ${name} has ${unpacked} bytes, more than any E4 records`);
    }
    if (method !== 0 && method !== 8) throw broken(`${name} is packed by method ${method}`);
    const local = await viewOf(zip.slice(header, header + 30));
    if (local.byteLength < 30 || local.getUint32(0, true) !== 0x04034b50) {
      throw broken(`${name} is not where it should be`);
    }
    const begin = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    const bytes = zip.slice(begin, begin + packed);
    if (bytes.size !== packed) throw broken(`${name} is cut short`);
    const file = method === 0 ? bytes : await inflated(bytes, unpacked).catch(() => undefined);
    if (!file) throw broken(`${name} is damaged`);
    found.set(name, { path: name, file });
  }
  return [...found.values()];
}

/** The unpacked bytes; refused as soon as they are more than the directory says. */
async function inflated(bytes: Blob, size: number): Promise<Blob> {
  const stream = bytes.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const reader = stream.getReader();
  const parts: BlobPart[] = [];
  let taken = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    taken += value.byteLength;
    if (taken > size) {
      await reader.cancel();
      throw new Error("longer than its directory says");
    }
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
  if (taken !== size) throw new Error("shorter than its directory says");
  return new Blob(parts);
}

async function viewOf(blob: Blob): Promise<DataView> {
  return new DataView(await blob.arrayBuffer());
}
