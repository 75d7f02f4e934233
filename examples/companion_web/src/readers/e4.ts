/**
 * An Empatica E4 export in, a Recording out, by the rules of sdk/onwrist/readers/empatica_e4.py.
 *
 * BVP.csv, EDA.csv and TEMP.csv: first row start (Unix seconds), second row rate (Hz), then one
 * sample a row; ACC.csv the same in three columns of 1/64 g. tags.csv: Unix seconds. HR.csv and
 * IBI.csv hold no signal and are not read.
 */
import { AppError } from "../errors";
import { Growing, linesOf, numberOf } from "./numbers";
import { signalOf, type NamedFile, type Recording, type Signal } from "./recording";

const SIGNALS: Record<string, readonly string[]> = {
  "BVP.csv": ["ppg"],
  "ACC.csv": ["acc_x", "acc_y", "acc_z"],
  "EDA.csv": ["eda"],
  "TEMP.csv": ["temp"],
};
const COUNTS_PER_G = 64;

export const E4_FILES = Object.keys(SIGNALS);

export function isE4(files: readonly NamedFile[]): boolean {
  return files.some(({ path }) => E4_FILES.includes(nameOf(path)));
}

export async function readE4(name: string, files: readonly NamedFile[]): Promise<Recording> {
  const signals: Record<string, Signal> = {};
  const byName = new Map<string, NamedFile>();
  for (const file of files) {
    const own = nameOf(file.path);
    if (byName.has(own)) {
      throw new AppError(`${name}: ${own} is there twice; open one export alone`);
    }
    byName.set(own, file);
  }
  for (const [file, channels] of Object.entries(SIGNALS)) {
    const there = byName.get(file);
    if (!there) continue;
    const where = `${name}/${file}`;
    const columns = await numbersOf(where, there.file, channels.length);
    if (columns[0]!.length < 3) {
      throw new AppError(
        `${where}: ${columns[0]!.length} rows; a start time, a rate and samples must be there`,
      );
    }
    for (const [row, what] of ["start times", "rates"].entries()) {
      if (columns.some((column) => column[row] !== columns[0]![row])) {
        throw new AppError(
          `${where}, line ${row + 1}: different ${what} in columns that were sampled together`,
        );
      }
    }
    const [start, rate] = [columns[0]![0]!, columns[0]![1]!];
    const times = new Float64Array(columns[0]!.length - 2);
    for (let k = 0; k < times.length; k++) times[k] = start + k / rate;
    channels.forEach((channel, column) => {
      const samples = columns[column]!.subarray(2);
      const values = Float32Array.from(
        channel.startsWith("acc") ? samples.map((x) => x / COUNTS_PER_G) : samples,
      );
      signals[channel] = signalOf(where, times, values, rate);
    });
  }
  if (!Object.keys(signals).length) {
    throw new AppError(
      `${name}: not an Empatica E4 export: none of ${E4_FILES.join(", ")} is there`,
    );
  }
  const events: number[] = [];
  for (const [file, { file: blob }] of byName) {
    if (!file.startsWith("tags") || !file.endsWith(".csv")) continue;
    events.push(...(await numbersOf(`${name}/${file}`, blob, 1))[0]!);
  }
  return { name, signals, events, notes: [] };
}

/** The columns of rows of numbers; blank lines at the end do not count. */
async function numbersOf(where: string, file: Blob, width: number): Promise<Float64Array[]> {
  const columns = Array.from({ length: width }, () => new Growing());
  let line = 0;
  let blank = 0; // lines that are blank so far, which is right only at the end
  for await (const lines of linesOf(where, file.stream())) {
    for (const text of lines) {
      line++;
      if (!text.trim()) {
        blank ||= line;
        continue;
      }
      const cells = text.trim().split(",");
      if (blank || cells.length !== width) {
        const found = blank ? 0 : cells.length;
        throw new AppError(
          `${where}, line ${blank || line}: ${found} columns where ${width} belong; ` +
            "take the file as the device exported it",
        );
      }
      for (let column = 0; column < width; column++) {
        const cell = cells[column]!;
        const number = cell.trim().toLowerCase() === "nan" ? NaN : numberOf(cell);
        if (number === undefined || Math.abs(number) === Infinity) {
          throw new AppError(
            `${where}, line ${line}: '${cell.trim().slice(0, 60)}' where a number belongs`,
          );
        }
        columns[column]!.push(number);
      }
    }
  }
  return columns.map((column) => column.done());
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
