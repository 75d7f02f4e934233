/** The app served by a real `onwrist serve`, which computes instead of WebAssembly: the same predictions. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { APP, errorShown, playThrough, proof, report, ROOT, visit, type Visit } from "./browser.ts";
import { PYTHON, type Row } from "./python.ts";

let service: ChildProcess;
let here: Visit;

beforeAll(async () => {
  const run = "import sys; from onwrist.cli import main; sys.exit(main(sys.argv[1:]))";
  const args = ["serve", "wrist-himae-small", "--port", "0", "--app", APP, "--json"];
  service = spawn(PYTHON, ["-c", run, ...args], {
    cwd: ROOT,
    env: { ...process.env, OMP_NUM_THREADS: "1" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface({ input: service.stdout! }), "line")) as [string];
  here = await visit((JSON.parse(line) as { url: string }).url);
  await proof(here.page);
});
afterAll(async () => {
  await here?.close();
  service?.kill();
});

test("what the service predicts is what the browser predicts", async () => {
  const { page } = here;
  await page.click("#simulated");
  await playThrough(page);
  const own = await report<{ predictions: Row[] }>(page);
  await page.selectOption("#engine", "service");
  await page.waitForFunction(
    () => document.querySelector<HTMLElement>("#proof")!.dataset["state"] === "other",
  );
  await playThrough(page);
  const other = await report<{ engine: string; predictions: Row[] }>(page);
  expect(other.engine).toContain("onwrist serve");
  expect(other.predictions.length).toBe(own.predictions.length);
  other.predictions.forEach((row, k) => {
    const mine = own.predictions[k]!;
    expect(row.start).toBeCloseTo(mine.start, 9);
    expect(row.coverage).toEqual(mine.coverage);
    for (const [task, result] of Object.entries(row.tasks)) {
      expect(result.abstained).toBe(mine.tasks[task]!.abstained);
      expect(result.label).toBe(mine.tasks[task]!.label);
      expect(Math.abs((result.value ?? 0) - (mine.tasks[task]!.value ?? 0))).toBeLessThan(0.1);
    }
  });
  expect(here.errors).toEqual([]);
});

test("a model that it does not serve, and its end, are told with what to do", async () => {
  const { page } = here;
  await page.selectOption("#model", "day-lsm2");
  expect(await errorShown(page)).toContain("onwrist serve");
  await page.selectOption("#model", "wrist-himae-small");
  await page.waitForFunction(
    () => document.querySelector<HTMLElement>("#proof")!.dataset["state"] === "other",
  );
  await page.selectOption("#speed", "1");
  await page.locator("#play:enabled").click();
  await page.waitForFunction(() => document.querySelector("#play")!.textContent === "Pause");
  service.kill("SIGKILL");
  expect(await errorShown(page)).toContain("start it again, or choose WebAssembly");
});
