/**
 * Replays vector files with the built package: what differs, a line for each case.
 *
 *     node tests/hosts/typescript/run_vectors.mjs FILE...       exit code 1 if any case differs
 *     node tests/hosts/typescript/run_vectors.mjs --json FILE   what this host gives, as JSON
 *
 * Build it before: npm run build -w @onwrist/stream
 */

import { readFileSync } from "node:fs";

import { apart, BESIDES, MODULES, PARTS } from "./replay.mjs";

const dist = new URL("../../../sdk/onwrist/hosts/typescript/dist/", import.meta.url);
const host = {};
for (const name of MODULES) Object.assign(host, await import(new URL(`${name}.js`, dist)));

const asJson = process.argv[2] === "--json";
const files = process.argv.slice(asJson ? 3 : 2);
if (!files.length || (asJson && files.length > 1)) {
  console.error("usage: node run_vectors.mjs [--json] FILE");
  process.exit(2);
}
let differing = 0;
for (const file of files) {
  const vectors = JSON.parse(readFileSync(file, "utf-8"));
  const given = {};
  for (const [part, cases] of Object.entries(vectors)) {
    if (BESIDES.includes(part)) continue;
    const replay = PARTS[part];
    if (!replay) throw new Error(`${file}: this host does not know the part ${part}`);
    given[part] = [];
    for (const one of cases) {
      const found = await replay(host, one);
      given[part].push({ name: one.name, found });
      const off = apart(found, one.expected, vectors.tolerance ?? 0);
      if (!off.length || asJson) continue;
      differing++;
      console.log(`${one.name}: ${off.slice(0, 5).join("; ")}`);
    }
  }
  if (asJson) console.log(JSON.stringify(given));
}
process.exitCode = differing ? 1 : 0;
