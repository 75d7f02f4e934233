/** The bundles that come with the app, and the simulated recording that fits each. */
import type { Manifest } from "@onwrist/stream";

export const SHIPPED = [
  { name: "wrist-himae-small", words: "heart rate and stress, small" },
  { name: "wrist-himae", words: "heart rate and stress" },
  { name: "day-lsm2", words: "days of steps and heart rate" },
  { name: "body-fusion", words: "activity and falls, four sensors" },
] as const;
export const DEFAULT = "wrist-himae-small";

export function simulatedFor(manifest: Manifest | null): string {
  if (manifest?.tokens) return "simulated-days";
  return manifest?.fusion ? "simulated-body" : "simulated-wrist";
}
