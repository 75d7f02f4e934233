/**
 * What a stream remembers of each channel: a running mean and scale over minutes.
 *
 * Blocks of grid points in, the graph's `baseline` input out. Old blocks are forgotten
 * exponentially, so that three numbers a channel are all there is to keep. Everything is
 * float64 and every block is merged relative to the mean so far, so that rounding does not
 * add up over a day.
 */

import { type Tensor, tensor } from "./engine.js";

/**
 * Seconds of observed grid points, after forgetting, that a mean takes to be worth saying:
 * about one window. A channel that is gone is unknown again once it is forgotten to this.
 */
const LEAST = 10;

/** The graph's input: mean, scale and 1 of each channel, zeros where either is NaN. */
export function baselineInput(usual: Float64Array): Tensor {
  const channels = usual.length / 2;
  const rows = new Float32Array(3 * channels);
  for (let c = 0; c < channels; c++) {
    const mean = usual[2 * c] as number;
    const scale = usual[2 * c + 1] as number;
    if (!Number.isNaN(mean + scale)) rows.set([mean, scale, 1], 3 * c);
  }
  return tensor(rows, 1, channels, 3);
}

/** Weight, mean, and weighted sum of (value - mean)^2, one of each for a channel. */
export interface Remembered {
  readonly weight: Float64Array;
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

/** Running mean and scale (standard deviation) of each channel. */
export class Baseline {
  /** Never written into, so that it can be put back. */
  state: Remembered;
  readonly #kept: number;
  readonly #least: number;

  /**
   * @param rate grid points a second.
   * @param seconds time constant: after this long a grid point counts 1 / e.
   * @param samples grid points of a block.
   */
  constructor(
    channels: number,
    rate: number,
    seconds: number,
    readonly samples: number,
  ) {
    this.#kept = Math.exp(-samples / rate / seconds);
    this.#least = LEAST * rate;
    const nothing = (): Float64Array => new Float64Array(channels);
    this.state = { weight: nothing(), mean: nothing(), squares: nothing() };
  }

  /**
   * Take one block, which begins at column `begin` of channels x `points`.
   *
   * The merge of two sets by count, mean and sum of squares is that of Chan, Golub and
   * LeVeque (1979), with the deviations of the block taken from the mean so far.
   */
  update(values: Float32Array, observed: Uint8Array, points: number, begin: number): void {
    const { weight, mean, squares } = this.state;
    const next: Remembered = {
      weight: weight.slice(),
      mean: mean.slice(),
      squares: squares.slice(),
    };
    for (let c = 0; c < weight.length; c++) {
      const from = c * points + begin;
      const seen = observed.subarray(from, from + this.samples);
      const block = values.subarray(from, from + this.samples);
      const first = seen.indexOf(1);
      // A mean of nothing starts at a value, so that differences from it are small.
      let before = mean[c] as number;
      if (weight[c] === 0 && first >= 0) before = block[first] as number;
      const deviation = Float64Array.from(block, (x, k) => (seen[k] ? x - before : 0));
      const total = pairwise(deviation, 0, deviation.length);
      const square = pairwise(deviation.map((x) => x * x), 0, deviation.length);
      const count = seen.reduce((sum, flag) => sum + flag, 0);
      const kept = (weight[c] as number) * this.#kept + count;
      const step = total / Math.max(kept, 1e-9);
      const rest = (squares[c] as number) * this.#kept + square - total * step;
      next.weight[c] = kept;
      next.mean[c] = before + step;
      next.squares[c] = Math.max(rest, 0);
    }
    this.state = next;
  }

  /** Mean and scale of each channel, in its unit; NaN where too little is remembered. */
  get usual(): Float64Array {
    const { weight, mean, squares } = this.state;
    const usual = new Float64Array(2 * weight.length).fill(NaN);
    weight.forEach((known, c) => {
      if (known < this.#least) return;
      usual[2 * c] = mean[c] as number;
      usual[2 * c + 1] = Math.sqrt((squares[c] as number) / Math.max(known, 1e-9));
    });
    return usual;
  }

  get input(): Tensor {
    return baselineInput(this.usual);
  }
}

/** The sum in the order of NumPy's: eight at a time, and halves of what is long. */
function pairwise(x: Float64Array, from: number, count: number): number {
  if (count < 8) {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += x[from + k] as number;
    return sum;
  }
  if (count <= 128) {
    const r = x.slice(from, from + 8);
    let k = 8;
    for (; k + 8 <= count; k += 8) {
      for (let j = 0; j < 8; j++) r[j] = (r[j] as number) + (x[from + k + j] as number);
    }
    const [a, b, c, d, e, f, g, h] = r as unknown as [
      number, number, number, number, number, number, number, number,
    ];
    let sum = a + b + (c + d) + (e + f + (g + h));
    for (; k < count; k++) sum += x[from + k] as number;
    return sum;
  }
  const half = Math.floor(count / 2) - (Math.floor(count / 2) % 8);
  return pairwise(x, from, half) + pairwise(x, from + half, count - half);
}
