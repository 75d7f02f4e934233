/** A recording's signals in, what can be pushed together out, as runtime's `recorded.py` does. */
import type { Manifest } from "@onwrist/stream";
import type { Signal } from "../readers/recording";

/** Axes of one sensor that have the same stamps. */
export interface Track {
  /** The name to push by: of the sensor where it has several channels. */
  name: string;
  times: Float64Array;
  /** Samples of each of the sensor's channels; null for one that was not recorded here. */
  axes: (Float32Array | null)[];
  /** How many samples were pushed. */
  taken: number;
}

export function tracksOf(manifest: Manifest, signals: Record<string, Signal>): Track[] {
  const tracks: Track[] = [];
  for (const sensor of sensorsOf(manifest)) {
    const channels = manifest.channels.filter((channel) => channel.sensor === sensor);
    const own: Track[] = [];
    channels.forEach((channel, axis) => {
      const signal = signals[channel.name];
      if (!signal) return;
      let track = own.find(({ times }) => same(times, signal.times));
      if (!track) {
        const axes = channels.map(() => null);
        track = { name: sensor, times: signal.times, axes, taken: 0 };
        own.push(track);
      }
      track.axes[axis] = signal.values;
    });
    tracks.push(...own);
  }
  return tracks;
}

/** The samples of a track that were taken at or before `until` and not pushed yet. */
export function take(track: Track, until: number): [Float64Array, Float32Array] | null {
  const begin = track.taken;
  let end = begin;
  while (end < track.times.length && track.times[end]! <= until) end++;
  if (end === begin) return null;
  track.taken = end;
  const width = track.axes.length;
  const samples = new Float32Array((end - begin) * width).fill(NaN);
  track.axes.forEach((axis, k) => {
    if (!axis) return;
    for (let row = begin; row < end; row++) samples[(row - begin) * width + k] = axis[row]!;
  });
  return [track.times.slice(begin, end), samples];
}

/** The native rate of every channel: of a sensor's channels the one that was recorded. */
export function ratesOf(
  manifest: Manifest,
  signals: Record<string, Signal>,
): Record<string, number> {
  const rates: Record<string, number> = {};
  for (const sensor of sensorsOf(manifest)) {
    const channels = manifest.channels.filter((channel) => channel.sensor === sensor);
    const recorded = channels.find((channel) => signals[channel.name]);
    if (!recorded) continue;
    for (const channel of channels) rates[channel.name] = signals[recorded.name]!.rate;
  }
  return rates;
}

export function sensorsOf(manifest: Manifest): string[] {
  return [...new Set(manifest.channels.map((channel) => channel.sensor))];
}

function same(one: Float64Array, other: Float64Array): boolean {
  return (
    one === other || (one.length === other.length && one.every((time, k) => time === other[k]))
  );
}
