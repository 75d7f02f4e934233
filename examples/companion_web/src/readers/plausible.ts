/** Samples of a tracker in; out, those that a wearer can have made (sdk/onwrist/plausible.py). */
import type { Signal } from "./recording";

const LIMITS: Record<string, { low: number; high: number; words: string }> = {
  steps: { low: 0, high: 1000, words: "0 to 1000 steps a minute" },
  intensity: { low: 0, high: 3, words: "0 to 3 of intensity" },
  heart_rate: { low: 25, high: 250, words: "25 to 250 bpm" },
};

/** NaN for what is not plausible, and a note on each channel that had it. */
export function repaired(signals: Record<string, Signal>): string[] {
  const notes: string[] = [];
  for (const [name, { low, high, words }] of Object.entries(LIMITS)) {
    const signal = signals[name];
    if (!signal) continue;
    const minutes = name === "steps" ? Math.fround(Math.max(1, 1 / (60 * signal.rate))) : 1;
    let outside = 0;
    for (let k = 0; k < signal.values.length; k++) {
      const value = Math.fround(signal.values[k]! / minutes);
      if (value < low || value > high) {
        signal.values[k] = NaN;
        outside++;
      }
    }
    if (outside) {
      const count = outside.toLocaleString("en-US");
      notes.push(`${count} samples of ${name} outside ${words} count as missing`);
    }
  }
  return notes;
}
