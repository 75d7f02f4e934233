"""A bundle in, the Kotlin source of its typed constants, of `open` and of the self-test out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onwrist.embed import writing
from onwrist.embed.writing import float64, identifiers
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Channel, Graph, Manifest, Pattern, Task, Tokens
from onwrist_runtime.manifest_plausible import Plausible

_STEP = "    "
Lines = list[str]


def constants(bundle: Bundle, graphs: Sequence[Graph], name: str, folder: str) -> bytes:
    """NAME.kt: an object that holds everything under the bundle's name.

    Parameters
    ----------
    graphs : the TFLite graphs.
    folder : of the bundle's files among the assets.
    """
    manifest = bundle.manifest
    what = "What the bundle takes, gives and asks, where its files are, and its self-test."
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
            *_indented(_numbers(bundle, folder)),
            "",
            *_indented(_names(manifest)),
            "",
            f"{_STEP}/** All that the host needs to know of the bundle. */",
            *_indented(_assigned("val manifest: Manifest", _manifest(bundle, graphs))),
            "",
            *_indented(_functions(manifest)),
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
        yield f"const val {field} = {_string(text)}"
    yield ""
    yield "/** The bundle's files among the assets. */"
    yield f"const val FOLDER = {_string(folder)}"
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
        own = f"{_string(channel.name)}, {_string(channel.unit)}, {float64(channel.rate)}"
        yield f"{_STEP}{rows[channel.name]}({own}),"
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
            yield from _indented(_enum(types[task.name], task.labels, ""))
        yield "}"


def _enum(name: str, values: Iterable[str], what: str) -> Iterator[str]:
    cases = identifiers(values, "upper", "kotlin")
    if what:
        yield f"/** {what}; `id` is the name that the host knows. */"
    yield f"enum class {name}(val id: String) {{"
    yield from (f"{_STEP}{case}({_string(value)})," for value, case in cases.items())
    yield "}"


def _functions(manifest: Manifest) -> Iterator[str]:
    yield "/** The model, once its files and the engine on this processor are proven. */"
    yield "fun open(assets: AssetManager, threads: Int = 1): Model ="
    yield f"{_STEP}Model.open(manifest, AssetFiles(assets, FOLDER), LiteRt(threads))"
    yield ""
    yield "/** Every file against its SHA-256, and every golden vector through the engine. */"
    yield "fun selfTest(assets: AssetManager, threads: Int = 1): Verification ="
    yield f"{_STEP}Model.selfTest(manifest, AssetFiles(assets, FOLDER), LiteRt(threads))"
    if manifest.tasks:
        yield ""
        yield "/** What a task of this bundle answers. */"
        yield "operator fun Prediction.get(task: Task): TaskResult = this[task.id]"


def _manifest(bundle: Bundle, graphs: Sequence[Graph]) -> Lines:
    manifest, members = bundle.manifest, bundle.manifest.members
    golden = manifest.golden
    fields: dict[str, Lines] = {
        "name": ["NAME"],
        "version": ["VERSION"],
        "hash": ["HASH"],
        "rate": ["RATE"],
        "samples": ["WINDOW_SAMPLES"],
        "channels": _list(_channel(x) for x in manifest.channels),
        "embedding": _list(
            [f"Stage({_string(x.name)}, {x.start}, {x.stop})"] for x in manifest.embedding
        ),
        "tasks": _list(_task(x) for x in manifest.tasks),
        "graphs": _list(
            _call(
                "Graph",
                [_string(x.file)],
                [f"Role.{x.role.upper()}"],
                [str(members[x.file].bytes)],
                [_string(members[x.file].sha256)],
                *([] if x.sensor is None else [[_string(x.sensor)]]),
            )
            for x in graphs
        ),
        "golden": _call(
            "GoldenOf",
            [_string(golden.file)],
            [str(members[golden.file].bytes)],
            [_string(members[golden.file].sha256)],
            [str(golden.windows)],
            [str(golden.steps)],
            _map(golden.tolerance),
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
        listed = _list(_pattern(x) for x in patterns)
        fields["availability"] = _call("Availability", [float64(least)], listed)
    if manifest.fusion is not None:
        x = manifest.fusion
        restores = str(x.restores).lower()
        fields["fusion"] = [f"Fusion({x.tokens}, {x.width}, {restores})"]
    if manifest.plausible:
        fields["plausible"] = _list(_plausible(x) for x in manifest.plausible)
    return _call("Manifest", *_named(fields))


def _channel(channel: Channel) -> Lines:
    return _call(
        "dev.onwrist.Channel",
        [_string(channel.name)],
        [_string(channel.sensor)],
        [float64(channel.rate)],
        [_string(channel.unit)],
        [_string(channel.polarity)],
        [float64(channel.minimum)],
        [float64(channel.maximum)],
        [f"Aggregation.{channel.aggregation.upper()}"],
    )


def _task(task: Task) -> Lines:
    return _call(
        "dev.onwrist.Task",
        [_string(task.name)],
        [f"Kind.{task.kind.upper()}"],
        ["null" if task.unit is None else _string(task.unit)],
        _list([_string(x)] for x in task.labels),
        _map(task.required),
        _map(task.any_of),
        [float64(task.minimum_confidence)],
    )


def _tokens(tokens: Tokens) -> Lines:
    groups = (
        _call(
            "Group",
            [_string(x.name)],
            _list([_string(name)] for name in x.channels),
            [str(x.least)],
        )
        for x in tokens.groups
    )
    return _call(
        "Tokens",
        [str(tokens.patch)],
        _list(groups),
        [str(tokens.width)],
        _list([str(x)] for x in tokens.sizes),
        ["null" if tokens.interpolated is None else _string(tokens.interpolated)],
    )


def _pattern(pattern: Pattern) -> Lines:
    return _call(
        "Pattern",
        _list([_string(x)] for x in pattern.sensors),
        _map(pattern.temperatures),
        _map(pattern.minimum_confidence),
    )


def _plausible(record: Plausible) -> Lines:
    def limits(pair: tuple[float, float]) -> Lines:
        return [f"Range({float64(pair[0])}, {float64(pair[1])})"]

    fields: dict[str, Lines] = {
        "sensor": [_string(record.sensor)],
        "acceleration": _list([_string(x)] for x in record.acceleration),
        "turning": _list([_string(x)] for x in record.turning),
        "gravity": limits(record.gravity),
        "rest": limits(record.rest),
        "turns": limits(record.turns),
        "turnsPerG": limits(record.turns_per_g),
        "run": [float64(record.run)],
        "rails": _list([float64(x)] for x in record.rails),
    }
    if record.usual is not None:
        mean, whitening = record.usual.mean, record.usual.whitening
        fields["usual"] = _call("Usual", _floats(mean), _floats(whitening))
    if record.turned is not None:
        fields["turned"] = [float64(record.turned)]
    if record.exchanged:
        fields["exchanged"] = _map(record.exchanged)
    return _call("Plausible", *_named(fields))


def _floats(numbers: Iterable[float]) -> Lines:
    return _list([float64(x)] for x in numbers)


def _map(numbers: Mapping[str, float]) -> Lines:
    pairs = ([f"{_string(name)} to {float64(x)}"] for name, x in numbers.items())
    return _call("mapOf", *pairs)


def _list(values: Iterable[Lines]) -> Lines:
    return _call("listOf", *values)


def _named(fields: Mapping[str, Lines]) -> Iterator[Lines]:
    return ([f"{name} = {lines[0]}", *lines[1:]] for name, lines in fields.items())


def _call(name: str, *arguments: Lines) -> Lines:
    """A call: in one line if it is short, else with a line or more for each argument."""
    if all(len(lines) == 1 for lines in arguments):
        whole = f"{name}({', '.join(lines[0] for lines in arguments)})"
        if len(whole) <= 76:
            return [whole]
    found = [f"{name}("]
    for lines in arguments:
        found += _indented([*lines[:-1], f"{lines[-1]},"])
    return [*found, ")"]


def _assigned(what: str, lines: Lines) -> Lines:
    return [f"{what} = {lines[0]}", *lines[1:]]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"{_STEP}{line}" if line else line for line in lines)


def _string(text: str) -> str:
    return writing.string(text, "kotlin")
