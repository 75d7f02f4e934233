/** After the first visit the app works without its server: it loads, proves itself and predicts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { APP, choose, playThrough, proof, report, visit, type Visit } from "./browser.ts";
import type { Row } from "./python.ts";
import { serve, type Serving } from "./server.ts";

let server: Serving;
let here: Visit;

beforeAll(async () => {
  server = await serve(APP);
  here = await visit(server.origin, { offline: true });
});
afterAll(async () => {
  await here?.close();
  await server?.stop().catch(() => undefined);
});

test("with the server gone it loads again, proves every bundle and predicts", async () => {
  const { page } = here;
  await proof(page);
  await page.waitForFunction(() =>
    document.querySelector("#offline")!.textContent!.includes("works offline"),
  );
  await server.stop();
  await here.context.setOffline(true);
  const before = server.seen.length;
  await page.reload();
  expect((await proof(page)).state).toBe("good");
  for (const name of ["wrist-himae", "day-lsm2", "body-fusion", "wrist-himae-small"]) {
    expect((await choose(page, name)).words, name).toContain("golden vectors reproduced");
  }
  await page.click("#simulated");
  await playThrough(page);
  const { predictions } = await report<{ predictions: Row[] }>(page);
  expect(predictions.length).toBeGreaterThan(30);
  expect(predictions.some((row) => row.tasks["heart_rate"]!.value !== null)).toBe(true);
  expect(server.seen.length).toBe(before);
});

test("it can be installed: a manifest with icons that are there, and a worker over all of it", async () => {
  const { page } = here;
  const manifest = (await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=manifest]")!;
    return await (await fetch(link.href)).json();
  })) as {
    name: string;
    start_url: string;
    display: string;
    icons: { src: string; sizes: string; purpose?: string }[];
  };
  expect(manifest).toMatchObject({ start_url: "/", display: "standalone" });
  const sizes = await page.evaluate(
    async (icons) =>
      await Promise.all(
        icons.map(async ({ src }) => {
          const image = new Image();
          image.src = src;
          await image.decode();
          return `${image.naturalWidth}x${image.naturalHeight}`;
        }),
      ),
    manifest.icons.filter(({ sizes }) => sizes !== "any"),
  );
  expect(sizes).toEqual(["192x192", "512x512", "512x512"]);
  expect(manifest.icons.some(({ purpose }) => purpose === "maskable")).toBe(true);
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toContain(
    "/sw.js",
  );
});
