/**
 * Builds the app into dist/: the page, its worker, the shipped bundles, the engine's WebAssembly
 * and a service worker that knows every file.
 */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { HEADERS, META_POLICY } from "./policy.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/wasm"));

const MIME: Record<string, string> = { mjs: "text/javascript", wasm: "application/wasm" };

/** Files that are copied as they are, by their path in the app. */
const COPIED: Record<string, string> = {
  ...Object.fromEntries(
    ["wrist-himae-small", "wrist-himae", "day-lsm2", "body-fusion"].map((name) => [
      `bundles/${name}.onwrist`,
      join(root, `sdk/onwrist/bundles/${name}.onwrist`),
    ]),
  ),
  ...Object.fromEntries(
    ["mjs", "wasm"].map((end) => [
      `ort/ort-wasm-simd-threaded.${end}`,
      join(ort, `ort-wasm-simd-threaded.${end}`),
    ]),
  ),
};

function copied(): Plugin {
  return {
    name: "copied",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = (request.url ?? "").split("?")[0]!.slice(1);
        const source = COPIED[path];
        if (!source) return next();
        response.setHeader(
          "Content-Type",
          MIME[path.split(".").at(-1)!] ?? "application/octet-stream",
        );
        response.end(readFileSync(source));
      });
    },
    generateBundle() {
      for (const [fileName, source] of Object.entries(COPIED)) {
        this.emitFile({ type: "asset", fileName, source: readFileSync(source) });
      }
    },
  };
}

/** The policy in the page; while developing, Vite's own socket and styles need a weaker one. */
function policy(): Plugin {
  return {
    name: "policy",
    transformIndexHtml: {
      order: "pre",
      handler(html, { server }) {
        const dev = META_POLICY.replace(
          "style-src 'self'",
          "style-src 'self' 'unsafe-inline'",
        ).replace("connect-src 'self'", "connect-src 'self' ws:");
        return html.replace("%CSP%", server ? dev : META_POLICY);
      },
    },
  };
}

/** sw.js, with the names of all files of this build and a version that changes with any of them. */
function offline(): Plugin {
  return {
    name: "offline",
    generateBundle: {
      order: "post",
      handler(_, output) {
        const hash = createHash("sha256");
        const names: string[] = [];
        for (const [name, file] of Object.entries(output).sort(([a], [b]) => (a < b ? -1 : 1))) {
          names.push(name);
          hash.update(name).update(file.type === "chunk" ? file.code : file.source);
        }
        for (const entry of readdirSync(join(here, "public"), {
          recursive: true,
          withFileTypes: true,
        })) {
          if (!entry.isFile()) continue;
          const path = join(entry.parentPath, entry.name);
          names.push(path.slice(join(here, "public").length + 1));
          hash.update(readFileSync(path));
        }
        const source = readFileSync(join(here, "service_worker.js"), "utf8")
          .replace('["%FILES%"]', JSON.stringify(names.sort().map((name) => `/${name}`)))
          .replace("%VERSION%", hash.digest("hex").slice(0, 16));
        this.emitFile({ type: "asset", fileName: "sw.js", source });
      },
    },
  };
}

export default defineConfig({
  root: here,
  plugins: [copied(), policy(), offline()],
  resolve: {
    alias: {
      "@onwrist/stream": join(root, "sdk/onwrist/hosts/typescript/src/index.ts"),
      "onnxruntime-web/wasm": join(ort, "ort.wasm.min.mjs"),
    },
  },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: "es" },
  preview: { headers: HEADERS },
});
