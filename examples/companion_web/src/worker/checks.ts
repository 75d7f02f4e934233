/** A recording and the bundle that is to run on it in; what would make predictions meaningless out. */
import type { Manifest } from "@onwrist/stream";
import { AppError } from "../errors";
import { endOf, startOf, type Recording } from "../readers/recording";

const STRANGE_SHARE = 0.2; // of a channel's samples outside the range that the bundle states
const LONGEST = 366 * 86_400; // seconds

/** The channels that the model takes and that hold samples, and warnings about them. */
export function checkRecording(
  recording: Recording,
  manifest: Manifest,
): { used: string[]; notes: string[] } {
  const known = manifest.channels.map((channel) => channel.name);
  const there = Object.keys(recording.signals);
  if (!known.some((name) => there.includes(name))) {
    throw new AppError(
      `${recording.name} has ${there.join(", ")}, but ${manifest.name} takes ${known.join(", ")}: ` +
        "rename the columns of the table, or choose another model",
    );
  }
  const used: string[] = [];
  const notes: string[] = [];
  for (const channel of manifest.channels) {
    const signal = recording.signals[channel.name];
    if (!signal) continue;
    const values = signal.values.filter((value) => !Number.isNaN(value));
    if (!values.length) continue;
    used.push(channel.name);
    let strange = 0;
    for (const value of values) if (value < channel.minimum || value > channel.maximum) strange++;
    if (strange > STRANGE_SHARE * values.length) {
      const median = values.slice().sort()[values.length >> 1]!;
      notes.push(
        `${channel.name}: ${Math.round((100 * strange) / values.length)} % of the samples lie outside ` +
          `${channel.minimum} to ${channel.maximum} ${channel.unit}, the range that ${manifest.name} ` +
          `knows (median here: ${median.toPrecision(4)}); is the unit or the sensor another?`,
      );
    }
  }
  if (!used.length) {
    throw new AppError(
      `${recording.name}: no samples of ${known.join(", ")}: every one is missing`,
    );
  }
  const span = endOf(recording) - startOf(recording);
  if (span > LONGEST) {
    throw new AppError(
      `${recording.name}: the samples span ${Math.round(span / 86_400)} days; all channels must be on ` +
        "one clock, and a recording lasts 366 days at most",
    );
  }
  return { used, notes };
}
