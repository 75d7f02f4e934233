"""The Kotlin host, compiled once and asked on a JVM: cases of the vectors in, answers out.

Compiled are the host, what `onwrist embed` writes for every bundle that ships, the lines of
its README, the sources of the Android example, and the runner in `kotlin/`, which puts
LiteRT's C library from the ai-edge-litert wheel under the Java API that the host calls. What
was compiled is kept in out/kotlin until any source changes.

    python tests/hosts/kotlin_host.py CASES.json

answers every list of cases in the file, in the formats of tests/vectors, on stdout.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

if TYPE_CHECKING:
    from onwrist_runtime.bundle import Bundle

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
COMPILER = REPOSITORY / "node_modules" / "kotlin-compiler"
JNA = Path("/usr/share/java/jna.jar")
# The compiler lives for seconds: half of its time would go into optimizing itself.
SHORT = "-Xmx1G -XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def missing() -> str | None:
    """What it takes and is not here, with how to get it."""
    if shutil.which("java") is None:
        return "java is not installed: apt install openjdk-17-jre-headless"
    if not (COMPILER / "bin" / "kotlinc").is_file():
        return "the Kotlin compiler is not installed: npm ci"
    if not JNA.is_file():
        return f"{JNA} is not there: apt install libjna-java"
    if importlib.util.find_spec("ai_edge_litert") is None:
        return "ai_edge_litert is not installed: pip install 'onwrist[litert]'"
    return None


@cache
def written() -> Path:
    """The folder of what `onwrist embed` writes for each bundle that ships."""
    from onwrist.bundles import shipped
    from onwrist.embed import embed

    found = {
        f"{bundle.manifest.name}/{path}": data
        for bundle in shipped()
        for path, data in embed(bundle, "android").items()
    }
    return _kept("embedded", found)


def odd_bundle() -> Bundle:
    """A bundle of more of everything, and of texts that a careless generator would break on."""
    from onwrist.bundles import shipped

    bundle = next(x for x in shipped() if x.manifest.name == "body-fusion")
    manifest = bundle.manifest
    odd = (
        "*/ ${throw Error()} $x",
        'a "quoted" \\ name',
        "naïve // ☃ 🦶",
        "class",
        "3d",
        "values",
    )
    channels = tuple(
        replace(x, unit=odd[k % len(odd)], polarity=f"{odd[k % len(odd)]} {k}")
        for k, x in enumerate(manifest.channels * 4)
    )
    channels = tuple(replace(x, name=f"{x.name}_{k}") for k, x in enumerate(channels))
    tasks = (replace(manifest.tasks[0], name="val", labels=odd), *manifest.tasks[1:])
    assert manifest.availability is not None
    patterns = manifest.availability.patterns * 40
    return dataclasses.replace(
        bundle,
        manifest=replace(
            manifest,
            name="model",
            description=odd[0],
            channels=channels,
            tasks=tasks,
            availability=replace(manifest.availability, patterns=patterns),
            plausible=manifest.plausible * 10,
        ),
    )


@cache
def odd_constants() -> Path:
    """The folder of what is generated for `odd_bundle`."""
    from onwrist.embed import kotlin, kotlin_constants, writing

    bundle = odd_bundle()
    graphs = writing.graphs_of(bundle, "android", "tflite")
    name = kotlin.object_name(bundle)  # another than the host's Model
    return _kept("odd", {"Odd.kt": kotlin_constants.constants(bundle, graphs, name, "odd")})


@cache
def readme_lines() -> Path:
    """The folder of the lines by which each README says that the bundle is called."""
    found = {}
    for number, readme in enumerate(sorted(written().glob("*/README.md"))):
        code = readme.read_text("utf-8").split("```kotlin\n")[1].split("```")[0].splitlines()
        imports = [line for line in code if line.startswith("import ")]
        body = [f"    {line}" for line in code if line not in imports]
        takes = "context: Context, timestamps: DoubleArray, samples: FloatArray"
        lines = [
            f"package readme{number}",
            *imports,
            "import android.content.Context",
            '@Suppress("UNUSED_PARAMETER")',
            f"fun called({takes}, midnight: Double, show: (Any?) -> Unit) {{",
            *body,
            "}",
        ]
        found[f"Readme{number}.kt"] = "\n".join(lines).encode()
    return _kept("readme", found)


@cache
def compiled() -> Path:
    """The jar of everything that is compiled.

    Raises
    ------
    RuntimeError
        The compiler refuses a source; the message is its own.
    """
    sources = [*sorted(HERE.glob("kotlin/**/*.kt")), *example_sources()]
    sources += sorted(REPOSITORY.glob("sdk/onwrist/hosts/kotlin/*.kt"))
    sources += [*sorted(written().glob("*/bundle/**/*.kt")), odd_constants() / "Odd.kt"]
    sources += sorted(readme_lines().glob("*.kt"))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0".encode() + source.read_bytes() + b"\0")
    jar = _folder() / f"{digest.hexdigest()[:16]}.jar"
    if not jar.is_file():
        beside = jar.with_name(f"{os.getpid()}.{jar.name}")
        coroutines = COMPILER / "lib" / "kotlinx-coroutines-core-jvm.jar"
        command = [COMPILER / "bin" / "kotlinc", "-Werror", "-cp", f"{JNA}:{coroutines}"]
        done = subprocess.run(
            [*map(str, command), *map(str, sources), "-d", str(beside)],
            env=os.environ | {"JAVA_OPTS": SHORT},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        beside.replace(jar)
    return jar


def example_sources() -> list[Path]:
    """The sources of the Android example that the compiler is given."""
    return sorted((REPOSITORY / "examples" / "android").glob("*/src/main/kotlin/**/*.kt"))


def ask(what: str, path: Path) -> Any:
    """What the runner answers.

    Raises
    ------
    RuntimeError
        It failed; the message is what it said.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    engine = spec.submodule_search_locations[0]
    standard = COMPILER / "lib" / "kotlin-stdlib.jar"
    done = subprocess.run(
        [
            *("java", *SHORT.split(), f"-Djna.library.path={engine}"),
            *("-cp", f"{compiled()}:{JNA}:{standard}", "dev.onwrist.MainKt", what, str(path)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def _folder() -> Path:
    folder = REPOSITORY / "out" / "kotlin"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept(name: str, files: dict[str, bytes]) -> Path:
    """Files in a folder of their own, made beside and moved into place."""
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(path.encode() + b"\0" + hashlib.sha256(data).digest())
    folder = _folder() / f"{name}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        beside = Path(tempfile.mkdtemp(dir=_folder()))
        for path, data in files.items():
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            (beside / path).write_bytes(data)
        beside.rename(folder)
    return folder


def main() -> int:
    """Answer the cases of a file."""
    if len(sys.argv) != 2:
        print("usage: python kotlin_host.py CASES.json", file=sys.stderr)
        return 2
    reason = missing()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    print(json.dumps(ask("vectors", Path(sys.argv[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
