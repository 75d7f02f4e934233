/** A day's prediction in; its date, what was imputed and the means out, as sdk/onwrist/days.py. */
import type { Manifest, Prediction } from "@onwrist/stream";
import { answer, covered, inWords, percent } from "./words";

export interface DayFacts {
  date: string;
  /** How many grid points of each channel are the model's. */
  imputed: Record<string, number>;
  /** Of the interpolated channel: over what was observed, and over the whole day. */
  observedMean: number | null;
  imputedMean: number | null;
}

export function dateOf(prediction: Prediction, midnight: number): string {
  const seconds = Math.trunc((prediction.start ?? 0) - midnight);
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

export function dayFacts(prediction: Prediction, manifest: Manifest, midnight: number): DayFacts {
  const date = dateOf(prediction, midnight);
  const counts = Object.fromEntries(manifest.channels.map((channel) => [channel.name, 0]));
  const facts: DayFacts = { date, imputed: counts, observedMean: null, imputedMean: null };
  const { imputed } = prediction;
  const name = manifest.tokens?.interpolated ?? null;
  if (!imputed || name === null) return facts;
  manifest.channels.forEach((channel, row) => {
    let [sum, all, seen] = [0, 0, 0];
    for (let k = row * manifest.samples; k < (row + 1) * manifest.samples; k++) {
      all += imputed.values[k]!;
      if (!imputed.observed[k]) continue;
      sum += imputed.values[k]!;
      seen++;
    }
    counts[channel.name] = manifest.samples - seen;
    if (channel.name !== name) return;
    facts.observedMean = seen ? sum / seen : null;
    facts.imputedMean = all / manifest.samples;
  });
  return facts;
}

export function summaryOf(prediction: Prediction, manifest: Manifest): string {
  const facts = dayFacts(prediction, manifest, 0);
  const shares = manifest.channels.map(
    ({ name }) => `${inWords(name)} ${covered(prediction.coverage[name] ?? 0)} observed`,
  );
  const mean = manifest.channels.find(({ name }) => name === manifest.tokens?.interpolated);
  const parts = [`${shares.join(", ")}.`];
  if (mean && facts.imputedMean !== null) {
    const observed = facts.observedMean === null ? "-" : facts.observedMean.toFixed(1);
    parts.push(
      `Mean ${inWords(mean.name)} ${observed} ${mean.unit} over what was observed, ` +
        `${facts.imputedMean.toFixed(1)} ${mean.unit} with the model's ${facts.imputed[mean.name]} minutes.`,
    );
  }
  for (const task of manifest.tasks) {
    const result = prediction.tasks[task.name]!;
    const name = inWords(task.name);
    parts.push(
      result.abstained
        ? `${name}: abstained, ${result.reason}.`
        : `${name}: ${answer(result)}${result.unit ? ` ${result.unit}` : ""} (confidence ${percent(result.confidence ?? 0)}).`,
    );
  }
  return parts.join(" ");
}
