/**
 * `NAME.onwrist`: the bytes of a file in, its checked members out.
 *
 * `strict_zip` holds the layout of the file; here the manifest and the members are held
 * against each other. Nothing reaches an engine that does not have its SHA-256.
 */

import { BundleError, InputError, messageOf } from "./errors.js";
import { filesOf, type Manifest, MANIFEST_FILE, type Member } from "./manifest.js";
import { decodeManifest } from "./manifest_json.js";
import { type GoldenTensor, readTensors } from "./safetensors.js";
import * as zip from "./strict_zip.js";
import { quoted } from "./words.js";

const MAX_MANIFEST_BYTES = 2 ** 20;

/** An opened bundle, every byte of it checked. */
export interface Bundle {
  /** What the bundle says of itself. */
  readonly manifest: Manifest;
  /** SHA-256 of manifest.json in hex; it covers every member by their hashes. */
  readonly hash: string;
  /** The contents of a file of the bundle, manifest.json included. */
  member(name: string): Uint8Array;
  /** The golden vectors by name. */
  golden(): Map<string, GoldenTensor>;
}

/**
 * Open the bytes of a bundle and check all of them: layout, sizes, hashes and manifest.
 *
 * @throws BundleError where they break a rule of BUNDLE.md.
 */
export async function openBundle(bytes: Uint8Array): Promise<Bundle> {
  if (!(bytes instanceof Uint8Array)) {
    throw new InputError("a bundle is opened from its bytes, a Uint8Array");
  }
  zip.checkLength(bytes.length);
  // What was checked must not change afterwards, so it is kept as it is now.
  const own = new Uint8Array(bytes);
  const entries = zip.readLayout(own);
  const [first, ...rest] = entries as [zip.Entry, ...zip.Entry[]];
  if (first.name !== MANIFEST_FILE) {
    throw new BundleError(`its first entry is ${quoted(first.name)}, not ${MANIFEST_FILE}`);
  }
  if (first.size > MAX_MANIFEST_BYTES) {
    throw new BundleError(`manifest.json is larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  const raw = zip.contents(own, first);
  const manifest = decodeManifest(raw);
  checkNames(
    rest.map((entry) => entry.name),
    filesOf(manifest),
  );
  const members = new Map([[MANIFEST_FILE, raw]]);
  for (const entry of rest) {
    members.set(entry.name, await checked(own, entry, manifest));
  }
  const hash = await sha256(raw);
  return new Opened(manifest, hash, members);
}

/** Open a file that a user chose; one that cannot be a bundle is refused before it is read. */
export async function readBundle(blob: Blob): Promise<Bundle> {
  zip.checkLength(blob.size);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw new BundleError(`it cannot be read: ${messageOf(error)}`);
  }
  return openBundle(bytes);
}

/** Reads a file of an unpacked bundle by its name. */
export type ReadFile = (name: string) => Promise<Uint8Array>;

/** Reads files below an address, such as a folder that the page is served with. */
export function fromUrl(base: string | URL): ReadFile {
  return async (name) => {
    const folder = new URL(base, globalThis.location?.href);
    const response = await fetch(new URL(name, folder));
    if (!response.ok) throw new BundleError(`${name} cannot be had: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
}

/**
 * Open files that were unpacked from a bundle, those of them that are needed.
 *
 * @param hash of the bundle, which its manifest must have: it covers every file.
 * @param names the files beside manifest.json.
 * @throws BundleError where a file is not that of the bundle.
 */
export async function openFiles(
  read: ReadFile,
  hash: string,
  names: readonly string[],
): Promise<Bundle> {
  const raw = await copied(read, MANIFEST_FILE);
  if (raw.length > MAX_MANIFEST_BYTES) {
    throw new BundleError(`manifest.json is larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  const found = await sha256(raw);
  if (found !== hash) {
    throw new BundleError(
      `manifest.json has the SHA-256 ${found}, not ${hash}: of another bundle?`,
    );
  }
  const manifest = decodeManifest(raw);
  const members = new Map([[MANIFEST_FILE, raw]]);
  for (const name of names) {
    const data = await copied(read, name);
    await demandStated(name, data, manifest);
    members.set(name, data);
  }
  return new Opened(manifest, hash, members);
}

async function copied(read: ReadFile, name: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await read(name));
  } catch (error) {
    throw error instanceof BundleError
      ? error
      : new BundleError(`${name} cannot be read: ${messageOf(error)}`);
  }
}

class Opened implements Bundle {
  readonly manifest: Manifest;
  readonly hash: string;
  readonly #members: ReadonlyMap<string, Uint8Array>;

  constructor(manifest: Manifest, hash: string, members: ReadonlyMap<string, Uint8Array>) {
    this.manifest = manifest;
    this.hash = hash;
    this.#members = members;
  }

  member(name: string): Uint8Array {
    const found = this.#members.get(name);
    if (!found) throw new InputError(`the bundle has no member ${quoted(name)}`);
    return found;
  }

  golden(): Map<string, GoldenTensor> {
    const { file } = this.manifest.golden;
    return readTensors(this.member(file), file);
  }
}

async function checked(
  bytes: Uint8Array,
  entry: zip.Entry,
  manifest: Manifest,
): Promise<Uint8Array> {
  demandSize(entry.name, entry.size, manifest);
  const data = zip.contents(bytes, entry);
  await demandStated(entry.name, data, manifest);
  return data;
}

/** A member that does not have its size and SHA-256 reaches no parser and no engine. */
async function demandStated(name: string, data: Uint8Array, manifest: Manifest): Promise<void> {
  const stated = demandSize(name, data.length, manifest);
  if ((await sha256(data)) !== stated.sha256) {
    throw new BundleError(`${name} does not have the SHA-256 of the manifest`);
  }
}

function demandSize(name: string, size: number, manifest: Manifest): Member {
  const stated = Object.hasOwn(manifest.members, name) ? manifest.members[name] : undefined;
  if (!stated) throw new BundleError(`the manifest names no member ${name}`);
  if (size !== stated.bytes) {
    throw new BundleError(`${name} has ${size} bytes, the manifest says ${stated.bytes}`);
  }
  return stated;
}

function checkNames(found: readonly string[], files: readonly string[]): void {
  const missing = files.filter((name) => !found.includes(name));
  if (missing.length) throw new BundleError(`the member ${missing.join(", ")} is missing`);
  const extra = found.filter((name) => !files.includes(name));
  if (extra.length) throw new BundleError(`the manifest names no member ${extra.join(", ")}`);
  if (found.join("/") !== files.join("/")) {
    throw new BundleError(`the members are not in the order ${files.join(", ")}`);
  }
}

/** The SHA-256 of some bytes in lower-case hex. */
export async function sha256(data: Uint8Array): Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) {
    throw new BundleError(
      "its hashes cannot be checked here, as crypto.subtle is missing: serve the page over " +
        "https or from localhost",
    );
  }
  const digest = new Uint8Array(await subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
