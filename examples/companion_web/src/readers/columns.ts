/**
 * A table's column headers in; channel names and factors into our units out.
 *
 * The names and units of sdk/onwrist/readers/columns.py: "acc_x", "Accel X [m/s2]", "time [ms]".
 */
import { AppError } from "../errors";

const ALIASES: Record<string, readonly string[]> = {
  ppg: ["bvp", "pleth", "ppg_green", "green"],
  acc_x: ["accx", "x", "ax", "accel_x", "accelerometer_x", "acceleration_x"],
  acc_y: ["accy", "y", "ay", "accel_y", "accelerometer_y", "acceleration_y"],
  acc_z: ["accz", "z", "az", "accel_z", "accelerometer_z", "acceleration_z"],
  eda: ["gsr", "scl", "skin_conductance", "electrodermal_activity"],
  temp: ["temperature", "skin_temp", "skin_temperature"],
  time: ["timestamp", "timestamps", "t", "datetime", "date_time", "unix", "unix_time"],
};

const TIME = { s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 };
const ACCELERATION = { g: 1, mg: 1e-3, "m/s2": 1 / 9.80665, "m/s^2": 1 / 9.80665, "1/64g": 1 / 64 };
const UNITS: Record<string, Record<string, number>> = {
  acc_x: ACCELERATION,
  acc_y: ACCELERATION,
  acc_z: ACCELERATION,
  eda: { us: 1, ns: 1e-3, s: 1e6 },
  temp: { degc: 1, c: 1, "°c": 1 },
  time: TIME,
};

const CHANNEL_OF = new Map(
  Object.entries(ALIASES).flatMap(([name, aliases]) =>
    [name, ...aliases].map((alias) => [alias, name] as const),
  ),
);

export interface Column {
  header: string;
  /** Which column it is. */
  index: number;
  factor: number;
  /** Whether the name is one of ours: words in it are an error, not a column of notes. */
  known: boolean;
}

/** The column of "time" and of each channel. */
export function findColumns(where: string, headers: readonly string[]): Map<string, Column> {
  const found = new Map<string, Column>();
  headers.forEach((header, index) => {
    let [name, unit] = split(header);
    const at = name.lastIndexOf("_");
    const suffix = at < 0 ? name : name.slice(at + 1);
    if (at > 0 && suffix in TIME && CHANNEL_OF.get(name.slice(0, at)) === "time") {
      [name, unit] = ["time", unit ?? suffix];
    }
    const channel = CHANNEL_OF.get(name) ?? name;
    if (!channel) return;
    const other = found.get(channel);
    if (other) {
      throw new AppError(
        `${where}: columns '${other.header}' and '${header}' are both ${channel}; rename one`,
      );
    }
    const known = channel in ALIASES;
    found.set(channel, { header, index, factor: factorOf(where, channel, unit), known });
  });
  if (!found.has("time")) {
    throw new AppError(
      `${where}: no time column among ${headers.slice(0, 12).join(", ")}; call one "time" ` +
        "(seconds, or ISO 8601)",
    );
  }
  return found;
}

/** The plain name in a header, and the unit in its brackets if there is one. */
function split(header: string): [string, string | undefined] {
  const match = /^\s*([^]*?)\s*(?:\[\s*([^]*?)\s*\])?\s*$/.exec(header)!;
  const name = match[1]!
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  const unit = match[2]?.toLowerCase().replaceAll(" ", "").replaceAll("µ", "u");
  return [name, unit || undefined];
}

function factorOf(where: string, channel: string, unit: string | undefined): number {
  const units = UNITS[channel];
  if (unit === undefined || units === undefined) return 1;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) {
    throw new AppError(
      `${where}: ${channel} in '${unit}'; known units are ${Object.keys(units).join(", ")}`,
    );
  }
  return factor;
}
