/** A dropped recording gives in the browser what `onwrist predict` gives: numbers, abstentions, reasons. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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

let server: Serving;
let here: Visit;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onwrist-web-recordings-"));
  python(WRITE_E4, folder);
  server = await serve(APP);
  here = await visit(server.origin);
  await proof(here.page);
});
afterAll(async () => {
  await here?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Tolerance {
  /** Where engines round alike; the bundle's golden vectors are held to it. */
  close: Record<string, number>;
  /** Where the last bit of an integer falls otherwise, as now and then in WebAssembly. */
  loose: Record<string, number>;
}

/** What the manifest allows two engines to differ by. */
function tolerances(name: string): Tolerance {
  const code = `
import json, sys
from onwrist_runtime.bundle import read
golden = read(sys.argv[1]).manifest.golden
print(json.dumps({"close": dict(golden.tolerance), "loose": dict(golden.loose)}))`;
  return JSON.parse(python(code, join(ROOT, `sdk/onwrist/bundles/${name}.onwrist`))) as Tolerance;
}

/** The same windows, coverage, abstentions, labels and words; numbers within the tolerance. */
function expectSame(here: Row[], there: Row[], { close, loose }: Tolerance): void {
  expect(here.length).toBe(there.length);
  let [numbers, apart] = [0, 0];
  there.forEach((row, k) => {
    const own = here[k]!;
    expect(own.start).toBeCloseTo(row.start, 6);
    expect(own.end).toBeCloseTo(row.end, 6);
    expect(own.coverage).toEqual(row.coverage);
    for (const [sensor, state] of Object.entries(row.sensors)) {
      const { used, coverage, reason } = own.sensors[sensor]!;
      expect({ used, coverage, reason }, sensor).toEqual({
        used: state.used,
        coverage: state.coverage,
        reason: state.reason,
      });
    }
    for (const [task, result] of Object.entries(row.tasks)) {
      const mine = own.tasks[task]!;
      const where = `${task} of window ${k}: ${JSON.stringify(mine)} and ${JSON.stringify(result)}`;
      expect(mine.abstained, where).toBe(result.abstained);
      expect(mine.label ?? null, where).toBe(result.label ?? null);
      // A reason may quote a confidence, which is of two digits.
      expect(words(mine.reason), where).toBe(words(result.reason));
      for (const [one, other] of [
        [mine.value, result.value],
        [mine.confidence, result.confidence],
        ...Object.keys(result.probabilities ?? {}).map((x) => [
          mine.probabilities?.[x],
          result.probabilities?.[x],
        ]),
      ]) {
        if (other === null || other === undefined) {
          expect(one ?? null, where).toBeNull();
          continue;
        }
        const difference = Math.abs(one! - other);
        expect(difference, where).toBeLessThanOrEqual(loose[task]!);
        numbers++;
        apart += Number(!(difference <= close[task]!));
      }
    }
    expect(own.imputed).toEqual(row.imputed);
    for (const [channel, mean] of Object.entries(row.means ?? {})) {
      expect(own.means![channel]!.observed).toBeCloseTo(mean.observed!, 3);
      expect(Math.abs(own.means![channel]!.with_imputed! - mean.with_imputed!)).toBeLessThanOrEqual(
        close["imputed"]!,
      );
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
    const there = predicted(join(folder, "1560279825_A00204"), "--bundle", "wrist-himae-small");
    expect(there.some((row) => Object.values(row.tasks).some((task) => task.abstained))).toBe(true);
    expect(there.some((row) => row.tasks["heart_rate"]!.value !== null)).toBe(true);
    await opened("#folder", join(folder, "1560279825_A00204"));
    await playThrough(here.page);
    const one = await report<Report>(here.page);
    expect(one.recording).toBe("1560279825_A00204");
    expect(one.simulated).toBe(false);
    expectSame(one.predictions, there, tolerances("wrist-himae-small"));
    await opened("#files", join(folder, "1560279825_A00204.zip"));
    await playThrough(here.page);
    expect((await report<Report>(here.page)).predictions).toEqual(one.predictions);
  });

  test("on a CSV table with gaps, at any speed and in any pauses", async () => {
    const { page } = here;
    const there = predicted(
      join(RECORDINGS, "simulated-wrist.csv"),
      "--bundle",
      "wrist-himae-small",
    );
    await page.click("#simulated");
    await page.locator("#play:enabled").waitFor();
    await page.selectOption("#speed", "16");
    await page.click("#play");
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
    const found = await report<Report>(page);
    expect(found.simulated).toBe(true);
    expect(await page.locator("#recorded").textContent()).toContain("simulated, of nobody");
    expectSame(found.predictions, there, tolerances("wrist-himae-small"));
  });

  test("the CSV that it gives is that of onwrist predict --csv", async () => {
    const { page } = here;
    const out = join(folder, "there.csv");
    predicted(
      join(RECORDINGS, "simulated-wrist.csv"),
      "--bundle",
      "wrist-himae-small",
      "--csv",
      out,
    );
    await page.click("#simulated");
    await playThrough(page);
    const [file] = await Promise.all([page.waitForEvent("download"), page.click("#csv")]);
    const [own, other] = [readFileSync(await file.path(), "utf8"), readFileSync(out, "utf8")];
    expect(own.split("\n")[0]).toBe(other.split("\n")[0]);
    expect(own.split("\n").length).toBe(other.split("\n").length);
  });

  test("files that are dropped anywhere on the page are opened", async () => {
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

  test("by steps it predicts as onwrist stream does, sooner and oftener", async () => {
    const { page } = here;
    await page.selectOption("#mode", "step");
    await page.click("#simulated");
    await playThrough(page);
    const { predictions } = await report<Report>(page);
    const apart = predictions.slice(1).map((row, k) => row.start - predictions[k]!.start);
    expect(new Set(apart.map((x) => x.toFixed(2)))).toEqual(new Set(["1.28"]));
    expect(await page.locator("#latency").textContent()).toMatch(
      /Computed in [\d.]+ ms, p50 [\d.]+ ms over \d+ windows/,
    );
  });
});

test("wrist-himae on a real E4 recording", async ({ skip }) => {
  const source = join(SHARED, "misc_loader_samples/flirt_e4");
  skip(!existsSync(source), "../shared/data is absent");
  const there = predicted(source, "--bundle", "wrist-himae");
  expect((await choose(here.page, "wrist-himae")).state).toBe("good");
  await opened("#folder", source);
  await playThrough(here.page);
  const found = await report<Report>(here.page);
  expectSame(found.predictions, there, tolerances("wrist-himae"));
}, 120_000);

test("day-lsm2 on a tracker's days, with what it imputed", async () => {
  const { page } = here;
  const path = join(RECORDINGS, "simulated-days.csv");
  const there = predicted(path, "--bundle", "day-lsm2");
  await choose(page, "day-lsm2");
  await opened("#files", path);
  await page.locator("#json:enabled").waitFor();
  const found = await report<Report>(page);
  expectSame(found.predictions, there, tolerances("day-lsm2"));
  expect(found.predictions.map((row) => row.date)).toEqual(there.map((row) => row.date));
  expect(await page.locator("#day option").count()).toBe(3);
  expect(await page.locator("#day-summary").textContent()).toMatch(/with the model's \d+ minutes/);
});

test("body-fusion on four sensors, one of which dies", async () => {
  const { page } = here;
  const path = join(RECORDINGS, "simulated-body.csv");
  const there = predicted(path, "--bundle", "body-fusion");
  await choose(page, "body-fusion");
  await opened("#files", path);
  await playThrough(page);
  expectSame((await report<Report>(page)).predictions, there, tolerances("body-fusion"));
});
