/** What a manifest says of live sensors, held against its channels and tasks. */

import { type Manifest, type Pattern, sensorsOf } from "./manifest.js";
import { demand, share } from "./manifest_rules.js";
import { quoted } from "./words.js";

const MOST_PATTERNS = 1024; // as many as there can be golden windows
const LOWEST = 1e-3; // temperature: its inverse is a plain number in float32
const HIGHEST = 1e3;
const LARGEST_SENSED = 2 ** 22; // numbers in the tokens of all sensors

/** Throw BundleError for the first thing in `availability` that contradicts the manifest. */
export function checkAvailability(manifest: Manifest): void {
  const { availability } = manifest;
  if (!availability) return;
  demand(!manifest.tokens, "a bundle with tokens has no availability");
  const { least, patterns } = availability;
  demand(
    least > 0 && least <= 1,
    `availability: least must be above 0 and at most 1, not ${least}`,
  );
  demand(
    patterns.length > 0 && patterns.length <= MOST_PATTERNS,
    `availability: there must be 1 to ${MOST_PATTERNS} patterns, not ${patterns.length}`,
  );
  const sensors = sensorsOf(manifest);
  const tasks = manifest.tasks.map((task) => task.name);
  const seen = new Set<string>();
  for (const pattern of patterns) {
    const key = pattern.sensors.join(" + ");
    const where = `the pattern ${quoted(key || "of no sensor")}`;
    const must = sensors.filter((sensor) => pattern.sensors.includes(sensor)).join(" + ");
    demand(
      pattern.sensors.length > 0 && key === must,
      `${where}: it must name some of the sensors ${sensors.join(", ")}, each once and in this ` +
        "order",
    );
    demand(!seen.has(key), `${where} appears twice`);
    seen.add(key);
    checkPattern(where, pattern, tasks);
  }
}

function checkPattern(where: string, pattern: Pattern, tasks: readonly string[]): void {
  const tempered = Object.keys(pattern.temperatures);
  const confident = Object.keys(pattern.minimum_confidence);
  demand(
    tempered.length === confident.length &&
      tempered.every((name) => Object.hasOwn(pattern.minimum_confidence, name)),
    `${where}: temperatures are of ${named(tempered)}, and minimum_confidence is of ` +
      `${named(confident)}: they must be of the same tasks`,
  );
  for (const [task, temperature] of Object.entries(pattern.temperatures)) {
    demand(
      tasks.includes(task),
      `${where}: it names the task ${quoted(task)}, but there is ${named(tasks)}`,
    );
    demand(
      LOWEST <= temperature && temperature <= HIGHEST,
      `${where}: the temperature of ${quoted(task)} must be from ${LOWEST} to ${HIGHEST}, not ` +
        `${temperature}`,
    );
  }
  for (const [task, least] of Object.entries(pattern.minimum_confidence)) {
    share(`${where}: minimum_confidence of ${quoted(task)}`, least);
  }
}

/** Throw BundleError unless `fusion` fits the manifest. */
export function checkFusion(manifest: Manifest): void {
  const { fusion } = manifest;
  if (!fusion) {
    demand(!manifest.plausible.length, "`plausible` is for a bundle with fusion only");
    return;
  }
  demand(
    !manifest.baseline && !manifest.step && !manifest.tokens,
    "a bundle with fusion has no baseline, step or tokens",
  );
  demand(manifest.availability !== null, "a bundle with fusion must have availability");
  const count = sensorsOf(manifest).length;
  demand(
    fusion.tokens > 0 && fusion.width > 0 && count * fusion.tokens * fusion.width <= LARGEST_SENSED,
    `fusion: there must be tokens of a width above 0, and ${count} sensors at most ` +
      `${LARGEST_SENSED} numbers, not ${fusion.tokens} tokens of ${fusion.width} each`,
  );
}

function named(names: readonly string[]): string {
  return names.join(", ") || "none";
}
