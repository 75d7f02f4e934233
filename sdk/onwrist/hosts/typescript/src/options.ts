/** What a caller asks of a model beside samples, checked against what its bundle can do. */

import { baselineInput } from "./baseline.js";
import type { Tensors } from "./engine.js";
import { InputError } from "./errors.js";
import { imputes, type Manifest } from "./manifest.js";
import { checkTime } from "./signals.js";
import { LARGEST } from "./window.js";

/** The graph's `baseline` from mean and scale of each channel; nothing if it takes none. */
export function baselineOf(manifest: Manifest, given: Float64Array | undefined): Tensors {
  const size = 2 * manifest.channels.length;
  if (!manifest.baseline) {
    if (given === undefined) return {};
    throw new InputError(`${manifest.name} ${manifest.version} takes no baseline`);
  }
  const usual = given ?? new Float64Array(size).fill(NaN);
  if (!(usual instanceof Float64Array && usual.length === size)) {
    throw new InputError(
      `baseline must be mean and scale of each channel, a Float64Array of ${size}`,
    );
  }
  usual.forEach((x, k) => {
    if (Math.abs(x) >= LARGEST || (k % 2 && x < 0)) {
      throw new InputError("a baseline is finite, or NaN where unknown, and its scale >= 0");
    }
  });
  return { baseline: baselineInput(usual) };
}

/** A local midnight in seconds; InputError if the model does not ask for it. */
export function midnightOf(manifest: Manifest, given: number | undefined): number {
  if (given === undefined) return 0;
  if (!manifest.tokens) {
    throw new InputError(
      `${manifest.name} ${manifest.version} does not ask for the time of day: leave out midnight`,
    );
  }
  return checkTime(given);
}

/** Whether to impute; if nothing is said, days are if `days`, and other windows are not. */
export function imputeOf(manifest: Manifest, given: boolean | undefined, days: boolean): boolean {
  if (given === undefined) return days && manifest.tokens !== null && imputes(manifest);
  if (typeof given !== "boolean") {
    throw new InputError(`impute must be true or false, not ${String(given)}`);
  }
  if (!imputes(manifest)) {
    throw new InputError(
      `${manifest.name} ${manifest.version} cannot impute: leave out impute`,
    );
  }
  return given;
}

/** When a window begins; InputError if it is not said of a day. */
export function startOf(manifest: Manifest, given: number | undefined): number | null {
  if (given === undefined && manifest.tokens) {
    throw new InputError(
      `${manifest.name} ${manifest.version} asks for the time of day: say when the window begins ` +
        "by start, in seconds of local time, or with midnight",
    );
  }
  return given === undefined ? null : checkTime(given);
}
