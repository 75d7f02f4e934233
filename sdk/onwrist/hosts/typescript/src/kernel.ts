/** Native rate and grid rate in, the running integral of the low-pass kernel out, tabulated. */

import { rounded } from "./sorted.js";

// Measured at 25 Hz from 26 to 500 Hz: within 0.05 dB up to 8 Hz, at least 46 dB down from
// 12.5 Hz on.
export const HALF_WIDTH = 9; // periods of the slower of the two rates, to each side
const CUTOFF = 0.41; // of the grid's rate
const KAISER_BETA = 5;
const TABLE_STEPS = 512; // per period of the slower rate: the table's error is below 1e-6

/**
 * A sample stands for the time that is nearer to it than to its neighbours; its weight is the
 * integral over that time. The weights of a grid point sum to one, so constants stay constant.
 */
export interface Kernel {
  /** Seconds. */
  readonly halfWidth: number;
  /** Seconds from the kernel's middle to the table's first entry, doubled. */
  readonly startTwice: number;
  /** Entries a second, halved. */
  readonly scaleHalf: number;
  /** The integral from minus infinity; the last two entries are all of it. */
  readonly table: Float64Array;
  /** From each entry to the next. */
  readonly slope: Float64Array;
}

const known = new Map<string, Kernel>();
const MOST_KNOWN = 64;

export function kernelOf(rate: number, gridRate: number): Kernel {
  const key = `${rate}/${gridRate}`;
  let kernel = known.get(key);
  if (!kernel) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(key, (kernel = make(rate, gridRate)));
  }
  return kernel;
}

function make(rate: number, gridRate: number): Kernel {
  const slower = Math.min(rate, gridRate);
  const cutoff = rate > gridRate ? CUTOFF * gridRate : rate / 2;
  const halfWidth = HALF_WIDTH / slower;
  const taps = Math.ceil(halfWidth * rate) + 1;
  const steps = Math.max(1, rounded((TABLE_STEPS * slower) / rate));
  const rows = 2 * taps + 1;
  const tap = new Float64Array(rows * steps);
  for (let k = 0; k < tap.length; k++) {
    const distance = (k - taps * steps) / steps / rate;
    const inside = Math.max(1 - (distance / halfWidth) ** 2, 0);
    const window = inside > 0 ? bessel(KAISER_BETA * Math.sqrt(inside)) / bessel(KAISER_BETA) : 0;
    tap[k] = ((2 * cutoff) / rate) * sinc(2 * cutoff * distance) * window;
  }
  // Each row is one period of the filter; adding up the rows makes the difference between two
  // points that are one period apart exactly the tap between them.
  const table = new Float64Array(tap.length + 1);
  for (let column = 0; column < steps; column++) {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += tap[row * steps + column] as number;
    let upto = 0;
    for (let row = 0; row < rows; row++) {
      upto += (tap[row * steps + column] as number) / sum;
      table[row * steps + column] = upto;
    }
  }
  table[tap.length] = table[tap.length - 1] as number;
  const slope = Float64Array.from(tap, (_, k) => (table[k + 1] as number) - (table[k] as number));
  // The sum up to the tap at one distance is the integral up to the end of its cell.
  const start = (0.5 - taps) / rate;
  return { halfWidth, startTwice: 2 * start, scaleHalf: (rate * steps) / 2, table, slope };
}

function sinc(x: number): number {
  const y = Math.PI * (x === 0 ? 1e-20 : x);
  return Math.sin(y) / y;
}

// Chebyshev coefficients of the modified Bessel function of order 0 on [0, 8], of Cephes.
const COEFFICIENTS = [
  -4.4153416464793395e-18, 3.3307945188222384e-17, -2.431279846547955e-16, 1.715391285555133e-15,
  -1.1685332877993451e-14, 7.676185498604936e-14, -4.856446783111929e-13, 2.95505266312964e-12,
  -1.726826291441556e-11, 9.675809035373237e-11, -5.189795601635263e-10, 2.6598237246823866e-9,
  -1.300025009986248e-8, 6.046995022541919e-8, -2.670793853940612e-7, 1.1173875391201037e-6,
  -4.4167383584587505e-6, 1.6448448070728896e-5, -5.754195010082104e-5, 1.8850288509584165e-4,
  -5.763755745385824e-4, 1.6394756169413357e-3, -4.324309995050576e-3, 1.0546460394594998e-2,
  -2.373741480589947e-2, 4.930528423967071e-2, -9.490109704804764e-2, 1.7162090152220877e-1,
  -3.0468267234319843e-1, 6.767952744094761e-1,
];

/** The modified Bessel function of the first kind and order 0, of x from 0 to 8. */
function bessel(x: number): number {
  const y = x / 2 - 2;
  let b0 = COEFFICIENTS[0] as number;
  let b1 = 0;
  let b2 = 0;
  for (const coefficient of COEFFICIENTS.slice(1)) {
    b2 = b1;
    b1 = b0;
    b0 = y * b1 - b2 + coefficient;
  }
  return Math.exp(x) * (0.5 * (b0 - b2));
}
