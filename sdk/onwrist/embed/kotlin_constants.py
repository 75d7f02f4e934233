"""A bundle in, the Kotlin source of its typed constants, of `open` and of the self-test out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onwrist.embed import writing
from onwrist.embed.kotlin_syntax import (
    STEP,
    Lines,
    Parts,
    assigned,
    call,
    floats,
    indented,
    listed,
    mapped,
    named,
    string,
)
from onwrist.embed.writing import float64, identifiers
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Channel, Graph, Manifest, Member, Pattern, Task, Tokens
from onwrist_runtime.manifest_plausible import Plausible


def constants(bundle: Bundle, graphs: Sequence[Graph], name: str, folder: str) -> bytes:
    """NAME.kt: an object that holds everything under the bundle's name.

    Parameters
    ----------
    graphs : the TFLite graphs.
    folder : of the bundle's files among the assets.
    """
    manifest = bundle.manifest
    what = "What the bundle takes, gives and asks, where its files are, and its self-test."
    parts = Parts()
    record = _manifest(bundle, graphs, parts)
    return writing.source(
        [
            *writing.header(bundle, what),
            "package dev.onwrist.bundles",
            "",
            "import android.content.res.AssetManager",
            "import dev.onwrist.*",
            "",
            *writing.comment(f"{manifest.description}.", "//"),
            f"object {name} {{",
            *indented(_numbers(bundle, folder)),
            "",
            *indented(_names(manifest)),
            "",
            f"{STEP}/** All that the host needs to know of the bundle. */",
            *indented(assigned("val manifest: Manifest", record)),
            "",
            *indented(_functions(manifest)),
            *indented(parts.functions),
            "}",
        ]
    )


def _numbers(bundle: Bundle, folder: str) -> Iterator[str]:
    manifest = bundle.manifest
    for field, text in (
        ("NAME", manifest.name),
        ("VERSION", manifest.version),
        ("HASH", bundle.hash),
    ):
        yield f"const val {field} = {string(text)}"
    yield ""
    yield "/** The bundle's files among the assets. */"
    yield f"const val FOLDER = {string(folder)}"
    yield ""
    yield "/** Grid points per second. */"
    yield f"const val RATE = {float64(manifest.rate)}"
    yield ""
    yield "/** Grid points of a window. */"
    yield f"const val WINDOW_SAMPLES = {manifest.samples}"
    yield ""
    yield "/** Numbers of the embedding. */"
    yield f"const val EMBEDDING_SIZE = {manifest.embedding[-1].stop}"
    if manifest.availability is not None:
        yield ""
        yield "/** Share of its grid points from which a sensor is live. */"
        yield f"const val LEAST_COVERAGE = {float64(manifest.availability.least)}"


def _names(manifest: Manifest) -> Iterator[str]:
    yield from _enum("Sensor", manifest.sensors, "Whose channels share their time stamps")
    yield ""
    yield "/** The rows of a window, in their order; native rates in Hz. */"
    rows = identifiers((x.name for x in manifest.channels), "upper", "kotlin")
    yield "enum class Channel(val id: String, val unit: String, val rate: Double) {"
    for channel in manifest.channels:
        own = f"{string(channel.name)}, {string(channel.unit)}, {float64(channel.rate)}"
        yield f"{STEP}{rows[channel.name]}({own}),"
    yield "}"
    yield ""
    yield from _enum("Task", [x.name for x in manifest.tasks], "What a prediction answers")
    labelled = [task for task in manifest.tasks if task.labels]
    if labelled:
        types = identifiers((x.name for x in labelled), "pascal", "kotlin")
        yield ""
        yield "/** The answers of tasks that classify, in the order of their probabilities. */"
        yield "object Labels {"
        for number, task in enumerate(labelled):
            yield from [""] if number else []
            yield from indented(_enum(types[task.name], task.labels, ""))
        yield "}"


def _enum(name: str, values: Iterable[str], what: str) -> Iterator[str]:
    cases = identifiers(values, "upper", "kotlin")
    if what:
        yield f"/** {what}; `id` is the name that the host knows. */"
    yield f"enum class {name}(val id: String) {{"
    yield from (f"{STEP}{case}({string(value)})," for value, case in cases.items())
    yield "}"


def _functions(manifest: Manifest) -> Iterator[str]:
    yield "/** The model, once its files and the engine on this processor are proven. */"
    yield "fun open(assets: AssetManager, threads: Int = 1): Model ="
    yield f"{STEP}Model.open(manifest, AssetFiles(assets, FOLDER), LiteRt(threads))"
    yield ""
    yield "/** Every file against its SHA-256, and every golden vector through the engine. */"
    yield "fun selfTest(assets: AssetManager, threads: Int = 1): Verification ="
    yield f"{STEP}Model.selfTest(manifest, AssetFiles(assets, FOLDER), LiteRt(threads))"
    if manifest.tasks:
        yield ""
        yield "/** What a task of this bundle answers. */"
        yield "operator fun Prediction.get(task: Task): TaskResult = this[task.id]"


def _manifest(bundle: Bundle, graphs: Sequence[Graph], parts: Parts) -> Lines:
    manifest, members = bundle.manifest, bundle.manifest.members
    golden = manifest.golden
    fields: dict[str, Lines] = {
        "name": ["NAME"],
        "version": ["VERSION"],
        "hash": ["HASH"],
        "rate": ["RATE"],
        "samples": ["WINDOW_SAMPLES"],
        "channels": parts.list(
            "channels", "dev.onwrist.Channel", (_channel(x) for x in manifest.channels)
        ),
        "embedding": parts.list(
            "embedding",
            "Stage",
            ([f"Stage({string(x.name)}, {x.start}, {x.stop})"] for x in manifest.embedding),
        ),
        "tasks": parts.list("tasks", "dev.onwrist.Task", (_task(x) for x in manifest.tasks)),
        "graphs": parts.list("graphs", "Graph", (_graph(x, members[x.file]) for x in graphs)),
        "golden": call(
            "GoldenOf",
            [string(golden.file)],
            [str(members[golden.file].bytes)],
            [string(members[golden.file].sha256)],
            [str(golden.windows)],
            [str(golden.steps)],
            mapped(golden.tolerance),
        ),
    }
    if manifest.baseline is not None:
        seconds, samples = manifest.baseline.seconds, manifest.baseline.samples
        fields["baseline"] = [f"BaselineOf({float64(seconds)}, {samples})"]
    if manifest.step is not None:
        fields["step"] = [f"StepOf({manifest.step.samples}, {manifest.step.state})"]
    if manifest.tokens is not None:
        fields["tokens"] = _tokens(manifest.tokens)
    if manifest.availability is not None:
        least, patterns = manifest.availability.least, manifest.availability.patterns
        listed = parts.list("patterns", "Pattern", (_pattern(x) for x in patterns))
        fields["availability"] = call("Availability", [float64(least)], listed)
    if manifest.fusion is not None:
        x = manifest.fusion
        restores = str(x.restores).lower()
        fields["fusion"] = [f"Fusion({x.tokens}, {x.width}, {restores})"]
    if manifest.plausible:
        records = (_plausible(x) for x in manifest.plausible)
        fields["plausible"] = parts.list("plausible", "Plausible", records)
    return call("Manifest", *named(fields))


def _graph(graph: Graph, member: Member) -> Lines:
    return call(
        "Graph",
        [string(graph.file)],
        [f"Role.{graph.role.upper()}"],
        [str(member.bytes)],
        [string(member.sha256)],
        *([] if graph.sensor is None else [[string(graph.sensor)]]),
    )


def _channel(channel: Channel) -> Lines:
    return call(
        "dev.onwrist.Channel",
        [string(channel.name)],
        [string(channel.sensor)],
        [float64(channel.rate)],
        [string(channel.unit)],
        [string(channel.polarity)],
        [float64(channel.minimum)],
        [float64(channel.maximum)],
        [f"Aggregation.{channel.aggregation.upper()}"],
    )


def _task(task: Task) -> Lines:
    return call(
        "dev.onwrist.Task",
        [string(task.name)],
        [f"Kind.{task.kind.upper()}"],
        ["null" if task.unit is None else string(task.unit)],
        listed([string(x)] for x in task.labels),
        mapped(task.required),
        mapped(task.any_of),
        [float64(task.minimum_confidence)],
    )


def _tokens(tokens: Tokens) -> Lines:
    groups = (
        call(
            "Group",
            [string(x.name)],
            listed([string(name)] for name in x.channels),
            [str(x.least)],
        )
        for x in tokens.groups
    )
    return call(
        "Tokens",
        [str(tokens.patch)],
        listed(groups),
        [str(tokens.width)],
        listed([str(x)] for x in tokens.sizes),
        ["null" if tokens.interpolated is None else string(tokens.interpolated)],
    )


def _pattern(pattern: Pattern) -> Lines:
    return call(
        "Pattern",
        listed([string(x)] for x in pattern.sensors),
        mapped(pattern.temperatures),
        mapped(pattern.minimum_confidence),
    )


def _plausible(record: Plausible) -> Lines:
    def limits(pair: tuple[float, float]) -> Lines:
        return [f"Range({float64(pair[0])}, {float64(pair[1])})"]

    fields: dict[str, Lines] = {
        "sensor": [string(record.sensor)],
        "acceleration": listed([string(x)] for x in record.acceleration),
        "turning": listed([string(x)] for x in record.turning),
        "gravity": limits(record.gravity),
        "rest": limits(record.rest),
        "turns": limits(record.turns),
        "turnsPerG": limits(record.turns_per_g),
        "run": [float64(record.run)],
        "rails": listed([float64(x)] for x in record.rails),
    }
    if record.usual is not None:
        mean, whitening = record.usual.mean, record.usual.whitening
        fields["usual"] = call("Usual", floats(mean), floats(whitening))
    if record.turned is not None:
        fields["turned"] = [float64(record.turned)]
    if record.exchanged:
        fields["exchanged"] = mapped(record.exchanged)
    return call("Plausible", *named(fields))
