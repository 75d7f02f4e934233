/** A forged file against every rule of BUNDLE.md: each is refused, with the right reason. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { beforeAll, describe, expect, test } from "vitest";

import { type Change, type Entry, bytes, entriesOf, type Lies, withManifest, zip } from "./forge.js";
import {
  BundleError,
  fromUrl,
  InputError,
  openBundle,
  openFiles,
  readBundle,
  readTensors,
} from "./host.js";
import { bundleOf, bytesOf, NAMES } from "./shipped.js";

let wrist: Entry[];
let day: Entry[];
let fusion: Entry[];

beforeAll(async () => {
  wrist = await entriesOf("wrist-himae-small");
  day = await entriesOf("day-lsm2");
  fusion = await entriesOf("body-fusion");
});

async function refuse(raw: Uint8Array, message: RegExp): Promise<void> {
  const opening = openBundle(raw);
  await expect(opening).rejects.toThrow(BundleError);
  await expect(opening).rejects.toThrow(message);
}

/** The value at a path of the manifest is set to another. */
const set = (...path: unknown[]): Change => (manifest) => {
  const value = path.pop();
  const last = path.pop() as string;
  path.reduce((record: any, key: any) => record[key], manifest)[last] = value;
  path.push(last, value);
};

test("the forger makes valid bundles when it does not lie", async () => {
  for (const entries of [wrist, day, fusion]) {
    const bundle = await openBundle(zip(entries));
    expect(new TextDecoder().decode(bundle.member("CARD.md"))).toBe("this is CARD.md");
  }
});

test("shipped bundles are what their manifests say", async () => {
  for (const name of NAMES) {
    const bundle = await bundleOf(name);
    expect(bundle.manifest.name).toBe(name);
    expect(bundle.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(bundle.golden().get("values")?.shape[0]).toBe(bundle.manifest.golden.windows);
    expect(() => bundle.member("setup.py")).toThrow(InputError);
  }
});

test("what is opened is a copy", async () => {
  const raw = zip(wrist);
  const bundle = await openBundle(raw);
  raw.fill(0);
  expect(bundle.member("CARD.md")[0]).toBe("t".charCodeAt(0));
});

test("a file of gigabytes is refused before it is read", async () => {
  const huge = { size: 5e9, arrayBuffer: () => Promise.reject(new Error("it was read")) };
  await expect(readBundle(huge as unknown as Blob)).rejects.toThrow(/5000000000 bytes/);
  await expect(readBundle(new Blob([bytesOf("day-lsm2") as BlobPart]))).resolves.toBeDefined();
});

test("unpacked files are read from a folder, each by the hash of the bundle", async () => {
  const packed = await bundleOf("day-lsm2");
  const served = new Map(["manifest.json", "CARD.md"].map((name) => [`/day/${name}`, packed.member(name)]));
  const server = createServer((request, response) => {
    const found = served.get(request.url!);
    response.writeHead(found ? 200 : 404).end(found);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const read = fromUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}/day/`);
  try {
    const opened = await openFiles(read, packed.hash, ["CARD.md"]);
    expect(opened.manifest).toEqual(packed.manifest);
    expect([...opened.member("CARD.md")]).toEqual([...packed.member("CARD.md")]);
    expect(() => opened.member("embed.s8.onnx")).toThrow(InputError);
    const opening = (names: string[], hash = packed.hash) => openFiles(read, hash, names);
    await expect(opening(["embed.s8.onnx"])).rejects.toThrow(/embed.s8.onnx cannot be had: 404/);
    await expect(opening([], "0".repeat(64))).rejects.toThrow(/has the SHA-256 .* of another bundle/);
    served.set("/day/CARD.md", packed.member("CARD.md").map((byte) => byte ^ 1));
    await expect(opening(["CARD.md"])).rejects.toThrow(/CARD.md does not have the SHA-256/);
    served.set("/day/setup.py", bytes("import os"));
    await expect(opening(["setup.py"])).rejects.toThrow(/names no member setup.py/);
  } finally {
    server.close();
  }
});

describe("the file", () => {
  test.each([0, 3, 29, 100, 2000, -23, -22, -1])("truncated at %d", (at) =>
    refuse(zip(wrist).slice(0, at), /truncated/),
  );

  test("no truncation is ever read", async () => {
    const raw = zip(wrist);
    for (let length = 0; length < raw.length; length += 7) {
      await expect(openBundle(raw.subarray(0, length))).rejects.toThrow(BundleError);
    }
  });

  const lies: [string, Lies, Lies, RegExp][] = [
    ["a gap between entries", { after: bytes("hidden") }, {}, /directory entry of 'manifest.json'/],
    ["a gap before the directory", {}, { gap: bytes("hidden bytes") }, /has the signature/],
    ["a gap before the end record", {}, { before: bytes("hidden") }, /end record has the signature/],
    ["overlapping entries", { central_offset: 0 }, {}, /'CARD.md' has the offset 0/],
    ["a directory elsewhere", {}, { offset: 0 }, /end record has the directory offset 0/],
    ["a directory of fewer entries", {}, { entries: 1, here: 1 }, /end record has the entries/],
    ["a comment of the archive", {}, { comment: bytes("note") }, /comment length 4/],
    ["a comment of an entry", { central_comment: bytes("note") }, {}, /comment length 4/],
    ["an extra field", { local_extra: Uint8Array.of(1, 0, 0, 0) }, {}, /extra fields/],
    ["zip64 sizes", { size: 0xffffffff, stored: 0xffffffff }, {}, /zip64/],
    ["a zip64 end record", {}, { before: bytes("PK\x06\x06" + "\0".repeat(52)) }, /zip64/],
    ["a data descriptor", { flags: 8 }, {}, /data descriptor/],
    ["encryption", { flags: 1 }, {}, /the flags 1, not 0/],
    ["compression", { method: 8 }, {}, /compressed/],
    ["a size of gigabytes", { size: 2 ** 31, stored: 2 ** 31 }, {}, /truncated.*2147483648 bytes/],
    ["the name of another file", { central_name: bytes("CARD.MD") }, {}, /the name 'CARD.MD'/],
    ["a link", { central_attributes: (0o120777 << 16) >>> 0 }, {}, /external attributes/],
    ["what Unix made", { central_made: 0x0314 }, {}, /version made by/],
    ["another date", { date: 0x5000 }, {}, /the date 20480, not 33/],
    ["another time", { time: 1 }, {}, /the time 1, not 0/],
    ["another version", { needed: 10 }, {}, /version needed 10, not 20/],
    ["a wrong CRC-32", { crc: 1 }, {}, /CARD.md does not have the CRC-32/],
    ...["needed", "flags", "time", "date", "crc", "stored", "size", "method"].map(
      (field): [string, Lies, Lies, RegExp] => [
        `headers that disagree on ${field}`, { [`central_${field}`]: 1 }, {}, /directory entry of 'CARD.md'/,
      ],
    ),
  ];
  test.each(lies)("%s", (_, lie, end, message) => refuse(zip(wrist, "CARD.md", lie, end), message));

  test.each(["/etc/passwd", "../../.bashrc", "..", "a/b", "a\\b", "C:\\x", "", "-rf", "x\x1b[2J", "ä"])(
    "a name that leads elsewhere: %j",
    (name) => refuse(zip([wrist[0]!, [name, bytes("x")]]), /no plain file/),
  );

  const others: [string, () => Uint8Array, RegExp][] = [
    ["bytes that follow", () => Uint8Array.of(...zip(wrist), 0), /1 bytes follow/],
    ["bytes before", () => Uint8Array.of(...bytes("#!/bin/sh\n"), ...zip(wrist)), /starts with '#!\/b'/],
    ["a program", () => Uint8Array.of(...bytes("\x7fELF"), ...new Uint8Array(1000)), /not a bundle/],
    ["no entry", () => zip([]), /not a bundle/],
    ["many entries", () => zip(Array.from({ length: 100 }, (_, k) => [`f${k}`, bytes("")])), /more than 64/],
    ["an entry twice", () => zip([...wrist, wrist.at(-1)!]), /appears twice/],
    ["a manifest of megabytes", () => zip([["manifest.json", new Uint8Array(2 ** 20 + 1)]]), /manifest.json is larger/],
    ["a manifest that is not first", () => zip([...wrist].reverse()), /first entry is 'step.u8.onnx'/],
    ["another order", () => zip([wrist[0]!, ...wrist.slice(1).reverse()]), /not in the order CARD.md, golden/],
    ["a member too few", () => zip(wrist.slice(0, -1)), /step.u8.onnx is missing/],
    ["a member too many", () => zip([...wrist, ["zetup.py", bytes("import os")]]), /names no member zetup.py/],
  ];
  test.each(others)("%s", (_, forged, message) => refuse(forged(), message));

  test("a forged byte in every member", async () => {
    for (const [k, [name, data]] of wrist.entries()) {
      if (!k) continue;
      const changed = data.map((byte, place) => (place ? byte : byte ^ 1));
      const forged = wrist.map((entry, at): Entry => (at === k ? [name, changed] : entry));
      await refuse(zip(forged), new RegExp(`${name} does not have the SHA-256`));
      const short = wrist.map((entry, at): Entry => (at === k ? [name, bytes("short")] : entry));
      await refuse(zip(short), new RegExp(`${name} has 5 bytes, the manifest says ${data.length}`));
    }
  });

  test("no changed byte is ever read", async () => {
    const honest = zip(wrist);
    let seed = 7;
    for (let k = 0; k < 300; k++) {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      const raw = honest.slice();
      raw[seed % raw.length]! ^= 1 << (k % 8);
      await expect(openBundle(raw)).rejects.toThrow(BundleError);
    }
  });
});

describe("the manifest", () => {
  test.each([0, 2, 999, -1])("of format %d", (format) =>
    refuse(
      withManifest(wrist, (m) => Object.assign(m, { format, other: { new: 1 } })),
      new RegExp(`of format ${format}, and this @onwrist/stream reads format 1 only; (update|pack)`),
    ),
  );

  test.each(["", "{", "[]", "null", "\uFEFF{}", "[".repeat(1e5), '{"a":'.repeat(1e5), '{"format":1.0}'])(
    "that is none (%#)",
    (text) => refuse(zip([["manifest.json", bytes(text)], ...wrist.slice(1)]), /manifest.json/),
  );

  test("that is no UTF-8", () =>
    refuse(zip([["manifest.json", Uint8Array.of(0xff, 0xfe, 0x7b, 0x7d)]]), /manifest.json/));

  test("with a key twice", async () => {
    const text = new TextDecoder().decode(wrist[0]![1]);
    const twice = text.replace('"rate":', '"rate":100.0,"rate":');
    await refuse(zip([["manifest.json", bytes(twice)], ...wrist.slice(1)]), /key 'rate' appears twice/);
  });

  test.each(["NaN", "Infinity", "1e999", "null", '"25"'])("with a number that is none: %s", async (lie) => {
    const text = new TextDecoder().decode(wrist[0]![1]).replace(/"rate":25(\.0)?/, `"rate":${lie}`);
    await refuse(zip([["manifest.json", bytes(text)], ...wrist.slice(1)]), /manifest.json/);
  });

  test("with a field missing, unknown or mistyped, wherever", async () => {
    const optional = /\.(offset|scale|unit|labels|any_of|role|sensor|baseline|step|steps|tokens|aggregation|availability|fusion|plausible|usual|turned|exchanged|alarms|interpolated)$/;
    const open = /\.(required|any_of|temperatures|minimum_confidence|exchanged)\.[^.]+$|\.(wrist|chest|waist|ankle)$/;
    let tried = 0;
    for (const entries of [wrist, day, fusion]) {
      const whole = JSON.parse(new TextDecoder().decode(entries[0]![1]));
      for (const path of pathsOf(whole).filter((_, k) => k % 11 === 0)) {
        const dotted = `.${path.join(".")}`;
        const at = (m: any) => path.slice(0, -1).reduce((record, key) => record[key], m);
        const last = path.at(-1)!;
        await refuse(withManifest(entries, (m) => (at(m)[last] = { a: {} })), /manifest.json/);
        await refuse(withManifest(entries, (m) => (at(m)[last] = [[]])), /manifest.json/);
        if (typeof last === "string" && !optional.test(dotted) && !open.test(dotted)) {
          await refuse(withManifest(entries, (m) => delete at(m)[last]), /manifest.json/);
        }
        if (!Array.isArray(at(whole))) {
          await refuse(withManifest(entries, (m) => (at(m)["more"] = 1)), /manifest.json/);
        }
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(100);
  });

  test.each<[Change, RegExp]>([
    [set("rate", 0), /rate must be above 0/],
    [set("samples", 0), /at least 1 sample/],
    [set("samples", 1e9), /at most 16777216 numbers/],
    [set("samples", 256.5), /expected a whole number/],
    [set("name", "../toy"), /the bundle's name is '..\/toy'/],
    [set("version", "one point oh"), /the version/],
    [set("description", "\x1b[2J"), /the description must be/],
    [set("channels", []), /at least one channel/],
    [set("channels", 1, "name", "ppg"), /channel 'ppg' appears twice/],
    [set("channels", 0, "minimum", 1e9), /not below maximum/],
    [set("channels", 0, "scale", 0), /scale must be above 0/],
    [set("channels", 0, "normalization", "zscore"), /standard or log, got 'zscore'/],
    [set("channels", 0, "aggregation", "sum"), /bundle without tokens it is resample/],
    [set("channels", 0, "rate", 1e9), /to 100000 Hz, not 1000000000/],
    [set("baseline", { seconds: 0, samples: 25 }), /baseline: seconds must be above 0/],
    [set("baseline", { seconds: 600, samples: 257 }), /to the 256 of a window, not 257/],
    [set("step", { samples: 20, state: 9 }), /step: samples must divide the 256/],
    [set("step", { samples: 32, state: 2 ** 40 }), /step: state must be from 1/],
    [set("step", null), /graphs of a step if and only if/],
    [set("golden", "steps", 0), /1 to 1024 golden steps, not 0/],
    [set("embedding", 0, "start", -1), /must start at 0/],
    [set("embedding", 0, "stop", 1e9), /must start at 1000000000/],
    [set("tasks", 0, "name", "embedding"), /must not be called 'embedding'/],
    [set("tasks", 0, "name", "effort_scale"), /must not be called 'effort_scale'/],
    [set("tasks", 0, "labels", ["a", "b"]), /a regression has no labels/],
    [set("tasks", 1, "labels", ["rest"]), /needs two labels/],
    [set("tasks", 0, "required", { pgp: 0.5 }), /coverage is asked of 'pgp'.*ppg/],
    [set("tasks", 0, "minimum_confidence", -0.1), /between 0 and 1/],
    [set("graphs", []), /graphs of a window if and only if neither `tokens`/],
    [set("graphs", 1, "file", "../x"), /'..\/x'|members lists no/],
    [set("golden", "windows", 1e9), /golden windows, not 1000000000/],
    [set("golden", "tolerance", {}), /tolerance must name the outputs embedding/],
    [set("golden", "loose", "embedding", -1), /loose must not be below 0/],
    [set("members", "CARD.md", "bytes", -1), /-1 is no size/],
    [set("members", "CARD.md", "sha256", "A".repeat(64)), /sha256 is 'AAAA/],
    [set("members", "../x", { bytes: 1, sha256: "0".repeat(64) }), /nothing refers to/],
    [(m) => Object.defineProperty(m, "__proto__", { value: {}, enumerable: true }), /unknown field __proto__/],
  ])("with a contradiction (%#)", (change, message) => refuse(withManifest(wrist, change), message));

  test.each<[Change, RegExp]>([
    [set("tokens", null), /in a bundle without tokens it is resample/],
    [set("rate", 0.016), /whole seconds apart, not 62.5/],
    [set("rate", 1 / 30), /windows of a day .* each 30 s/],
    [set("tokens", "patch", 100), /must divide the 1440 grid points.*not be 100/],
    [set("tokens", "groups", []), /1 to 256 groups, not 0/],
    [set("tokens", "groups", 0, "channels", []), /must have a channel/],
    [set("tokens", "width", 2 ** 20), /at most 4194304 numbers/],
    [set("tokens", "sizes", [0, 24]), /must ascend from above 0/],
    [set("tokens", "interpolated", "pulse"), /interpolated is 'pulse', but the channels/],
    [set("tokens", "interpolated", null), /graphs that decode if and only if/],
  ])("with a contradiction of tokens (%#)", (change, message) => refuse(withManifest(day, change), message));

  test.each<[Change, RegExp]>([
    [set("availability", "least", 0), /least must be above 0 and at most 1, not 0/],
    [set("availability", "patterns", []), /1 to 1024 patterns, not 0/],
    [set("availability", "patterns", 0, "sensors", ["wirst"]), /pattern 'wirst'.*wrist, chest/],
    [set("availability", "patterns", 0, "temperatures", "effort", 1), /must be of the same tasks/],
    [set("availability", "patterns", 0, "temperatures", "activity", 1e30), /from 0.001 to 1000/],
    [set("availability", null), /a bundle with fusion must have availability/],
    [set("fusion", null), /`plausible` is for a bundle with fusion only|graphs of a window if/],
    [set("fusion", "width", 2 ** 20), /4 sensors at most 4194304 numbers/],
    [set("fusion", "restores", false), /graphs that decode if and only if/],
    [set("graphs", 0, "sensor", null), /a graph has a sensor if and only if its role is/],
    [set("plausible", 0, "gravity", [2, 1]), /gravity must ascend from 0/],
    [set("plausible", 0, "acceleration", 0, "nose_x"), /'nose_x' is no channel of that sensor/],
    [set("plausible", 0, "rails", [2, 0]), /rails must be between 0 and 1/],
  ])("with a contradiction of sensors (%#)", (change, message) => refuse(withManifest(fusion, change), message));
});

describe("golden vectors", () => {
  const file = (header: object, data: number): Uint8Array => {
    const text = bytes(JSON.stringify(header));
    const raw = new Uint8Array(8 + text.length + data);
    new DataView(raw.buffer).setBigUint64(0, BigInt(text.length), true);
    raw.set(text, 8);
    return raw;
  };
  const tensor = (from: number, to: number, shape = [1], dtype = "F32") => ({
    dtype, shape, data_offsets: [from, to],
  });

  test("are read as they stand", () => {
    const found = readTensors(file({ a: tensor(0, 4), b: tensor(4, 8) }, 8), "g");
    expect([...found.keys()]).toEqual(["a", "b"]);
  });

  test.each<[string, Uint8Array]>([
    ["no header", new Uint8Array(3)],
    ["a header of exabytes", new Uint8Array(8).fill(255)],
    ["no JSON", file([], 0).fill(1, 8)],
    ["a gap", file({ a: tensor(4, 8) }, 8)],
    ["an overlap", file({ a: tensor(0, 4), b: tensor(0, 4) }, 4)],
    ["bytes left over", file({ a: tensor(0, 4) }, 8)],
    ["a place beyond the end", file({ a: tensor(0, 400, [100]) }, 4)],
    ["a shape of gigabytes", file({ a: tensor(0, 4, [1e9, 1e9]) }, 4)],
    ["an unknown type", file({ a: tensor(0, 4, [1], "F4") }, 4)],
    ["a type of another kind", file({ a: tensor(0, 4, [1], "constructor") }, 4)],
  ])("with %s are refused", (_, raw) => expect(() => readTensors(raw, "g")).toThrow(BundleError));
});

function pathsOf(record: any, at: (string | number)[] = []): (string | number)[][] {
  if (typeof record !== "object" || record === null) return [];
  const keys = Array.isArray(record) ? [...record.keys()] : Object.keys(record);
  return keys.flatMap((key) => [[...at, key], ...pathsOf(record[key], [...at, key])]);
}
