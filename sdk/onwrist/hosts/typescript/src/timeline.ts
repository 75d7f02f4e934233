/**
 * Samples of all sensors in as they arrive, grid blocks that will never change out.
 *
 * - newest: the newest stamp of all sensors so far. A sample that is older than the newest
 *   stamp before it, or its own, by more than the lateness is late: counted and dropped.
 * - watermark: newest less lateness. A sample below it is settled: nothing older than it, and
 *   nothing between it and its neighbours, can be accepted any more.
 * - origin: the first grid point at or after the earliest sample, once that is settled; of
 *   minutes the last multiple of the hop, counted from midnight, at or before it.
 * - final: a grid point is final when all stamps that can reach its value, in any channel that
 *   the stream could have, lie below the watermark: a minute when the watermark has reached its
 *   end. Which channels really send samples plays no part.
 */

import type { Piece } from "./arrivals.js";
import { HISTORY, strays } from "./clock.js";
import type { Minutes } from "./minutes.js";
import { resample } from "./resampling.js";
import type { Sensor } from "./sensors.js";
import { lowerBound } from "./sorted.js";
import { modulo, SAME_TIME } from "./tokens.js";
import type { Grid } from "./window.js";

/** What became of one channel's samples. */
export interface Tally {
  samples: number;
  late: number;
  duplicate: number;
  repaired: number;
  /** Stamp of the newest sample; null before the first. */
  last: number | null;
}

export class Timeline {
  newest = -Infinity;
  /** Null before it is known. */
  origin: number | null = null;
  /** No more samples will come, and all are settled. */
  finished = false;
  readonly tallies: readonly Tally[];
  #least = 0;
  #repairedTo = -Infinity;
  readonly #reach: number;

  /**
   * @param rate of the grid, in Hz.
   * @param minutes the intervals that are the grid points; null where these are instants.
   * @param whole the origin is a multiple of so many minutes.
   */
  constructor(
    readonly sensors: readonly Sensor[],
    channels: number,
    readonly rate: number,
    readonly lateness: number,
    readonly minutes: Minutes | null,
    readonly whole: number,
  ) {
    this.tallies = Array.from({ length: channels }, () => ({
      samples: 0,
      late: 0,
      duplicate: 0,
      repaired: 0,
      last: null,
    }));
    this.#reach = Math.max(...sensors.map((sensor) => sensor.reach)) + SAME_TIME;
  }

  /**
   * Take samples of one sensor.
   *
   * @param floor stamps below are late; if not said, each newer stamp of these makes older ones
   *   that follow it late.
   */
  take(sensor: Sensor, piece: Piece, floor?: number): void {
    const { times, rows } = piece;
    const first = times[0];
    if (first === undefined) return;
    const least = floor ?? this.newest - this.lateness;
    if (!(piece.plain && first >= least && first > sensor.samples.last)) {
      this.#sortIn(sensor, piece, floor);
      return;
    }
    sensor.samples.append(times, rows);
    const last = times[times.length - 1] as number;
    for (const row of sensor.rows) {
      const tally = this.tallies[row] as Tally;
      tally.samples += times.length;
      tally.last = Math.max(tally.last ?? -Infinity, last);
    }
    this.newest = Math.max(this.newest, last);
  }

  #sortIn(sensor: Sensor, { times, rows }: Piece, floor?: number): void {
    const tallies = sensor.rows.map((row) => this.tallies[row] as Tally);
    const kept: number[] = [];
    let running = this.newest;
    times.forEach((time, k) => {
      const real = rows.map((row) => !Number.isNaN(row[k]));
      if (!real.includes(true)) return;
      running = Math.max(running, time);
      if (time < (floor ?? running - this.lateness)) {
        tallies.forEach((tally, axis) => (tally.late += real[axis] ? 1 : 0));
      } else {
        kept.push(k);
      }
    });
    if (!kept.length) return;
    const stamps = Float64Array.from(kept, (k) => times[k] as number);
    const values = rows.map((row) => Float32Array.from(kept, (k) => row[k] as number));
    const duplicates = sensor.samples.merge(stamps, values);
    tallies.forEach((tally, axis) => {
      const row = values[axis] as Float32Array;
      const twice = duplicates[axis] as number;
      let count = 0;
      row.forEach((value, k) => {
        if (Number.isNaN(value)) return;
        count++;
        tally.last = Math.max(tally.last ?? -Infinity, stamps[k] as number);
      });
      if (!count) return;
      tally.samples += count - twice;
      tally.duplicate += twice;
    });
    this.newest = stamps.reduce((most, time) => Math.max(most, time), this.newest);
  }

  /**
   * Settle all samples: no more will come.
   *
   * @param least so many grid points are final from the origin on, even if they lie past the
   *   newest sample; minutes up to a whole multiple of it.
   */
  finish(least = 0): void {
    this.finished = true;
    this.#least = least;
    this.settleOrigin();
  }

  /** Fix the origin once no earlier sample can be accepted any more. */
  settleOrigin(): void {
    if (this.origin !== null) return;
    const watermark = this.finished ? Infinity : this.newest - this.lateness;
    const first = Math.min(...this.sensors.map((sensor) => sensor.samples.times[0] ?? Infinity));
    if (!(first < watermark)) return;
    this.origin = this.minutes
      ? Math.floor(this.minutes.holding(first) / this.whole) * this.whole
      : Math.ceil((first - SAME_TIME) * this.rate) + 0;
  }

  /** The grid points before this one, from the origin on, will never change. */
  get final(): number {
    const origin = this.origin ?? 0;
    if (this.minutes) {
      if (!this.finished) return this.minutes.holding(this.newest - this.lateness);
      const past = this.minutes.holding(this.newest) + 1;
      return past + (this.#least ? modulo(origin - past, this.#least) : 0);
    }
    if (this.finished) {
      const past = Math.floor((this.newest + SAME_TIME) * this.rate) + 1;
      return Math.max(past, origin + this.#least);
    }
    return Math.ceil((this.newest - this.lateness - this.#reach) * this.rate);
  }

  /** Values and observed at grid points from `first` on, all of them final: channels x count. */
  resample(first: number, count: number): Grid {
    const values = new Float32Array(this.tallies.length * count);
    const observed = new Uint8Array(values.length);
    const end = this.#time(first + count);
    for (const sensor of this.sensors) {
      const held = sensor.samples.until(end + sensor.reach);
      if (!held) continue;
      const times = sensor.samples.times.subarray(0, held);
      const rows = sensor.samples.rows(held);
      const part =
        this.minutes && sensor.sums
          ? this.minutes.aggregate(times, rows, sensor.sums, first, count)
          : resample(times, rows, sensor.rate, this.rate, first, count);
      sensor.rows.forEach((row, axis) => {
        values.set(part.values.subarray(axis * count, (axis + 1) * count), row * count);
        observed.set(part.observed.subarray(axis * count, (axis + 1) * count), row * count);
      });
    }
    return { values, observed };
  }

  /** When a grid point is, or begins. */
  #time(point: number): number {
    return this.minutes ? this.minutes.start(point) : point / this.rate;
  }

  /** Drop what no grid point from `first` on needs. */
  forget(first: number): void {
    const before = this.#time(first);
    this.#countRepaired(before);
    for (const sensor of this.sensors) sensor.samples.drop(before - sensor.reach - sensor.run);
  }

  /** Look for repair at what is left, once all samples are settled. */
  countRest(): void {
    this.#countRepaired(Infinity);
  }

  #countRepaired(before: number): void {
    for (const { samples, sums, rate, rows } of this.sensors) {
      if (sums || !samples.length) continue;
      const { times } = samples;
      const begin = lowerBound(times, this.#repairedTo);
      const end = lowerBound(times, before);
      if (begin === end) continue;
      const values = samples.rows(end);
      const whole = !values.some((row) => row.includes(NaN));
      const since = whole ? Math.max(begin - HISTORY, 0) : 0;
      const some = times.subarray(since, end);
      rows.forEach((row, axis) => {
        const mine = values[axis] as Float32Array;
        const real = whole ? some : some.filter((_, k) => !Number.isNaN(mine[k]));
        const stray = strays(real, rate);
        const tally = this.tallies[row] as Tally;
        real.forEach((time, k) => {
          if (stray[k] && time >= this.#repairedTo) tally.repaired++;
        });
      });
    }
    this.#repairedTo = before;
  }
}
