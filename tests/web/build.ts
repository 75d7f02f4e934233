/** Before the browser tests: the app is built as it ships, outside vitest's own environment. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./browser.ts";

export default function setup(): void {
  const vite = join(ROOT, "node_modules/vite/bin/vite.js");
  execFileSync(process.execPath, [vite, "build", "--logLevel", "warn"], {
    cwd: join(ROOT, "examples/companion_web"),
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "inherit"],
  });
}
