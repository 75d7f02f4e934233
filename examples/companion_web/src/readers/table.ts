/**
 * A CSV or TSV table with a time column in, a Recording out (sdk/onwrist/readers/table.py).
 *
 * Sensors of different rates share one table: a channel's samples are the rows in which it is
 * not blank. The file is read as a stream; what is kept is 20 bytes a sample.
 */
import { AppError } from "../errors";
import { findColumns, type Column } from "./columns";
import { Growing, linesOf, numberOf } from "./numbers";
import { repaired } from "./plausible";
import { estimateRate } from "./rates";
import { signalOf, type Recording, type Signal } from "./recording";
import { isoSeconds } from "./times";

export const MOST_SAMPLES = 16_000_000;
const LATEST = 1e11; // the year 5138; epoch milliseconds are beyond it
// What pandas takes for a blank cell.
const BLANK = new Set(
  (
    "|NA|N/A|n/a|NaN|nan|-NaN|-nan|null|NULL|None|<NA>|#N/A|#NA|#N/A N/A|1.#IND|-1.#IND|" +
    "1.#QNAN|-1.#QNAN"
  ).split("|"),
);

/** The samples of one channel as they stand in the rows. */
interface Rows {
  column: Column;
  times: Growing;
  values: Growing;
  lines: Growing;
  /** The first cell that is no number, of a column that may be words. */
  words?: string;
}

export async function readTable(
  name: string,
  where: string,
  file: Blob,
  rates: Record<string, number> = {},
): Promise<Recording> {
  const table = new Table(where, rates);
  for await (const lines of linesOf(where, file.stream())) {
    for (const line of lines) table.take(line);
  }
  return table.recording(name);
}

class Table {
  private line = 0;
  private rows = 0;
  private samples = 0;
  private open = ""; // a record whose quotes go on in the next line
  private separator = ",";
  private width = 0;
  private time: Column | undefined;
  private dates: boolean | undefined;
  private readonly channels = new Map<string, Rows>();

  constructor(
    private readonly where: string,
    private readonly rates: Record<string, number>,
  ) {}

  take(text: string): void {
    this.line++;
    const record = this.open ? `${this.open}\n${text}` : text;
    if (record.includes('"') && (record.split('"').length - 1) % 2) {
      if (record.length > 1 << 20) throw this.error("a quote that does not end");
      this.open = record;
      return;
    }
    this.open = "";
    if (!this.time) this.header(record);
    else this.row(this.cells(record));
  }

  private header(record: string): void {
    const count = (mark: string) => record.split(mark).length;
    this.separator = [",", ";", "\t"].reduce((best, x) => (count(x) > count(best) ? x : best));
    const headers = this.cells(record);
    const repeated = headers.find((header, k) => headers.indexOf(header) !== k);
    if (repeated !== undefined)
      throw new AppError(`${this.where}: two columns are called '${repeated}'`);
    this.width = headers.length;
    const found = findColumns(this.where, headers);
    this.time = found.get("time")!;
    found.delete("time");
    for (const [channel, column] of found) {
      const known = column.known || channel in this.rates;
      const rows = { times: new Growing(), values: new Growing(), lines: new Growing() };
      this.channels.set(channel, { column: { ...column, known }, ...rows });
    }
    const unknown = Object.keys(this.rates).filter((channel) => !this.channels.has(channel));
    if (unknown.length) {
      throw new AppError(
        `${this.where}: a rate is given for ${unknown.join(", ")}, which is no column; the ` +
          `channels are ${[...this.channels.keys()].join(", ")}`,
      );
    }
  }

  private row(cells: string[]): void {
    if (cells.length > this.width) {
      throw this.error(`${cells.length} cells under ${this.width} headers`);
    }
    this.rows++;
    const stamp = cells[this.time!.index] ?? "";
    if (BLANK.has(stamp.trim())) {
      if (cells.some((cell) => !BLANK.has(cell.trim()))) throw this.error("values without a time");
      return;
    }
    const time = this.seconds(stamp);
    for (const [channel, rows] of this.channels) {
      const cell = cells[rows.column.index];
      if (rows.words !== undefined || cell === undefined || BLANK.has(cell.trim())) continue;
      const value =
        numberOf(cell) ?? (/^[+-]?inf(inity)?$/i.test(cell.trim()) ? Infinity : undefined);
      if (value === undefined) {
        if (rows.column.known) {
          throw this.error(`'${cell.slice(0, 60)}' where a number of ${channel} belongs`);
        }
        rows.words = cell;
        continue;
      }
      rows.times.push(time);
      rows.values.push(value * rows.column.factor);
      rows.lines.push(this.line);
      if (++this.samples > MOST_SAMPLES) {
        throw new AppError(
          `${this.where}: more than ${MOST_SAMPLES.toLocaleString("en-US")} samples, which is ` +
            "what this page keeps; cut the recording, or use onwrist predict",
        );
      }
    }
  }

  private seconds(cell: string): number {
    const number = numberOf(cell);
    this.dates ??= number === undefined;
    const seconds = this.dates ? isoSeconds(cell) : number;
    if (seconds === undefined) {
      throw this.error(`'${cell.slice(0, 60)}' where a time (seconds or ISO 8601) belongs`);
    }
    const time = this.dates ? seconds : seconds * this.time!.factor;
    if (!(Math.abs(time) < LATEST)) {
      throw new AppError(
        `${this.where}: '${this.time!.header}' reaches ${time} s; if it is in milliseconds, call ` +
          'the column "time [ms]"',
      );
    }
    return time;
  }

  recording(name: string): Recording {
    if (this.open) throw this.error("a quote that does not end");
    if (!this.time || !this.rows)
      throw new AppError(`${this.where}: no rows; a header and samples must be there`);
    const signals: Record<string, Signal> = {};
    const notes: string[] = [];
    for (const [channel, rows] of this.channels) {
      const few = rows.times.length < (rows.column.known ? 1 : 2);
      if (few || rows.words !== undefined) continue;
      signals[channel] = this.signal(channel, rows, notes);
    }
    if (!Object.keys(signals).length) throw new AppError(`${this.where}: no column holds samples`);
    notes.push(...repaired(signals));
    return { name, signals, events: [], notes };
  }

  /** The samples of a channel in the order of time, each time once. */
  private signal(channel: string, rows: Rows, notes: string[]): Signal {
    let times = rows.times.done();
    let values = rows.values.done();
    let lines = rows.lines.done();
    let back = 0;
    let again = 0;
    for (let k = 1; k < times.length; k++) {
      if (times[k]! < times[k - 1]!) back++;
      else if (times[k] === times[k - 1]) again++;
    }
    if (back || again) {
      const order = Array.from(times.keys()).sort((a, b) => times[a]! - times[b]! || a - b);
      // Steps back among the rows once they are in the order of time.
      back = order.reduce((sum, row, k) => sum + Number(k > 0 && row < order[k - 1]!), 0);
      [times, values, lines] = [times, values, lines].map((x) =>
        Float64Array.from(order, (k) => x[k]!),
      ) as [Float64Array, Float64Array, Float64Array];
      this.refuseClash(channel, times, values, lines);
      const once = Array.from(times.keys()).filter((k) => k === 0 || times[k] !== times[k - 1]);
      again = times.length - once.length;
      [times, values] = [times, values].map((x) => Float64Array.from(once, (k) => x[k]!)) as [
        Float64Array,
        Float64Array,
      ];
      notes.push(
        `${channel}: rows out of time order were sorted (${back} steps back), repeated ones ` +
          `dropped (${again})`,
      );
    }
    const where = `${this.where}, channel '${channel}'`;
    const rate = this.rates[channel] ?? estimateRate(where, times);
    return signalOf(where, times, Float32Array.from(values), rate);
  }

  private refuseClash(
    channel: string,
    times: Float64Array,
    values: Float64Array,
    lines: Float64Array,
  ): void {
    const clash = (k: number) => k > 0 && times[k] === times[k - 1] && values[k] !== values[k - 1];
    const first = times.findIndex((_, k) => clash(k));
    if (first < 0) return;
    const count = times.reduce((sum, _, k) => sum + Number(clash(k)), 0);
    const [one, other] = [lines[first - 1]!, lines[first]!].sort((a, b) => a - b);
    throw new AppError(
      `${this.where}: ${count} samples of ${channel} share their time with one of another value, ` +
        `first line ${one} and line ${other} at ${times[first]!.toFixed(6)} s; times must tell ` +
        "samples apart",
    );
  }

  private cells(record: string): string[] {
    if (!record.includes('"')) return record.split(this.separator);
    const cells: string[] = [];
    let cell = "";
    let quoted = false;
    for (let k = 0; k < record.length; k++) {
      const mark = record[k]!;
      if (mark === '"' && quoted && record[k + 1] === '"') cell += record[++k];
      else if (mark === '"') quoted = !quoted;
      else if (mark === this.separator && !quoted) {
        cells.push(cell);
        cell = "";
      } else cell += mark;
    }
    return [...cells, cell];
  }

  private error(what: string): AppError {
    return new AppError(`${this.where}, line ${this.line}: ${what}`);
  }
}
