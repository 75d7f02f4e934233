/** What a manifest says of a sensor that works, held against its channels and itself. */

import type { Plausible, Usual } from "./manifest.js";
import { demand, share, unique } from "./manifest_rules.js";
import { quoted } from "./words.js";

export const AXES = 3;
export const FEATURES = 3 * AXES; // gravity's direction, logarithm of the deviation of each
const TRIANGLE = (FEATURES * (FEATURES + 1)) / 2;

/** Throw BundleError for the first record that contradicts itself or the channels' sensors. */
export function checkPlausible(
  records: readonly Plausible[],
  sensors: ReadonlyMap<string, string>,
): void {
  unique("plausible sensor", records.map((record) => record.sensor));
  const described = new Set(records.filter((r) => r.usual).map((record) => record.sensor));
  for (const record of records) {
    const where = `plausible ${quoted(record.sensor)}`;
    const axes = [...record.acceleration, ...record.turning];
    unique(`${where}: channel`, axes);
    for (const name of axes) {
      demand(
        sensors.get(name) === record.sensor,
        `${where}: ${quoted(name)} is no channel of that sensor`,
      );
    }
    for (const what of ["gravity", "rest", "turns", "turns_per_g"] as const) {
      const [low, high] = record[what];
      demand(
        0 <= low && low < high,
        `${where}: ${what} must ascend from 0, not be ${low}, ${high}`,
      );
    }
    share(`${where}: run`, record.run);
    for (const rails of record.rails) share(`${where}: rails`, rails);
    if (record.usual) checkUsual(where, record.usual);
    checkMargins(where, record, described);
  }
}

function checkMargins(where: string, record: Plausible, described: ReadonlySet<string>): void {
  const margins = Object.values(record.exchanged);
  if (record.turned !== null) margins.push(record.turned);
  demand(
    margins.every((margin) => margin >= 0),
    `${where}: turned and exchanged must not be below 0, or what is usual is blamed`,
  );
  demand(
    (record.alarms === null) === (margins.length === 0),
    `${where}: alarms must be given if and only if turned or exchanged is`,
  );
  share(`${where}: alarms`, record.alarms ?? 0);
  demand(
    record.usual !== null || !margins.length,
    `${where}: turned and exchanged need \`usual\` to compare with`,
  );
  for (const other of Object.keys(record.exchanged)) {
    demand(
      described.has(other) && other !== record.sensor,
      `${where}: it cannot be exchanged with ${quoted(other)}, which has no \`usual\``,
    );
  }
}

function checkUsual(where: string, usual: Usual): void {
  demand(
    usual.mean.length === FEATURES && usual.whitening.length === TRIANGLE,
    `${where}: usual needs ${FEATURES} means and ${TRIANGLE} numbers of whitening, not ` +
      `${usual.mean.length} and ${usual.whitening.length}`,
  );
  for (let row = 0; row < FEATURES; row++) {
    demand(
      (usual.whitening[(row * (row + 3)) / 2] as number) > 0,
      `${where}: usual: the diagonal of whitening must be above 0`,
    );
  }
}
