/**
 * Files that a person dropped in, a Recording out: an Empatica E4 export (its files, their
 * folder or a zip of it), or a CSV or TSV table with NAME.onwrist.json beside it.
 *
 * Sizes are looked at before a byte is read.
 */
import { AppError } from "../errors";
import { isE4, readE4 } from "./e4";
import type { NamedFile, Recording } from "./recording";
import { readTable } from "./table";
import { csvMembers } from "./zip";

export const LARGEST_FILE = 512 * 2 ** 20;

const FORMATS =
  "drop an Empatica E4 export (its folder, a .zip of it, or BVP.csv, ACC.csv, EDA.csv, TEMP.csv), " +
  "or a .csv or .tsv with a time column; for other formats use onwrist predict";

export async function readRecording(files: readonly NamedFile[]): Promise<Recording> {
  const first = files[0];
  if (!first) throw new AppError(`nothing was opened: ${FORMATS}`);
  for (const { path, file } of files) {
    if (file.size > LARGEST_FILE) {
      throw new AppError(
        `${path} has ${inGigabytes(file.size)}, and this page reads files up to ` +
          `${LARGEST_FILE / 2 ** 20} MiB: cut the recording into parts, or use onwrist predict`,
      );
    }
  }
  if (isE4(files)) return await readE4(folderOf(first.path), files);
  const zips = files.filter(({ path }) => /\.zip$/i.test(path));
  if (zips.length === 1 && files.length === 1) {
    const name = stemOf(first.path);
    return await readE4(name, await csvMembers(first.path, first.file));
  }
  const tables = files.filter(({ path }) => /\.(csv|tsv)$/i.test(path));
  if (tables.length === 1) {
    const table = tables[0]!;
    return await readTable(stemOf(table.path), table.path, table.file, await ratesOf(table, files));
  }
  if (tables.length > 1) {
    throw new AppError(`${tables.length} tables at once: open one recording at a time`);
  }
  const names = files
    .slice(0, 3)
    .map(({ path }) => path)
    .join(", ");
  throw new AppError(`${names}: no recording in a known format: ${FORMATS}`);
}

/** The rates that NAME.onwrist.json beside the table gives, if it was opened with it. */
async function ratesOf(
  table: NamedFile,
  files: readonly NamedFile[],
): Promise<Record<string, number>> {
  const path = table.path.replace(/\.[^.]*$/, ".onwrist.json");
  const sidecar = files.find((each) => each.path === path);
  if (!sidecar) return {};
  const wrong = new AppError(`${path}: not an object with "rates" in Hz by channel (FORMAT.md)`);
  let rates: unknown;
  try {
    rates = (JSON.parse(await sidecar.file.text()) as { rates?: unknown }).rates ?? {};
  } catch {
    throw wrong;
  }
  const entries = Object.entries(rates as object);
  if (entries.some(([, rate]) => typeof rate !== "number")) throw wrong;
  return Object.fromEntries(entries) as Record<string, number>;
}

function inGigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}

function stemOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
}

/** The folder that the files of an export lie in; "E4" where they came without one. */
function folderOf(path: string): string {
  const parts = path.split("/");
  return parts.at(-2) ?? "E4 export";
}
