/** What cannot be used is refused in one clear message that says what to do. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { APP, choose, errorShown, proof, ROOT, visit, type Visit } from "./browser.ts";
import { python } from "./python.ts";
import { serve, type Serving } from "./server.ts";

const SHIPPED = join(ROOT, "sdk/onwrist/bundles/wrist-himae-small.onwrist");

// Bundles that are whole in all else: of a format to come, and without ONNX graphs.
const FORGE = `
import json, sys, hashlib
from pathlib import Path
from onwrist_runtime import strict_zip
import zipfile
source, out = map(Path, sys.argv[1:])
with zipfile.ZipFile(source) as archive:
    files = {name: archive.read(name) for name in archive.namelist()}
def pack(name, manifest, files):
    files = {"manifest.json": json.dumps(manifest).encode(), **{k: v for k, v in files.items() if k != "manifest.json"}}
    (out / name).write_bytes(b"".join(strict_zip.pack(files)))
manifest = json.loads(files["manifest.json"])
pack("later.onwrist", manifest | {"format": 2}, files)
onnx = [name for name in files if name.endswith(".onnx")]
less = manifest | {
    "graphs": [x for x in manifest["graphs"] if x["format"] != "onnx"],
    "members": {k: v for k, v in manifest["members"].items() if k not in onnx},
}
pack("watch.onwrist", less, {k: v for k, v in files.items() if k not in onnx})
`;

let server: Serving;
let here: Visit;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onwrist-bad-"));
  python(FORGE, SHIPPED, folder);
  server = await serve(APP);
  here = await visit(server.origin);
  await proof(here.page);
});
afterAll(async () => {
  await here?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function written(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe("a bundle", () => {
  async function refused(path: string): Promise<string> {
    await here.page.setInputFiles("#model-file", path);
    const message = await errorShown(here.page);
    const shown = await proof(here.page);
    expect(shown.state).toBe("bad");
    expect(shown.words).toBe(`Not opened: ${message}`);
    expect(await here.page.locator("#play").isDisabled()).toBe(true);
    return message;
  }

  test("with one byte of a graph flipped", async () => {
    const bytes = readFileSync(SHIPPED);
    const name = Buffer.from("model.s8.onnx");
    let entry = bytes.indexOf("PK\x03\x04", 0, "latin1");
    while (
      !bytes
        .subarray(entry + 30)
        .subarray(0, name.length)
        .equals(name)
    ) {
      entry = bytes.indexOf("PK\x03\x04", entry + 4, "latin1");
    }
    bytes[entry + 5000]! ^= 1;
    const message = await refused(written("flipped.onwrist", bytes));
    expect(message).toContain("model.s8.onnx");
    expect(message).toMatch(/damaged|altered|CRC|SHA-256/);
  });

  test("that was cut off", async () => {
    const bytes = readFileSync(SHIPPED);
    expect(await refused(written("cut.onwrist", bytes.subarray(0, 1_000_000)))).toMatch(
      /truncated|cut|end|short/i,
    );
  });

  test("that is none", async () => {
    expect(await refused(written("text.onwrist", "hello"))).toMatch(/zip|bundle/);
  });

  test("of another format version", async () => {
    expect(await refused(join(folder, "later.onwrist"))).toMatch(/format 2.*|version 2.*/);
  });

  test("without a graph that browsers can run", async () => {
    expect(await refused(join(folder, "watch.onwrist"))).toMatch(/onnx/i);
  });

  test("of gigabytes, before it is read", async () => {
    const path = written("huge.onwrist", "PK");
    truncateSync(path, 5_000_000_000);
    expect(await refused(path)).toMatch(/MiB|GB|large|bytes/);
  });

  test("and a good one opens after that", async () => {
    await here.page.setInputFiles("#model-file", SHIPPED);
    await here.page.waitForFunction(
      () => document.querySelector<HTMLElement>("#proof")!.dataset["state"] === "good",
    );
    expect(await here.page.locator("#error").isHidden()).toBe(true);
  });
});

describe("a recording", () => {
  beforeEach(async () => {
    if ((await here.page.locator("#proof").getAttribute("data-state")) !== "good") {
      await choose(here.page, "wrist-himae-small");
    }
  });

  async function refused(path: string): Promise<string> {
    await here.page.setInputFiles("#files", path);
    return await errorShown(here.page);
  }

  test("without a channel that the model takes", async () => {
    const message = await refused(written("tide.csv", "time,height\n0,1\n1,2\n2,3\n"));
    expect(message).toContain("tide has height, but wrist-himae-small takes ppg, acc_x");
    expect(message).toContain("rename the columns");
  });

  test("of which every sample is missing", async () => {
    const message = await refused(written("ppg.csv", "time,ppg\n0,\n1,\n2,NaN\n"));
    expect(message).toBe("ppg.csv: no column holds samples");
  });

  test("of 5 GB, before it is read", async () => {
    const path = written("huge.csv", "time,ppg\n");
    truncateSync(path, 5_000_000_000);
    const before = performance.now();
    const message = await refused(path);
    expect(message).toBe(
      "huge.csv has 5.0 GB, and this page reads files up to 512 MiB: cut the recording into parts, or use onwrist predict",
    );
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test("that is no text", async () => {
    expect(
      await refused(written("noise.csv", Uint8Array.from([0x74, 0x2c, 0xff, 0xfe, 0x0a]))),
    ).toContain("not text");
  });

  test("in another format", async () => {
    const message = await refused(written("x.zip", "PK nothing"));
    expect(message).toContain("not a readable zip");
  });

  test("that is refused leaves the one before as it was", async () => {
    const { page } = here;
    await page.click("#simulated");
    await page.locator("#play:enabled").waitFor();
    await refused(written("tide.csv", "time,height\n0,1\n1,2\n2,3\n"));
    expect(await page.locator("#recorded").textContent()).toContain("simulated-wrist");
    await page.click("#step:enabled");
    await page.waitForFunction(() => document.querySelectorAll("#log tbody tr").length === 1);
  });

  test("in wrong units is read, and said to be strange", async () => {
    const rows = Array.from({ length: 600 }, (_, k) => `${k / 4},${33000 + (k % 7)}`).join("\n");
    await here.page.setInputFiles("#files", written("hot.csv", `time,temp\n${rows}\n`));
    await here.page.waitForFunction(() => document.querySelector("#notes li"));
    expect(await here.page.locator("#notes").textContent()).toContain(
      "temp: 100 % of the samples lie outside 15 to 45 degC",
    );
  });
});

describe("a browser", () => {
  async function told(options: Parameters<typeof visit>[1]): Promise<string> {
    const other = await visit(server.origin, options);
    try {
      expect((await proof(other.page)).state).toBe("bad");
      return await errorShown(other.page);
    } finally {
      await other.close();
    }
  }

  test("without WebAssembly (V8 started --jitless)", async () => {
    const message = await told({ args: ["--js-flags=--jitless"] });
    expect(message).toContain("This browser has no WebAssembly");
    expect(message).toContain("onwrist serve");
  });

  test("without SIMD (V8 started without SSE 4.1)", async () => {
    expect(await told({ args: ["--js-flags=--no-enable-sse4-1"] })).toContain("has no SIMD");
  });

  test("without threads (no flag of Chromium takes them away: atomics do not validate)", async () => {
    const before: NonNullable<Parameters<typeof visit>[1]>["before"] = (context) =>
      context
        .addInitScript(() => {
          const real = WebAssembly.validate.bind(WebAssembly);
          WebAssembly.validate = (bytes) =>
            !Array.from(bytes as Uint8Array).includes(0xfe) && real(bytes);
        })
        .then(() => undefined);
    expect(await told({ before })).toContain("has no threads (atomics)");
  });

  test("whose worker dies says so", async () => {
    const page = await here.context.newPage();
    await page.goto(server.origin);
    await proof(page);
    const worker = page.workers().find((each) => each.url().startsWith("blob:"))!;
    await worker.evaluate(
      () =>
        void setTimeout(() => {
          throw new Error("out of memory");
        }, 0),
    );
    const message = await errorShown(page);
    expect(message).toContain("out of memory");
    expect(message).toContain("reload the page");
    await page.close();
  });
});

describe("Bluetooth", () => {
  const asked = async (fake: string): Promise<string> => {
    const page = await here.context.newPage();
    await page.addInitScript(`Object.defineProperty(navigator, "bluetooth", { value: ${fake} })`);
    await page.goto(server.origin);
    await page.click("#strap");
    const state = page.locator("#strap-state:not(:empty)");
    await state.waitFor();
    const words = await state.textContent();
    expect(await page.locator("#strap").textContent()).toBe("Connect a heart-rate strap");
    await page.close();
    return words!;
  };
  const refusing = (name: string) =>
    `{ requestDevice: async () => { throw new DOMException("x", "${name}"); } }`;

  test("that is not there, is off, was refused, or found nothing: each says what to do", async () => {
    expect(await asked("undefined")).toContain("use Chrome or Edge");
    expect(await asked("{ getAvailability: async () => false }")).toContain("switch it on");
    expect(await asked(refusing("NotAllowedError"))).toContain("allow it for this site");
    expect(await asked(refusing("NotFoundError"))).toContain("wear it");
  });
});
