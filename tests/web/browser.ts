/** Debian's or Playwright's Chromium in; the app opened in it, and what a person does there, out. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "playwright-core";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** The build that is tested: that of `build.ts`. */
export const APP = process.env["ONWRIST_APP"] ?? join(ROOT, "examples/companion_web/dist");
export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
export const SHARED = join(ROOT, "../shared/data");

const FLAGS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** What the page wrote to the console as errors, and what it threw. */
  errors: string[];
  close(): Promise<void>;
}

// One for each set of flags; they end with the process of a test file.
const launched = new Map<string, Promise<Browser>>();

function browserWith(args: string[]): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`no Chromium at ${CHROMIUM}: set CHROMIUM to one`);
  const key = args.join(" ");
  const options = { executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...args] };
  const found = launched.get(key) ?? chromium.launch(options);
  launched.set(key, found);
  return found;
}

/**
 * The app in a context of its own, which shares nothing with another.
 *
 * Service workers copy 36 MB each time, so they are for the tests that ask for them (`offline`).
 */
export async function visit(
  origin: string,
  options: BrowserContextOptions & {
    args?: string[];
    offline?: boolean;
    before?: (context: BrowserContext) => Promise<void>;
  } = {},
): Promise<Visit> {
  const { args = [], offline = false, before, ...rest } = options;
  const browser = await browserWith(args);
  const context = await browser.newContext({
    serviceWorkers: offline ? "allow" : "block",
    ...rest,
  });
  await before?.(context);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(origin);
  return { context, page, errors, close: () => context.close() };
}

/** Until the model is opened and proven, or refused; the words that say so. */
export async function proof(page: Page): Promise<{ state: string; words: string }> {
  await page.waitForFunction(
    () =>
      ["good", "bad", "other"].includes(
        document.querySelector<HTMLElement>("#proof")!.dataset["state"]!,
      ),
    null,
    { timeout: 30_000 },
  );
  const element = page.locator("#proof");
  return {
    state: (await element.getAttribute("data-state"))!,
    words: (await element.textContent())!,
  };
}

export async function choose(page: Page, name: string): Promise<{ state: string; words: string }> {
  const before = await page.locator("#proof").textContent();
  await page.selectOption("#model", name);
  await page.waitForFunction(
    (words) => document.querySelector("#proof")!.textContent !== words,
    before,
  );
  return await proof(page);
}

/** Play to the end, as fast as possible. */
export async function playThrough(page: Page): Promise<void> {
  await page.selectOption("#speed", "Infinity");
  await page.locator("#play:enabled").click();
  await page.waitForFunction(
    () => document.querySelector<HTMLElement>("#controls")!.dataset["finished"] === "true",
    null,
    { timeout: 60_000 },
  );
}

/** What the JSON button gives. */
export async function report<T>(page: Page): Promise<T> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#json:enabled")]);
  return JSON.parse(readFileSync(await file.path(), "utf8")) as T;
}

export async function errorShown(page: Page): Promise<string> {
  const error = page.locator("#error:not([hidden])");
  await error.waitFor({ timeout: 30_000 });
  return (await error.textContent())!;
}
