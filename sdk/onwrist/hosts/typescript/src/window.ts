/** One window of samples on the grid in, checked; `values` without NaN and `observed` out. */

import { InputError } from "./errors.js";
import { quoted } from "./words.js";

/** Squares and sums of squares of a window stay finite in float32. */
export const LARGEST = 1e15;
/** The same as a float32, against which samples are held. */
export const LARGEST_SAMPLE = Math.fround(LARGEST);

/** Channels x samples, row by row: values 0 where not observed, observed 0 or 1. */
export interface Grid {
  readonly values: Float32Array;
  readonly observed: Uint8Array;
}

/**
 * Make one window fit for an engine.
 *
 * @param day whether a window is a day, which is then said of another length.
 * @throws InputError for another length or type, or an infinite value.
 */
export function checkWindow(
  values: Float32Array,
  observed: Uint8Array | undefined,
  channels: readonly string[],
  samples: number,
  day: boolean,
): Grid {
  if (!(values instanceof Float32Array)) {
    throw new InputError("values must be a Float32Array of channels x samples, row by row");
  }
  const size = channels.length * samples;
  if (values.length !== size) {
    const points = samples === 1440 ? "minutes" : "grid points";
    const what = day
      ? `a day has ${samples} ${points} of ${channels.length} channels`
      : `this model takes ${channels.length} x ${samples}: ${channels.join(", ")} at ${samples} ` +
        "grid points";
    throw new InputError(`values are ${values.length} numbers; ${what}`);
  }
  if (observed !== undefined && !(observed instanceof Uint8Array && observed.length === size)) {
    throw new InputError(
      `observed must be a Uint8Array of ${size}, like values: 1 where a sample was really seen`,
    );
  }
  const clean = new Float32Array(size);
  const seen = new Uint8Array(size);
  for (let k = 0; k < size; k++) {
    const value = values[k] as number;
    if (Math.abs(value) < LARGEST_SAMPLE) {
      const flag = observed === undefined ? 1 : (observed[k] as number);
      if (flag > 1) {
        throw new InputError(`observed is ${flag} at ${k}; it must be 0 or 1`);
      }
      if (flag) {
        clean[k] = value;
        seen[k] = 1;
      }
    } else if (!Number.isNaN(value)) {
      const channel = quoted(channels[Math.floor(k / samples)] as string);
      throw new InputError(
        `channel ${channel} is ${value} at sample ${k % samples}; a value must be below 1e+15 ` +
          "in magnitude, and NaN where it is missing",
      );
    }
  }
  return { values: clean, observed: seen };
}
