/** What the checks of a manifest are made of: each throws BundleError in plain words. */

import { BundleError } from "./errors.js";
import { quoted } from "./words.js";

export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function demand(holds: boolean, problem: string): void {
  if (!holds) throw new BundleError(`manifest.json: ${problem}`);
}

export function unique(what: string, names: Iterable<string>): void {
  const seen = new Set<string>();
  for (const name of names) {
    demand(!seen.has(name), `${what} ${quoted(name)} appears twice`);
    seen.add(name);
  }
}

export function pattern(what: string, value: string, must: RegExp): void {
  const plain = must.source.slice(1, -1); // without ^ and $
  demand(must.test(value), `${what} is ${quoted(value)}, which does not match ${plain}`);
}

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

export function printable(what: string, value: string): void {
  const plain = !UNPRINTABLE.test(value.replaceAll("\n", ""));
  demand(
    plain && [...value].length <= 10_000,
    `${what} must be at most 10000 printable characters, not ${quoted(value)}`,
  );
}

export function share(what: string, value: number): void {
  demand(value >= 0 && value <= 1, `${what} must be between 0 and 1, not ${value}`);
}
