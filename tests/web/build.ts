/** Before the browser tests: `vite build`, so that what is tested is what ships. */
import { join } from "node:path";
import { build } from "vite";
import { ROOT } from "./browser.ts";

export default async function setup(): Promise<void> {
  const configFile = join(ROOT, "examples/companion_web/vite.config.ts");
  await build({ configFile, logLevel: "warn" });
}
