"""What `onwrist embed --target web` writes compiles; its self-test runs, and can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from onwrist.bundles import find
from onwrist.embed import embed, folder
from onwrist_runtime import bundle as bundles

REPOSITORY = Path(__file__).parents[2]
MODULES = REPOSITORY / "node_modules"
TSC = MODULES / "typescript" / "bin" / "tsc"
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--noUnusedLocals")


def _missing() -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    if not TSC.is_file() or not (MODULES / "onnxruntime-web").is_dir():
        return "node_modules is absent: npm ci"
    return ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing())


def node(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def written(name: str, place: Path) -> Path:
    """The files of a shipped bundle in a folder that finds the engine."""
    (place / "node_modules").symlink_to(MODULES)
    folder.write_folder(place / "app", embed(bundles.read(find(name)), "web"))
    return place / "app"


def compiled(app: Path) -> None:
    done = node(TSC, "-p", app, *STRICT, cwd=app)
    assert done.returncode == 0, done.stdout


def self_test(app: Path) -> tuple[int, dict[str, Any] | str]:
    done = node(app / "selftest.mjs", cwd=app.parent)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.parametrize("name", ["wrist-himae", "body-fusion"])
def test_it_compiles_and_gives_the_golden_numbers(name: str, tmp_path: Path) -> None:
    app = written(name, tmp_path)
    compiled(app)
    code, told = self_test(app)
    assert (code, told["report"]["passed"]) == (0, True)  # type: ignore[index]
    opened = bundles.read(find(name))
    assert told["bundle"]["hash"] == opened.hash  # type: ignore[index]
    golden = opened.manifest.golden
    report = told["report"]  # type: ignore[index]
    assert (report["windows"], report["steps"]) == (golden.windows, golden.steps)
    for output, most in golden.tolerance.items():
        assert report["outputs"][output] <= most == report["tolerance"][output]


def test_a_damaged_file_or_another_bundles_is_refused(tmp_path: Path) -> None:
    app = written("wrist-himae-small", tmp_path)
    compiled(app)
    graph = app / "wrist-himae-small" / "model.s8.onnx"
    raw = bytearray(graph.read_bytes())
    raw[1000] ^= 1
    graph.write_bytes(raw)
    code, told = self_test(app)
    assert code == 1
    assert "model.s8.onnx does not have the SHA-256" in told
    graph.unlink()
    code, told = self_test(app)
    assert code == 1
    assert "model.s8.onnx cannot be read" in told
    other = bundles.read(find("wrist-himae"))
    (app / "wrist-himae-small" / "manifest.json").write_bytes(other.raw)
    code, told = self_test(app)
    assert code == 1
    assert "of another bundle?" in told


def test_misspelt_names_do_not_compile(tmp_path: Path) -> None:
    app = written("wrist-himae-small", tmp_path)
    lines = [
        'import type { WristHimaeSmall } from "./wristHimaeSmall.js";',
        "export async function use(model: WristHimaeSmall, values: Float32Array) {",
        "  const { tasks, coverage } = await model.predict(values);",
        "  return [tasks.heart_rate.value, coverage.ppg];",
        "}",
    ]
    (app / "use.ts").write_text("\n".join(lines))
    compiled(app)
    for wrong in ("heart_rat", "stres"):
        (app / "use.ts").write_text("\n".join(lines).replace("heart_rate", wrong))
        done = node(TSC, "-p", app, *STRICT, cwd=app)
        assert done.returncode != 0
        assert wrong in done.stdout


def test_the_readmes_lines_compile(tmp_path: Path) -> None:
    for name in ("wrist-himae-small", "day-lsm2"):
        place = tmp_path / name
        place.mkdir()
        app = written(name, place)
        code = (app / "README.md").read_text().split("```ts\n")[1].split("```")[0]
        code = code.replace("./wrist/", "./")
        given = "declare const timestamps: Float64Array, samples: Float32Array, "
        given += "midnight: number;\ndeclare function show(what: unknown): void;\n"
        (app / "readme.ts").write_text(given + code + "\nexport { midnight };\n")
        compiled(app)


def test_the_lines_of_the_packages_readme_compile(tmp_path: Path) -> None:
    package = REPOSITORY / "sdk" / "onwrist" / "hosts" / "typescript"
    (tmp_path / "node_modules").symlink_to(MODULES)
    given = "declare const file: Blob; declare const timestamps: Float64Array, samples: "
    given += "Float32Array, times: Float64Array, values: Float32Array;\n"
    given += "declare function show(what: unknown): void;\nexport { show };\n"
    blocks = (package / "README.md").read_text().split("```ts\n")[1:]
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        code = given + block.split("```")[0]
        (tmp_path / f"example{number}.ts").write_text(code)
    reading = "export function readFile(path: string): Promise<Uint8Array>;"
    (tmp_path / "node.d.ts").write_text(f'declare module "node:fs/promises" {{ {reading} }}\n')
    options = {
        **json.loads((package / "tsconfig.json").read_text())["compilerOptions"],
        "module": "ES2022",
        "moduleResolution": "Bundler",
        "rootDir": "/",
        "outDir": str(tmp_path / "dist"),
        "noUnusedLocals": False,
        "paths": {"@onwrist/stream": [str(package / "src" / "index.ts")]},
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    done = node(TSC, "-p", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
