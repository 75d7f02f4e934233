"""A bundle in, what an Android app needs out: assets, the Kotlin host, typed constants.

The host is the same for every bundle of one version of onwrist, and lies in a folder of its
own, so that an app with two bundles takes it once.
"""

from __future__ import annotations

import re

from onwrist.embed import writing
from onwrist.embed.kotlin_constants import constants
from onwrist.hosts import sources
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Manifest

LITERT = "com.google.ai.edge.litert:litert:2.1.5"

# Types that Kotlin knows without an import, and those of what the constants are written with.
_KNOWN = """
    Any Array AssetManager Boolean Byte Char Context Double Error Exception Float Int List Long
    Map Pair Result Set Short String Throwable Unit
"""
_TYPE = re.compile(rb"^(?:\w+ )*(?:class|interface|object) (\w+)", re.MULTILINE)


def files(bundle: Bundle) -> dict[str, bytes]:
    """Every file of the target `android` by its path.

    Raises
    ------
    BundleError
        The bundle has no TFLite graph.
    """
    graphs = writing.graphs_of(bundle, "android", "tflite")
    name = object_name(bundle)
    folder = f"onwrist/{bundle.manifest.name}"
    found = {f"host/dev/onwrist/{path}": data for path, data in sources("kotlin").items()}
    constant = constants(bundle, graphs, name, folder)
    found[f"bundle/dev/onwrist/bundles/{name}.kt"] = constant
    found |= writing.data_files(bundle, graphs, f"assets/{folder}/")
    return found | {"README.md": _readme(bundle, name)}


def object_name(bundle: Bundle) -> str:
    """The object of a bundle's constants, WristHimae, named as no type of the host is."""
    name = writing.pascal(bundle.manifest.name)
    taken = {x.decode() for data in sources("kotlin").values() for x in _TYPE.findall(data)}
    return f"{name}Bundle" if name in taken | set(_KNOWN.split()) else name


def _readme(bundle: Bundle, name: str) -> bytes:
    manifest = bundle.manifest
    sensor = manifest.channels[0].sensor
    where = f"onwrist/{manifest.name}"
    code = [
        f"import dev.onwrist.bundles.{name}",
        f"import dev.onwrist.bundles.{name}.get",
        "",
        "// Not on the main thread: this proves the files and the engine once.",
        f"val model = {name}.open(context.assets)",
        f"val stream = model.stream({_options(manifest)})",
        "// Seconds as DoubleArray, samples as FloatArray; NaN where one is missing.",
        f'for (prediction in stream.push("{sensor}", timestamps, samples)) {{',
        *_use(manifest, name),
        "}",
        "model.close()",
    ]
    steps = [
        f"Write this folder to `app/{where}`, or move it there.",
        "In `app/build.gradle.kts`, inside `android { }`: "
        f'`sourceSets["main"].kotlin.srcDirs("{where}/host", "{where}/bundle")` and '
        f'`sourceSets["main"].assets.srcDir("{where}/assets")`. Of a second bundle take '
        "`bundle` and `assets` only: `host` is the same.",
        f'In `dependencies {{ }}`: `implementation("{LITERT}")`. LiteRT 1.4 '
        "rounds otherwise and is off some golden vectors; 2.0 has no "
        "`org.tensorflow.lite.Interpreter`.",
        f"In an instrumented test: `assertTrue({name}.selfTest(context.assets).passed)`. It "
        "holds every file against its SHA-256 and replays the golden vectors with the engine "
        "on that device.",
    ]
    notes = [
        "Times are float64 seconds on one clock, the same for all sensors of a stream, such as "
        "`elapsedRealtimeNanos() / 1e9`, which goes on while the device sleeps. A stream takes "
        "its calls in turn, from any thread.",
        "The host is plain Kotlin without Android: only `LiteRtEngine.kt` names LiteRT and "
        "only `AssetFiles.kt` a class of Android. It is compiled by Kotlin 2.4 and passes the "
        "vectors that every host passes, and the golden vectors of the bundles that ship, on a "
        "JVM with the engine of the LiteRT wheel. **Not run on a device**: the self-test is "
        "there for that.",
    ]
    return writing.readme(bundle, "an Android app", "kotlin", code, steps, notes)


def _options(manifest: Manifest) -> str:
    return "midnight = midnight" if manifest.tokens is not None else ""


def _use(manifest: Manifest, name: str) -> list[str]:
    if not manifest.tasks:
        return ["    use(prediction.embedding)"]
    first = manifest.tasks[0]
    task = writing.identifiers((x.name for x in manifest.tasks), "upper", "kotlin")[first.name]
    gives = "value" if first.kind == "regression" else "label"
    return [
        f"    val answer = prediction[{name}.Task.{task}]",
        f"    if (answer.abstained) show(answer.reason) else show(answer.{gives})",
    ]
