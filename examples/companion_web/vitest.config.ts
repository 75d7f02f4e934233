/** The browser tests of the app: tests/web, against a build that is made once before them. */
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

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

export default defineConfig({
  test: {
    root,
    dir: join(root, "tests/web"),
    include: ["**/*.test.ts"],
    globalSetup: [join(root, "tests/web/build.ts")],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
