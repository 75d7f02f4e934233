/** The tests of the package: tests/hosts/typescript, against its source. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// vitest prints failures with Map.groupBy, which Node has from 21 on.
Map.groupBy ??= <K, V>(items: Iterable<V>, keyOf: (item: V, index: number) => K): Map<K, V[]> => {
  const groups = new Map<K, V[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
};

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");

export default defineConfig({
  root,
  test: {
    root,
    dir: join(root, "tests/hosts/typescript"),
    include: ["**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two files at a time: the machines that run these have few cores.
    maxWorkers: 2,
  },
});
