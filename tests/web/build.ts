/**
 * Before the browser tests: the app is built as it ships, outside vitest's own environment, into
 * a folder that nobody else writes to.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./browser.ts";

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "onwrist-app-"));
  const vite = join(ROOT, "node_modules/vite/bin/vite.js");
  const args = ["build", "--logLevel", "warn", "--outDir", folder, "--emptyOutDir"];
  execFileSync(process.execPath, [vite, ...args], {
    cwd: join(ROOT, "examples/companion_web"),
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.env["ONWRIST_APP"] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
