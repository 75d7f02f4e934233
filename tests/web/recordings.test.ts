/** A dropped recording gives in the browser what `onwrist predict` gives: numbers, abstentions, reasons. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  APP,
  choose,
  playThrough,
  proof,
  report,
  ROOT,
  SHARED,
  visit,
  type Visit,
} from "./browser.ts";
import { predicted, python, WRITE_E4, type Row } from "./python.ts";
import { serve, type Serving } from "./server.ts";

interface Report {
  model: { name: string; hash: string };
  simulated: boolean;
  recording: string;
  predictions: Row[];
}

const RECORDINGS = join(ROOT, "examples/companion_web/public/recordings");

const E4 = "1560279825_A00204";
const REAL = join(SHARED, "misc_loader_samples/flirt_e4");

let server: Serving;
let here: Visit;
let folder: string;
let tolerance: Record<string, Tolerance>;
/** What `onwrist predict` says, by recording. */
const there: Record<string, Row[]> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onwrist-web-recordings-"));
  python(WRITE_E4, folder);
  const small = ["--bundle", "wrist-himae-small"];
  const runs: Record<string, string[]> = {
    e4: [join(folder, E4), ...small],
    wrist: [join(RECORDINGS, "simulated-wrist.csv"), ...small, "--csv", join(folder, "wrist.csv")],
    days: [join(RECORDINGS, "simulated-days.csv"), "--bundle", "day-lsm2"],
    body: [join(RECORDINGS, "simulated-body.csv"), "--bundle", "body-fusion"],
  };
  if (existsSync(REAL)) runs["real"] = [firstMinutes(REAL), "--bundle", "wrist-himae"];
  const found = predicted(...Object.values(runs));
  Object.keys(runs).forEach((name, k) => (there[name] = found[k]!));
  tolerance = tolerances();
  server = await serve(APP);
  here = await visit(server.origin);
});
afterAll(async () => {
  await here?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  if (!(await proof(here.page)).words.startsWith("wrist-himae-small")) {
    await choose(here.page, "wrist-himae-small");
  }
  await here.page.selectOption("#mode", "window");
});

/** A copy of an E4 export, cut to ten minutes: a start, a rate, and so many rows. */
function firstMinutes(source: string): string {
  const cut = join(folder, "flirt_e4");
  mkdirSync(cut);
  for (const name of ["ACC.csv", "BVP.csv", "EDA.csv", "TEMP.csv"]) {
    const lines = readFileSync(join(source, name), "utf8").split("\n");
    const rate = parseFloat(lines[1]!);
    writeFileSync(join(cut, name), `${lines.slice(0, 2 + 600 * rate).join("\n")}\n`);
  }
  return cut;
}

interface Tolerance {
  /** Where engines round alike; the bundle's golden vectors are held to it. */
  close: Record<string, number>;
  /** Where the last bit of an integer falls otherwise, as now and then in WebAssembly. */
  loose: Record<string, number>;
}

/** What the manifests allow two engines to differ by. */
function tolerances(): Record<string, Tolerance> {
  const code = `
import json, sys
from onwrist.bundles import shipped
print(json.dumps({x.manifest.name: {"close": dict(x.manifest.golden.tolerance), "loose": dict(x.manifest.golden.loose)} for x in shipped()}))`;
  return JSON.parse(python(code)) as Record<string, Tolerance>;
}

/** The same windows, coverage, abstentions, labels and words; numbers within the tolerance. */
function expectSame(own: Row[], other: Row[], { close, loose }: Tolerance): void {
  expect(own.length).toBe(other.length);
  let [numbers, apart] = [0, 0];
  other.forEach((row, k) => {
    const found = own[k]!;
    expect(found.start).toBeCloseTo(row.start, 6);
    expect(found.end).toBeCloseTo(row.end, 6);
    expect(found.coverage).toEqual(row.coverage);
    for (const [sensor, state] of Object.entries(row.sensors)) {
      const { used, coverage, reason } = found.sensors[sensor]!;
      expect({ used, coverage, reason }, sensor).toEqual({
        used: state.used,
        coverage: state.coverage,
        reason: state.reason,
      });
    }
    for (const [task, result] of Object.entries(row.tasks)) {
      const mine = found.tasks[task]!;
      const where = `${task} of window ${k}: ${JSON.stringify(mine)} and ${JSON.stringify(result)}`;
      expect(mine.abstained, where).toBe(result.abstained);
      expect(mine.label ?? null, where).toBe(result.label ?? null);
      // A reason may quote a confidence, which is of two digits.
      expect(words(mine.reason), where).toBe(words(result.reason));
      for (const [one, two] of [
        [mine.value, result.value],
        [mine.confidence, result.confidence],
        ...Object.keys(result.probabilities ?? {}).map((x) => [
          mine.probabilities?.[x],
          result.probabilities?.[x],
        ]),
      ]) {
        if (two === null || two === undefined) {
          expect(one ?? null, where).toBeNull();
          continue;
        }
        const difference = Math.abs(one! - two);
        expect(difference, where).toBeLessThanOrEqual(loose[task]!);
        numbers++;
        apart += Number(!(difference <= close[task]!));
      }
    }
    expect(found.imputed).toEqual(row.imputed);
    for (const [channel, mean] of Object.entries(row.means ?? {})) {
      expect(found.means![channel]!.observed).toBeCloseTo(mean.observed!, 3);
      expect(
        Math.abs(found.means![channel]!.with_imputed! - mean.with_imputed!),
      ).toBeLessThanOrEqual(close["imputed"]!);
    }
  });
  expect(numbers).toBeGreaterThan(2);
  expect(apart / numbers).toBeLessThanOrEqual(0.1);
}

function words(reason: string | null): string | null {
  return reason && reason.replace(/confidence 0\.\d+/, "confidence");
}

async function opened(selector: "#files" | "#folder", paths: string | string[]): Promise<void> {
  const before = await here.page.locator("#recorded").getAttribute("data-count");
  await here.page.setInputFiles(selector, paths);
  await here.page.waitForFunction(
    (count) =>
      document.querySelector<HTMLElement>("#recorded")!.dataset["count"] !== (count ?? undefined),
    before,
  );
}

beforeEach(async () => {
  await here.page.reload();
  expect((await proof(here.page)).words).toContain("wrist-himae-small");
});

describe("wrist-himae-small", () => {
  test("on an E4 folder, and on a zip of it", async () => {
    expect(
      there["e4"]!.some((row) => Object.values(row.tasks).some((task) => task.abstained)),
    ).toBe(true);
    expect(there["e4"]!.some((row) => row.tasks["heart_rate"]!.value !== null)).toBe(true);
    await opened("#folder", join(folder, E4));
    await playThrough(here.page);
    const one = await report<Report>(here.page);
    expect(one.recording).toBe(E4);
    expect(one.simulated).toBe(false);
    expectSame(one.predictions, there["e4"]!, tolerance["wrist-himae-small"]!);
    await opened("#files", join(folder, `${E4}.zip`));
    await playThrough(here.page);
    expect((await report<Report>(here.page)).predictions).toEqual(one.predictions);
  });

  test("on a CSV table with gaps, at any speed and in any pauses", async () => {
    const { page } = here;
    await opened("#files", join(RECORDINGS, "simulated-wrist.csv"));
    await page.selectOption("#speed", "16");
    await page.locator("#play:enabled").click();
    await page.waitForFunction(() => document.querySelectorAll("#log tbody tr").length >= 2);
    await page.click("#play");
    await page.waitForFunction(() => document.querySelector("#play")!.textContent === "Play");
    const shown = await page.locator("#log tbody tr").count();
    await page.click("#step");
    await page.waitForFunction(
      (count) => document.querySelectorAll("#log tbody tr").length > count,
      shown,
    );
    await playThrough(page);
    const { predictions } = await report<Report>(page);
    expectSame(predictions, there["wrist"]!, tolerance["wrist-himae-small"]!);
    const [file] = await Promise.all([page.waitForEvent("download"), page.click("#csv")]);
    const [own, other] = [await file.path(), join(folder, "wrist.csv")].map((x) =>
      readFileSync(x, "utf8").split("\n"),
    );
    expect(own![0]).toBe(other![0]);
    expect(own!.length).toBe(other!.length);
  });

  test("on the simulated one, by steps, as onwrist stream: sooner and oftener", async () => {
    const { page } = here;
    await page.selectOption("#mode", "step");
    await page.click("#simulated");
    await page.waitForFunction(() =>
      document.querySelector("#recorded")!.textContent!.includes("simulated, of nobody"),
    );
    await playThrough(page);
    const { predictions, simulated } = await report<Report>(page);
    expect(simulated).toBe(true);
    const apart = predictions.slice(1).map((row, k) => row.start - predictions[k]!.start);
    expect(new Set(apart.map((x) => x.toFixed(2)))).toEqual(new Set(["1.28"]));
    expect(await page.locator("#latency").textContent()).toMatch(
      /Computed in [\d.]+ ms, p50 [\d.]+ ms over \d+ windows/,
    );
  });

  test("on files that are dropped anywhere on the page", async () => {
    const { page } = here;
    await page.evaluate(() => {
      const rows = Array.from({ length: 1200 }, (_, k) => `${k / 64},${Math.sin(k / 8)}`).join(
        "\n",
      );
      const transfer = new DataTransfer();
      transfer.items.add(new File([`time,ppg\n${rows}\n`], "dropped.csv"));
      const drop = new DragEvent("drop", {
        dataTransfer: transfer,
        bubbles: true,
        cancelable: true,
      });
      document.body.dispatchEvent(drop);
    });
    await page.waitForFunction(() =>
      document.querySelector("#recorded")!.textContent!.startsWith("dropped: 0:18"),
    );
    expect(await page.locator("#recorded").textContent()).toContain("ppg 64 Hz");
    await playThrough(page);
    expect((await report<Report>(page)).predictions.length).toBe(2);
  });
});

test("wrist-himae on a real E4 recording", async ({ skip }) => {
  skip(!there["real"], "../shared/data is absent");
  await choose(here.page, "wrist-himae");
  await opened("#folder", join(folder, "flirt_e4"));
  await playThrough(here.page);
  expectSame(
    (await report<Report>(here.page)).predictions,
    there["real"]!,
    tolerance["wrist-himae"]!,
  );
});

test("day-lsm2 on a tracker's days, with what it imputed", async () => {
  const { page } = here;
  await choose(page, "day-lsm2");
  await opened("#files", join(RECORDINGS, "simulated-days.csv"));
  await page.locator("#json:enabled").waitFor();
  const { predictions } = await report<Report>(page);
  expectSame(predictions, there["days"]!, tolerance["day-lsm2"]!);
  expect(predictions.map((row) => row.date)).toEqual(there["days"]!.map((row) => row.date));
  expect(await page.locator("#day option").count()).toBe(3);
  expect(await page.locator("#day-summary").textContent()).toMatch(/with the model's \d+ minutes/);
});

test("body-fusion on four sensors, one of which dies", async () => {
  const { page } = here;
  await choose(page, "body-fusion");
  await opened("#files", join(RECORDINGS, "simulated-body.csv"));
  await playThrough(page);
  expectSame((await report<Report>(page)).predictions, there["body"]!, tolerance["body-fusion"]!);
});
