/**
 * What was observed of a day in, what its graphs are told of it out.
 *
 * Which patches are tokens and in which slots, how many the encoder must take, the nearest
 * observed grid points, and the time of day.
 */

import { InputError } from "./errors.js";
import { type Manifest, periodOf, type Tokens } from "./manifest.js";
import { general } from "./words.js";

/** Time stamps on the Unix epoch step by 0.24 us; within this, two times are one. */
export const SAME_TIME = 1e-6;

/** How the windows of a bundle are cut into tokens: token t G + g is group g in patch t. */
export class Cut {
  constructor(
    /** Grid points of a window, and of a patch. */
    readonly samples: number,
    readonly patch: number,
    /** Rows of the channels of each group. */
    readonly rows: readonly (readonly number[])[],
    /** At how many grid points of a patch any of them must be observed. */
    readonly least: readonly number[],
    readonly width: number,
    /** How many tokens the encoder can take, ascending. */
    readonly sizes: readonly number[],
    /** Row of the channel whose nearest grid points the decoder is told. */
    readonly interpolated: number | null,
    /** Seconds from one grid point to the next. */
    readonly period: number,
  ) {}

  static of(manifest: Manifest): Cut {
    const tokens = manifest.tokens as Tokens;
    const row = new Map(manifest.channels.map((channel, k) => [channel.name, k]));
    return new Cut(
      manifest.samples,
      tokens.patch,
      tokens.groups.map((group) => group.channels.map((name) => row.get(name) as number)),
      tokens.groups.map((group) => group.least),
      tokens.width,
      tokens.sizes,
      tokens.interpolated === null ? null : (row.get(tokens.interpolated) as number),
      periodOf(manifest),
    );
  }

  /** Patches of a window, and of a day. */
  get patches(): number {
    return this.samples / this.patch;
  }

  /** Tokens of a window. */
  get most(): number {
    return this.patches * this.rows.length;
  }

  /** Which tokens there are, 0 or 1: `observed` of whole patches, channels x points, in. */
  present(observed: Uint8Array, points: number): Uint8Array {
    const patches = Math.floor(points / this.patch);
    const groups = this.rows.length;
    const there = new Uint8Array(patches * groups);
    for (let t = 0; t < patches; t++) {
      this.rows.forEach((rows, g) => {
        let count = 0;
        for (let k = t * this.patch; k < (t + 1) * this.patch; k++) {
          if (rows.some((row) => observed[row * points + k])) count++;
        }
        there[t * groups + g] = count >= (this.least[g] as number) ? 1 : 0;
      });
    }
    return there;
  }

  /**
   * The token of each row that the encoder takes, ascending, and -1 in what is left: as many
   * rows as the smallest of `sizes` that holds all tokens.
   */
  slots(present: Uint8Array): number[] {
    const there = [...present.keys()].filter((token) => present[token]);
    const size = this.sizes.find((n) => n >= there.length) as number;
    return [...there, ...new Array<number>(size - there.length).fill(-1)];
  }

  /**
   * The patch of the local day that a window begins with.
   *
   * @param midnight any local midnight, in seconds on the clock of `start`.
   * @throws InputError where the window does not begin at a patch.
   */
  clock(start: number, midnight: number): number {
    const seconds = this.patch * this.period;
    const patch = Math.round((start - midnight) / seconds);
    const off = start - midnight - patch * seconds;
    if (Math.abs(off) > SAME_TIME) {
      throw new InputError(
        `a window begins at a multiple of ${spoken(seconds)} after midnight, and start=${start} ` +
          `is ${general(modulo(off, seconds))} s past one (midnight=${midnight}): state the ` +
          "midnight of its clock, or choose another start",
      );
    }
    return modulo(patch, this.patches);
  }
}

/** The nearest observed grid point at or before, and at or after, each: -1 and the count else. */
export function nearest(observed: Uint8Array): { before: Float32Array; after: Float32Array } {
  const count = observed.length;
  const before = new Float32Array(count);
  const after = new Float32Array(count);
  for (let k = 0, last = -1; k < count; k++) {
    if (observed[k]) last = k;
    before[k] = last;
  }
  for (let k = count - 1, next = count; k >= 0; k--) {
    if (observed[k]) next = k;
    after[k] = next;
  }
  return { before, after };
}

/** The remainder that is never below 0. */
export function modulo(value: number, by: number): number {
  const rest = value % by;
  return rest < 0 ? rest + by : rest + 0;
}

function spoken(seconds: number): string {
  return seconds % 60 === 0 ? `${general(seconds / 60)} minutes` : `${general(seconds)} s`;
}
