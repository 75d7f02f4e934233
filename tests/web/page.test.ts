/** The page for everybody: labels, landmarks, keyboard, contrast in light and dark, a phone, a strap. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBeat, plausibleRate } from "../../examples/companion_web/src/page/heart_rate.ts";
import { APP, choose, playThrough, proof, visit, type Visit } from "./browser.ts";
import { serve, type Serving } from "./server.ts";

// Where screenshots go, to be looked at: SHOTS=folder.
const SHOTS = process.env["SHOTS"];

let server: Serving;

beforeAll(async () => {
  server = await serve(APP);
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
});
afterAll(async () => await server?.stop());

async function shot(page: Visit["page"], name: string): Promise<void> {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** Text whose contrast with what is behind it is below AA, with its ratio. Runs in the page. */
function faint(): string[] {
  const parse = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const channel = (x: number) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]: number[]) =>
    0.2126 * channel(r!) + 0.7152 * channel(g!) + 0.0722 * channel(b!);
  const behind = (element: Element | null): number[] => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3]! > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes]
      .filter((x) => x.nodeType === 3)
      .map((x) => x.textContent!.trim())
      .join("");
    const style = getComputedStyle(element);
    if (!text || !element.checkVisibility() || style.clipPath !== "none") continue;
    if (element.closest("noscript, script, .skip, button:disabled")) continue;
    const [a, b] = [light(parse(style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return found;
}

describe("light and dark, wide and on a phone", () => {
  let here: Visit;

  beforeAll(async () => {
    here = await visit(server.origin, { reducedMotion: "reduce" });
    await proof(here.page);
  });
  afterAll(async () => await here?.close());

  async function expectReadable(name: string): Promise<void> {
    const { page } = here;
    for (const [colorScheme, width] of [
      ["light", 1100],
      ["dark", 1100],
      ["dark", 360],
      ["light", 360],
    ] as const) {
      const where = `${name} ${colorScheme} ${width}`;
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: width === 360 ? 740 : 1000 });
      // Two frames: canvases are drawn anew.
      await page.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      );
      await shot(page, where.replaceAll(" ", "-"));
      expect(await page.evaluate(faint), where).toEqual([]);
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth),
        where,
      ).toBeLessThanOrEqual(width);
      const small = await page.evaluate(() =>
        [...document.querySelectorAll("button, select, input")]
          .filter((each) => each.checkVisibility())
          .filter((each) => each.getBoundingClientRect().height < 40)
          .map((each) => each.id),
      );
      expect(small, where).toEqual([]);
    }
  }

  test("a played recording: contrast of AA, no wider than the screen, large enough to touch", async () => {
    const { page } = here;
    await page.click("#simulated");
    await playThrough(page);
    await page.click("summary");
    await expectReadable("wrist");
  });

  test("so are days", async () => {
    const { page } = here;
    await choose(page, "day-lsm2");
    await page.click("#simulated");
    await page.locator("#json:enabled").waitFor();
    await expectReadable("days");
    expect(here.errors).toEqual([]);
  });
});

describe("for those who do not see it, or use no mouse", () => {
  let here: Visit;

  beforeAll(async () => {
    here = await visit(server.origin, { reducedMotion: "reduce" });
    await proof(here.page);
  });
  afterAll(async () => await here?.close());

  test("everything has a name, a place and one heading order", async () => {
    const { page } = here;
    await page.click("#simulated");
    await page.locator("#play:enabled").waitFor();
    const found = await page.evaluate(() => {
      const name = (each: Element) =>
        each.getAttribute("aria-label") ??
        [...((each as HTMLInputElement).labels ?? [])].map((label) => label.textContent).join("") ??
        "";
      const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
      return {
        lang: document.documentElement.lang,
        title: document.title,
        landmarks: ["header", "main", "footer"].map(
          (tag) => document.querySelectorAll(`body > ${tag}`).length,
        ),
        unnamedFields: [...document.querySelectorAll("input, select, progress, meter")]
          .filter((x) => !name(x).trim())
          .map((x) => x.id),
        unnamedButtons: [...document.querySelectorAll("button")].filter(
          (x) => !x.textContent!.trim(),
        ).length,
        unnamedCanvases: [...document.querySelectorAll("canvas")].filter(
          (x) => x.getAttribute("role") !== "img" || !x.getAttribute("aria-label"),
        ).length,
        unnamedSections: [...document.querySelectorAll("section")].filter(
          (x) => !document.getElementById(x.getAttribute("aria-labelledby")!),
        ).length,
        headings: [...document.querySelectorAll("h1, h2, h3")].map((x) => Number(x.tagName[1])),
        doubled: ids.filter((id, k) => ids.indexOf(id) !== k),
        headers: [...document.querySelectorAll("th")].filter((x) => !x.getAttribute("scope"))
          .length,
      };
    });
    expect(found).toMatchObject({
      lang: "en",
      title: "onwrist companion",
      landmarks: [1, 1, 1],
      unnamedFields: [],
      unnamedButtons: 0,
      unnamedCanvases: 0,
      unnamedSections: 0,
      doubled: [],
      headers: 0,
    });
    expect(found.headings[0]).toBe(1);
    found.headings
      .slice(1)
      .forEach((level, k) => expect(level - found.headings[k]!).toBeLessThanOrEqual(1));
  });

  test("all of it by keyboard, with the focus in sight", async () => {
    const { page } = here;
    await page.reload();
    await proof(page);
    const reached: string[] = [];
    for (let k = 0; k < 40 && !reached.includes("strap"); k++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const each = document.activeElement as HTMLElement;
        const style = getComputedStyle(each);
        return {
          id: each.id || each.className,
          outline: `${style.outlineStyle} ${parseFloat(style.outlineWidth) >= 2}`,
        };
      });
      expect(at.outline, at.id).toBe("solid true");
      reached.push(at.id);
      if (at.id === "simulated") {
        await page.keyboard.press("Enter");
        await page.locator("#play:enabled").waitFor();
      }
      if (at.id === "play") await page.keyboard.press("Space");
    }
    for (const id of [
      "skip",
      "model",
      "model-file",
      "simulated",
      "files",
      "folder",
      "play",
      "step",
      "speed",
      "mode",
      "strap",
    ]) {
      expect(reached).toContain(id);
    }
    await page.waitForFunction(() => document.querySelectorAll("#log tbody tr").length > 1);
  });

  test("results are announced, and not each of them", async () => {
    const { page } = here;
    await page.reload();
    await proof(page);
    await page.evaluate(() => {
      const said: string[] = [];
      Object.assign(window, { said });
      const target = document.querySelector("#announcer")!;
      new MutationObserver(() => said.push(target.textContent!)).observe(target, {
        childList: true,
        subtree: true,
        characterData: true,
      });
    });
    await page.click("#simulated");
    await playThrough(page);
    const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
    expect(await page.locator("#log tbody tr").count()).toBeGreaterThan(30);
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/^heart rate: \d+ bpm, stress: (rest|stress|no answer)$/);
    expect(await page.locator("#announcer").getAttribute("role")).toBe("status");
  });
});

describe("a heart-rate strap", () => {
  const bytes = (...all: number[]) => new DataView(Uint8Array.from(all).buffer);

  test("measurements are read as Bluetooth's Heart Rate Service lays them out", () => {
    expect(parseBeat(bytes(0x00, 72))).toEqual({ bpm: 72, contact: null, intervals: [] });
    expect(parseBeat(bytes(0x01, 0x2c, 0x01))).toEqual({ bpm: 300, contact: null, intervals: [] });
    expect(parseBeat(bytes(0x06, 72))!.contact).toBe(true);
    expect(parseBeat(bytes(0x04, 72))!.contact).toBe(false);
    // Energy of two bytes, then two intervals of 1024 and 512 parts of 1024.
    expect(parseBeat(bytes(0x18, 60, 0xff, 0x00, 0x00, 0x04, 0x00, 0x02))!.intervals).toEqual([
      1, 0.5,
    ]);
    expect(parseBeat(bytes(0x11, 60, 0, 0x00, 0x04, 0x07))!.intervals).toEqual([1]);
    expect(parseBeat(bytes(0x01, 72))).toBeNull();
    expect(parseBeat(bytes())).toBeNull();
    expect(plausibleRate({ bpm: 0, contact: null, intervals: [] })).toBe(false);
    expect(plausibleRate({ bpm: 70, contact: false, intervals: [] })).toBe(false);
  });

  test("its beats become today in the day model; a lost one is looked for again", async () => {
    // No radio here: navigator.bluetooth is played by a strap that drops out once.
    const before: NonNullable<Parameters<typeof visit>[1]>["before"] = async (context) => {
      await context.addInitScript(() => {
        const rate = Object.assign(new EventTarget(), {
          value: null as DataView | null,
          startNotifications: async () => rate,
        });
        let connections = 0;
        const device = Object.assign(new EventTarget(), {
          name: "Strap",
          gatt: {
            connected: true,
            disconnect() {},
            async getPrimaryService(name: string) {
              if (name !== "heart_rate") throw new Error(name);
              return { getCharacteristic: async () => rate };
            },
            async connect() {
              connections++;
              setInterval(() => {
                rate.value = new DataView(Uint8Array.of(0x10, 70 + connections, 0, 4).buffer);
                rate.dispatchEvent(new Event("characteristicvaluechanged"));
              }, 100);
              if (connections === 1)
                setTimeout(() => device.dispatchEvent(new Event("gattserverdisconnected")), 700);
              return device.gatt;
            },
          },
        });
        Object.defineProperty(navigator, "bluetooth", {
          value: { getAvailability: async () => true, requestDevice: async () => device },
        });
      });
    };
    const here = await visit(server.origin, { before, timezoneId: "Asia/Kolkata" });
    try {
      const { page } = here;
      await proof(page);
      await page.click("#strap");
      await page.waitForFunction(() => document.querySelectorAll("#day option").length === 1);
      const today = await page.evaluate(() => new Date().toLocaleDateString("en-CA"));
      expect(await page.locator("#day option").textContent()).toBe(today);
      await page.waitForFunction(() => document.querySelector("#beat")!.textContent === "72 bpm");
      expect(await page.locator("#strap-state").textContent()).toBe("Strap is connected.");
      await page.waitForFunction(() =>
        document.querySelector("#day-summary")!.textContent!.includes("heart rate"),
      );
      expect(await page.locator("#day-summary").textContent()).toContain(
        "abstained, steps coverage",
      );
      await page.click("#strap");
      expect(await page.locator("#strap-state").textContent()).toBe("Not connected.");
      expect(here.errors).toEqual([]);
    } finally {
      await here.close();
    }
  });
});
