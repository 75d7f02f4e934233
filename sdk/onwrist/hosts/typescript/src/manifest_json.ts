/** The bytes of manifest.json in, checked records out; refused in plain words otherwise. */

import { BundleError, messageOf } from "./errors.js";
import { parseJson, type Parsed } from "./json.js";
import { FORMAT_VERSION, type Manifest } from "./manifest.js";
import { check } from "./manifest_checks.js";
import { readFields } from "./manifest_fields.js";

/**
 * Read and check the bytes of manifest.json.
 *
 * @throws BundleError where it is no JSON, of another format version, or inconsistent.
 */
export function decodeManifest(raw: Uint8Array): Manifest {
  let parsed: Parsed;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    parsed = parseJson(text);
  } catch (error) {
    throw new BundleError(`manifest.json: ${messageOf(error)}`);
  }
  checkVersion(parsed);
  const manifest = readFields(parsed.value, "$", parsed);
  check(manifest);
  return manifest;
}

/** What another version means by its fields is not known, so it is asked for first. */
function checkVersion({ value, fractions }: Parsed): void {
  const version = (value as { format?: unknown } | null)?.format;
  if (!Number.isSafeInteger(version) || fractions.has("$.format")) {
    throw new BundleError("manifest.json: it does not say its format, a whole number");
  }
  if (version === FORMAT_VERSION) return;
  throw new BundleError(
    `manifest.json: this bundle is of format ${version}, and this @onwrist/stream reads format ` +
      `${FORMAT_VERSION} only; ` +
      ((version as number) > FORMAT_VERSION ? "update @onwrist/stream" : "pack the bundle again"),
  );
}
