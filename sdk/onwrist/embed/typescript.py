"""A bundle in, what a web app needs out: model files, the host's sources, typed constants.

The host's sources travel along, so that nothing must be published to run a bundle. The module
of constants knows the bundle's hash, and loads its files from where the app serves them.
"""

from __future__ import annotations

import json

from onwrist.embed import writing
from onwrist.embed.typescript_constants import constants, module_name
from onwrist.hosts import sources
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Manifest

_HOST, _SOURCES = "onwrist/", "src/"

_OPTIONS = {
    "target": "ES2022",
    "module": "ES2022",
    "moduleResolution": "Bundler",
    "lib": ["ES2023", "DOM", "DOM.Iterable"],
    "types": [],
    "rootDir": ".",
    "outDir": "dist",
    "declaration": True,
    "strict": True,
}


def files(bundle: Bundle) -> dict[str, bytes]:
    """Every file of the target `web` by its path.

    Raises
    ------
    BundleError
        The bundle has no ONNX graph with s8 activations.
    """
    graphs = writing.graphs_of(bundle, "web", "onnx")
    name, module = bundle.manifest.name, module_name(bundle)
    found = {
        f"{_HOST}{path.removeprefix(_SOURCES)}": data
        for path, data in sources("typescript").items()
        if path.startswith(_SOURCES)
    }
    found |= writing.data_files(bundle, graphs, f"{name}/")
    found[f"{module}.ts"] = constants(bundle, graphs)
    found["selftest.mjs"] = _self_test(bundle)
    found["tsconfig.json"] = _json({"compilerOptions": _OPTIONS, "include": ["*.ts", _HOST]})
    found["package.json"] = _json({"private": True, "type": "module"})
    found["README.md"] = _readme(bundle)
    return found


def _json(record: dict[str, object]) -> bytes:
    return json.dumps(record, indent=2).encode() + b"\n"


def _self_test(bundle: Bundle) -> bytes:
    module, name = module_name(bundle), bundle.manifest.name
    return writing.source(
        [
            *writing.header(
                bundle,
                "Replays the golden vectors with onnxruntime-web in Node: exit code 0 if it "
                "gives the bundle's numbers, else 1. Before: npx tsc -p . in this folder.",
            ),
            'import { readFile } from "node:fs/promises";',
            "",
            'import * as ort from "onnxruntime-web/wasm";',
            "",
            'import { onnxRuntime } from "./dist/onwrist/index.js";',
            f'import {{ bundle, selfTest }} from "./dist/{module}.js";',
            "",
            "ort.env.wasm.numThreads = 1;",
            f"const folder = new URL({writing.string(f'./{name}/', 'typescript')}, "
            "import.meta.url);",
            "try {",
            "  const read = (name) => readFile(new URL(name, folder));",
            "  const report = await selfTest(onnxRuntime(ort), read);",
            "  console.log(JSON.stringify({ bundle, report }));",
            "} catch (error) {",
            "  console.error(`${bundle.name} ${bundle.version}: ${error.message}`);",
            "  process.exitCode = 1;",
            "}",
        ]
    )


def _readme(bundle: Bundle) -> bytes:
    manifest, module = bundle.manifest, module_name(bundle)
    name, sensor = manifest.name, manifest.channels[0].sensor
    code = [
        'import * as ort from "onnxruntime-web/wasm";',
        'import { fromUrl, onnxRuntime } from "./wrist/onwrist/index.js";',
        f'import {{ load }} from "./wrist/{module}.js";',
        "",
        "ort.env.wasm.numThreads = 1;",
        f'const model = await load(onnxRuntime(ort), fromUrl("/{name}/"));',
        f"const stream = model.stream({_options(manifest)});",
        "// Seconds as Float64Array, samples as Float32Array; NaN where one is missing.",
        f'for (const prediction of await stream.push("{sensor}", timestamps, samples)) {{',
        *_use(manifest),
        "}",
    ]
    steps = [
        "Put this folder into the app's sources, here as `wrist`, and `npm install "
        "onnxruntime-web@1.30.0`: it runs with no other package. The self-test is compiled by "
        "`npm install -D typescript`.",
        f"Serve the folder `{name}/`: with Vite, copy it to `public/`. Serve the page over "
        "https or from localhost, without which a browser checks no hashes.",
        "Run the model in a worker: a window takes milliseconds, in which a page would stand "
        "still.",
        "In the app's own build: `npx tsc -p wrist && node wrist/selftest.mjs`. It holds every "
        "file against its SHA-256 and replays the golden vectors. `load` does so in every "
        "browser before it gives the model.",
    ]
    notes = [
        "Times are float64 seconds on one clock, the same for all sensors of a stream, such as "
        "`Date.now() / 1000`. Calls of a stream take turns; none must be awaited before the "
        "next is made.",
        "The graphs are those with s8 activations, which are right on every processor, in "
        "integers: `onnxRuntime` passes the session option `session.qdqisint8allowed` for "
        "that. WebAssembly with SIMD is needed, threads are not.",
    ]
    return writing.readme(bundle, "a web app", "ts", code, steps, notes)


def _options(manifest: Manifest) -> str:
    return "{ midnight }" if manifest.tokens is not None else ""


def _use(manifest: Manifest) -> list[str]:
    if not manifest.tasks:
        return ["  use(prediction.embedding);"]
    first = manifest.tasks[0]
    task = writing.string(first.name, "typescript")
    gives = "value" if first.kind == "regression" else "label"
    return [
        f"  const answer = prediction.tasks[{task}];",
        f"  show(answer.abstained ? answer.reason : answer.{gives});",
    ]
