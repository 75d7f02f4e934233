/** Every case of the vectors that all hosts share. */

import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import * as host from "./host.js";
import { apart, BESIDES, PARTS } from "./replay.mjs";

const folder = new URL("../../vectors/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

test("there are vectors", () => {
  expect(files).toEqual(expect.arrayContaining(["host.json", "plausible.json", "streams.json"]));
});

for (const file of files) {
  const vectors = JSON.parse(readFileSync(new URL(file, folder), "utf-8")) as Record<string, any>;
  for (const [part, cases] of Object.entries(vectors)) {
    if (BESIDES.includes(part)) continue;
    describe(`${file}: ${part}`, () => {
      const replay = (PARTS as Record<string, any>)[part];
      test("is known to this host", () => expect(replay).toBeTypeOf("function"));
      if (!replay) return;
      test.each((cases as any[]).map((one) => [one.name, one]))("%s", async (_, one) => {
        const found = await replay(host, one);
        expect(apart(found, one.expected, vectors["tolerance"] ?? 0)).toEqual([]);
      });
    });
  }
}

test("a difference is seen", () => {
  expect(apart({ a: [1, 2] }, { a: [1, 2.1] }, 1e-6)).toHaveLength(1);
  expect(apart({ a: 1, b: 1 }, { a: 1 }, 1e-6)).toHaveLength(1);
  expect(apart({ a: [1] }, { a: [1, 2] }, 1e-6)).toHaveLength(1);
  expect(apart({ a: null }, { a: 0 }, 1e-6)).toHaveLength(1);
  expect(apart({ a: NaN }, { a: 0 }, 1e-6)).toHaveLength(1);
});
