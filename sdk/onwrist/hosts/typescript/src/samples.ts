/**
 * The accepted samples of one sensor, in order of time, from what is still needed on.
 *
 * Samples come in any order, rows of values with one stamp for all of them; what goes out are
 * views of the stamps and values so far, each stamp once. A channel that has no sample at a
 * stamp is NaN there.
 */

import { lowerBound } from "./sorted.js";

const SMALLEST = 64; // samples that there is always room for

export class Samples {
  /** The newest stamp that was ever here; -Infinity before the first. */
  last = -Infinity;
  #times = new Float64Array(SMALLEST);
  #rows: Float32Array[];
  #start = 0;
  #stop = 0;

  constructor(channels: number) {
    this.#rows = Array.from({ length: channels }, () => new Float32Array(SMALLEST));
  }

  get length(): number {
    return this.#stop - this.#start;
  }

  /** Stamps, strictly increasing. */
  get times(): Float64Array {
    return this.#times.subarray(this.#start, this.#stop);
  }

  /** The first `count` values of each channel, NaN where it has no sample. */
  rows(count = this.length): Float32Array[] {
    return this.#rows.map((row) => row.subarray(this.#start, this.#start + count));
  }

  /** How many samples have stamps below `time`. */
  until(time: number): number {
    return lowerBound(this.times, time);
  }

  /** Take samples in order, all later than what is here. */
  append(times: Float64Array, rows: readonly Float32Array[]): void {
    this.#makeRoom(times.length);
    this.#times.set(times, this.#stop);
    rows.forEach((row, channel) => {
      const mine = this.#rows[channel] as Float32Array;
      // -0 and 0 are as small as each other: adding 0 makes them the same.
      for (let k = 0; k < row.length; k++) mine[this.#stop + k] = (row[k] as number) + 0;
    });
    this.#stop += times.length;
    this.last = times[times.length - 1] ?? this.last;
  }

  /**
   * Take samples in any order; of several at one stamp the smallest.
   *
   * @returns for each channel how many had to give way.
   */
  merge(times: Float64Array, rows: readonly Float32Array[]): number[] {
    const duplicates = rows.map(() => 0);
    if (!times.length) return duplicates;
    const overlap = this.until(times.reduce((least, time) => Math.min(least, time)));
    const all = joined(this.times.subarray(overlap), times);
    const values = this.rows().map((row, k) =>
      joined(row.subarray(overlap), rows[k] as Float32Array),
    );
    const order = [...all.keys()].sort((a, b) => (all[a] as number) - (all[b] as number) || a - b);
    const kept = new Float64Array(all.length);
    const merged = values.map(() => new Float32Array(all.length));
    let count = 0;
    for (const place of order) {
      const time = all[place] as number;
      const again = count > 0 && kept[count - 1] === time;
      if (!again) kept[count++] = time;
      merged.forEach((row, channel) => {
        const value = (values[channel] as Float32Array)[place] as number;
        const here = again ? (row[count - 1] as number) : NaN;
        if (!Number.isNaN(here) && !Number.isNaN(value)) {
          duplicates[channel] = (duplicates[channel] as number) + 1;
        }
        row[count - 1] = Number.isNaN(here) || value < here ? value : here;
      });
    }
    this.#stop = this.#start + overlap;
    this.append(kept.subarray(0, count), merged.map((row) => row.subarray(0, count)));
    return duplicates;
  }

  /** Forget the samples whose stamps are below `before`. */
  drop(before: number): void {
    this.#start += this.until(before);
    if (this.#start === this.#stop) this.#start = this.#stop = 0;
  }

  /** Move to the front of a buffer with room for `count` more, if there is none behind. */
  #makeRoom(count: number): void {
    if (this.#stop + count <= this.#times.length) return;
    const held = this.length;
    let size = this.#times.length;
    while (size < 2 * (held + count)) size *= 2;
    const times = new Float64Array(size);
    times.set(this.times);
    this.#rows = this.rows().map((row) => {
      const larger = new Float32Array(size);
      larger.set(row);
      return larger;
    });
    this.#times = times;
    this.#start = 0;
    this.#stop = held;
  }
}

function joined<T extends Float32Array | Float64Array>(a: T, b: T): T {
  const all = new (a.constructor as new (size: number) => T)(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
