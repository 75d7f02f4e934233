/**
 * Samples with time stamps in, the mean or sum of each minute and `observed` out.
 *
 * Where a grid point is an interval of time and not an instant: interval k is
 * [zero + k period, zero + (k + 1) period). Nothing is interpolated and no stamp is repaired.
 */

import { lowerBound } from "./sorted.js";
import { type Grid, LARGEST } from "./window.js";

export class Minutes {
  /**
   * @param period seconds, a whole number of them.
   * @param zero when interval 0 begins: a local midnight.
   */
  constructor(
    readonly period: number,
    readonly zero: number,
  ) {}

  /** When an interval begins. */
  start(interval: number): number {
    return this.zero + interval * this.period;
  }

  /** The interval in which a time lies. */
  holding(time: number): number {
    let interval = Math.floor((time - this.zero) / this.period);
    // The division rounds, the edges count.
    while (time < this.start(interval)) interval--;
    while (time >= this.start(interval + 1)) interval++;
    return interval;
  }

  /**
   * The intervals first ... first + count - 1 of channels that share time stamps.
   *
   * Samples are added one after the other in the order of time, in float64. A sum of 1e15 or
   * more is not observed, as no graph is given such a number.
   *
   * @param sums for each channel whether its samples are summed, or their mean is taken.
   */
  aggregate(
    times: Float64Array,
    rows: readonly Float32Array[],
    sums: readonly boolean[],
    first: number,
    count: number,
  ): Grid {
    const values = new Float32Array(rows.length * count);
    const observed = new Uint8Array(rows.length * count);
    for (let k = 0; k < count; k++) {
      const begin = lowerBound(times, this.start(first + k));
      const end = lowerBound(times, this.start(first + k + 1));
      rows.forEach((row, channel) => {
        let total = 0;
        let taken = 0;
        for (let sample = begin; sample < end; sample++) {
          const value = row[sample] as number;
          if (Number.isNaN(value)) continue;
          total += value;
          taken++;
        }
        if (!sums[channel]) total /= Math.max(taken, 1);
        if (taken && Math.abs(total) < LARGEST) {
          values[channel * count + k] = total;
          observed[channel * count + k] = 1;
        }
      });
    }
    return { values, observed };
  }
}
