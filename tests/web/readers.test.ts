/** The app's readers give what Python's readers give, and refuse what those refuse. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRecording } from "../../examples/companion_web/src/readers/index.ts";
import type { NamedFile, Recording } from "../../examples/companion_web/src/readers/recording.ts";
import { python, READ, WRITE_E4 } from "./python.ts";

const TABLES: Record<string, string> = {
  plain:
    "time,ppg,acc_x [mg],notes\n0,1.5,10,\n0.015625,2.5,,word\n0.03125,,30,\n0.046875,3.5,40,\n",
  aliases:
    "Timestamp [ms];BVP;Accel X [m/s2];GSR [nS];Skin Temp [°C]\n0;1;9.80665;500;33\n250;2;0;600;33.5\n500;;;;\n",
  iso: "datetime\tppg\n2016-04-12T00:00:00.5\t1\n2016-04-12 02:00:01+02:00\t2\n2016-04-12T00:00:01.500001Z\t3\n",
  disorder: "time,ppg\n3,30\n1,10\n2,20\n2,20\n0,0\n4,40\n",
  blank: "time,ppg,eda\n0,1,0.1\n\n1,NaN,0.2\n2,3,NA\n3,4,0.4\n,,\n",
  quoted: 'time,"ppg",note\n0,"1","a, b"\n1,"2","say ""x"""\n2,3,"two\nlines"\n',
  tracker: "time,steps,intensity,heart_rate\n0,12,1,72\n60,2000,2,0\n120,-1,5,260\n180,30,1,80\n",
  jitter: `time_ms,ppg\n${Array.from({ length: 40 }, (_, k) => `${Math.round(k * 8.55 + (k > 20 ? 500 : 0))},${k}`).join("\n")}\n`,
  bom: "\ufefftime,ppg\r\n0,1\r\n1,2\r\n",
};
const REFUSED: Record<string, [text: string, message: string]> = {
  clash: ["time,ppg\n0,1\n1,2\n1,3\n", "first line 3 and line 4 at 1.000000 s"],
  words: ["time,ppg\n0,1\n1,two\n2,3\n", "line 3: 'two' where a number of ppg belongs"],
  timeless: [
    "seconds since,ppg\n0,1\n1,2\n",
    'no time column among seconds since, ppg; call one "time"',
  ],
  stray: ["time,ppg\n0,1\n,2\n2,3\n", "line 3: values without a time"],
  milliseconds: ["time,ppg\n1700000000000,1\n1700000000010,2\n", 'call the column "time [ms]"'],
  twice: ["time,ppg,bvp\n0,1,1\n1,2,2\n", "'ppg' and 'bvp' are both ppg"],
  unit: ["time,acc_x [furlong]\n0,1\n1,2\n", "known units are g, mg"],
  empty: ["time,ppg\n", "no rows"],
  late: [
    "time,ppg\nyesterday,1\ntoday,2\n",
    "'yesterday' where a time (seconds or ISO 8601) belongs",
  ],
  wide: ["time,ppg\n0,1\n1,2,3\n", "line 3: 3 cells under 2 headers"],
};

let folder: string;
const paths: string[] = [];
const found = new Map<
  string,
  {
    error?: string;
    notes: string[];
    events: number[];
    signals: Record<string, { times: number[]; values: (number | null)[]; rate: number }>;
  }
>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onwrist-readers-"));
  python(WRITE_E4, folder);
  const refused = Object.entries(REFUSED).map(([name, [text]]) => [name, text] as const);
  for (const [name, text] of [...Object.entries(TABLES), ...refused]) {
    const path = join(folder, name === "iso" ? `${name}.tsv` : `${name}.csv`);
    writeFileSync(path, text);
    paths.push(path);
  }
  paths.push(join(folder, "1560279825_A00204"), join(folder, "1560279825_A00204.zip"));
  const all = JSON.parse(python(READ, ...paths)) as never[];
  paths.forEach((path, k) => found.set(stem(path), all[k]!));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function stem(path: string): string {
  return path.endsWith("zip") ? "zip" : basename(path).replace(/\..*$/, "");
}

async function readHere(name: string): Promise<Recording> {
  const path = paths.find((each) => stem(each) === name)!;
  const folders = name === "1560279825_A00204";
  const files = folders ? readdirSync(path).map((file) => join(path, file)) : [path];
  return await readRecording(
    files.map((file): NamedFile => ({
      path: folders ? `${name}/${basename(file)}` : basename(file),
      file: new Blob([readFileSync(file)]),
    })),
  );
}

test.each([...Object.keys(TABLES), "1560279825_A00204", "zip"])(
  "%s is read as in Python",
  async (name) => {
    const there = found.get(name)!;
    expect(there.error).toBeUndefined();
    const here = await readHere(name);
    expect(Object.keys(here.signals).sort()).toEqual(Object.keys(there.signals).sort());
    for (const [channel, signal] of Object.entries(there.signals)) {
      const own = here.signals[channel]!;
      expect(Array.from(own.times), channel).toEqual(signal.times);
      expect(
        Array.from(own.values, (x) => (Number.isNaN(x) ? null : x)),
        channel,
      ).toEqual(signal.values);
      expect(own.rate / signal.rate, channel).toBeCloseTo(1, 12);
    }
    expect(here.events).toEqual(there.events);
    const repaired = here.notes.filter((note) => note.includes("count as missing"));
    expect(repaired).toEqual(there.notes);
  },
);

test.each(Object.entries(REFUSED))("%s is refused, as in Python", async (name, [, message]) => {
  expect(found.get(name)!.error).toBeTruthy();
  await expect(readHere(name)).rejects.toThrow(message);
});

test("a damaged E4 export is refused with its file and line", async () => {
  const files = (text: string): NamedFile[] => [{ path: "x/BVP.csv", file: new Blob([text]) }];
  await expect(readRecording(files("1\n64\n1\nx\n"))).rejects.toThrow(
    "x/BVP.csv, line 4: 'x' where a number belongs",
  );
  await expect(readRecording(files("1\n64\n1\n\n2\n"))).rejects.toThrow(
    "line 4: 0 columns where 1 belong",
  );
  await expect(readRecording(files("1\n64\n"))).rejects.toThrow("a start time, a rate and samples");
  await expect(readRecording(files("1\n0\n5\n"))).rejects.toThrow("a rate must be from");
});

test("a damaged zip is refused, and one that unpacks to more than it says", async () => {
  const zip = readFileSync(join(folder, "1560279825_A00204.zip"));
  const read = (bytes: Uint8Array) =>
    readRecording([{ path: "x.zip", file: new Blob([Uint8Array.from(bytes)]) }]);
  await expect(read(zip.subarray(0, zip.length - 30))).rejects.toThrow("not a readable zip");
  const bent = Buffer.from(zip);
  bent[200]! ^= 0xff;
  await expect(read(bent)).rejects.toThrow(/x\.zip/);
  const short = Buffer.from(zip);
  const entry = short.indexOf(Buffer.from("PK\x01\x02", "latin1"));
  short.writeUInt32LE(10, entry + 24);
  await expect(read(short)).rejects.toThrow("damaged");
});
