/**
 * Features of motion and what is usual in; out, how much better another arrangement is.
 *
 * A likelihood only compares: that of the features as they came with that of the same features
 * with axes swapped or signs flipped, or of two sensors exchanged.
 */

import type { Usual } from "./manifest.js";

interface Arrangement {
  readonly order: readonly number[];
  readonly sign: readonly number[];
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];
const SIGNS = [1, -1].flatMap((x) => [1, -1].flatMap((y) => [1, -1].map((z) => [x, y, z])));

/** Every other order and sign of the three axes: 47. */
export const ARRANGEMENTS: readonly Arrangement[] = ORDERS.flatMap((order) =>
  SIGNS.map((sign) => ({ order, sign })),
).slice(1);

/** Log-likelihood of features, less what all Gaussians share. */
export function likelihood({ mean, whitening }: Usual, features: readonly number[]): number {
  let logs = 0;
  let squares = 0;
  mean.forEach((_, row) => {
    const at = (row * (row + 1)) / 2; // in the lower triangle
    let white = 0;
    for (let k = 0; k <= row; k++) {
      white += ((features[k] as number) - (mean[k] as number)) * (whitening[at + k] as number);
    }
    logs += Math.log(whitening[at + row] as number);
    squares += white * white;
  });
  return logs - 0.5 * squares;
}

/** Features as they would be in another arrangement. */
export function arranged(features: readonly number[], { order, sign }: Arrangement): number[] {
  return features.map((_, k) => {
    const axis = k % 3;
    const taken = features[(order[axis] as number) + k - axis] as number;
    return k < 3 ? taken * (sign[axis] as number) : taken;
  });
}

/** Which axes stand where x, y and z should, such as "-x, z, y". */
export function inWords({ order, sign }: Arrangement): string {
  return order.map((axis, k) => `${(sign[k] as number) < 0 ? "-" : ""}${"xyz"[axis]}`).join(", ");
}
