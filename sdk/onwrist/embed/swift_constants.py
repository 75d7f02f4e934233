"""A bundle in, the Swift source of its typed constants, of `load` and of the self-test out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onwrist.embed import writing
from onwrist.embed.writing import float64, identifiers, string
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Channel, Manifest, Pattern, Task

_STEP = "    "


def accessor(bundle: Bundle) -> str:
    """The function of C that gives the address of the bundle's constants."""
    return f"{writing.snake(bundle.manifest.name)}_constants"


def constants(bundle: Bundle, name: str) -> bytes:
    """NAME.swift: an enum without cases that holds everything under the bundle's name."""
    manifest = bundle.manifest
    what = "What the bundle takes, gives and asks, where its files are, and its self-test."
    return writing.source(
        [
            *writing.header(bundle, what),
            f"import C{name}",
            "import Foundation",
            "import Onwrist",
            "",
            *writing.comment(manifest.description, "///"),
            f"public enum {name} {{",
            *_indented(_numbers(bundle)),
            "",
            *_indented(_names(manifest)),
            "",
            *_indented(_records(manifest)),
            "",
            *_indented(_files(bundle)),
            "",
            *_indented(_functions(bundle)),
            "}",
            "",
            "extension Prediction {",
            f"{_STEP}/// What a task of {manifest.name} answers.",
            f"{_STEP}public subscript(task: {name}.Task) -> TaskResult? {{",
            f"{_STEP * 2}self[task.rawValue]",
            f"{_STEP}}}",
            "}",
        ]
    )


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"{_STEP}{line}" for line in lines)


def _numbers(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    for field, value in (
        ("name", manifest.name),
        ("version", manifest.version),
        ("hash", bundle.hash),
    ):
        yield f"public static let {field} = {string(value, 'swift')}"
    yield "/// Grid points a second."
    yield f"public static let rate: Double = {float64(manifest.rate)}"
    yield "/// Grid points of a window."
    yield f"public static let windowSamples = {manifest.samples}"
    yield "/// Numbers of the embedding."
    yield f"public static let embeddingSize = {manifest.embedding[-1].stop}"
    if manifest.availability is not None:
        yield "/// Share of its grid points from which a sensor is live."
        yield f"public static let least: Double = {float64(manifest.availability.least)}"


def _names(manifest: Manifest) -> Iterator[str]:
    yield "/// The row of each channel in a window."
    rows = identifiers([x.name for x in manifest.channels], "camel", "swift")
    yield "public enum Channel: Int, CaseIterable, Sendable {"
    yield from _indented(f"case {case} = {row}" for row, case in enumerate(rows.values()))
    yield "}"
    yield ""
    yield from _enum("Sensor", manifest.sensors, "Whose channels share their time stamps.")
    yield ""
    yield from _enum("Task", [x.name for x in manifest.tasks], "What a prediction answers.")
    labelled = [task for task in manifest.tasks if task.labels]
    if labelled:
        names = identifiers([task.name for task in labelled], "pascal", "swift")
        yield ""
        yield "/// The answers of tasks that classify, in the order of their probabilities."
        yield "public enum Labels {"
        for number, task in enumerate(labelled):
            yield from [""] if number else []
            yield from _indented(_enum(names[task.name], task.labels, ""))
        yield "}"


def _enum(name: str, values: Iterable[str], what: str) -> Iterator[str]:
    cases = identifiers(values, "camel", "swift")
    if what:
        yield f"/// {what}"
    if not cases:  # an enum without cases has no raw values
        yield f"public struct {name}: Sendable {{ public let rawValue: String }}"
        return
    yield f"public enum {name}: String, CaseIterable, Sendable {{"
    yield from _indented(f"case {case} = {string(x, 'swift')}" for x, case in cases.items())
    yield "}"


def _records(manifest: Manifest) -> Iterator[str]:
    yield "public static let channels: [ChannelInfo] = ["
    for channel in manifest.channels:
        yield from _indented(_channel(channel))
    yield "]"
    yield ""
    yield "/// What each task asks of a window before it answers."
    yield "public static let tasks: [TaskInfo] = ["
    for task in manifest.tasks:
        yield from _indented(_task(task))
    yield "]"
    if manifest.availability is not None:
        yield ""
        yield "/// Least confidence by the sensors that are live; a task that is not named"
        yield "/// abstains, and so does every task where other sensors are live."
        yield "public static let patterns: [PatternInfo] = ["
        for pattern in manifest.availability.patterns:
            yield from _indented(_pattern(pattern))
        yield "]"


def _channel(channel: Channel) -> list[str]:
    bounds = f"{float64(channel.minimum)}...{float64(channel.maximum)}"
    return [
        "ChannelInfo(",
        f"{_STEP}name: {string(channel.name, 'swift')}, "
        f"sensor: {string(channel.sensor, 'swift')}, rate: {float64(channel.rate)},",
        f"{_STEP}unit: {string(channel.unit, 'swift')},",
        f"{_STEP}polarity: {string(channel.polarity, 'swift')},",
        f"{_STEP}range: {bounds}),",
    ]


def _task(task: Task) -> list[str]:
    unit = "nil" if task.unit is None else string(task.unit, "swift")
    return [
        "TaskInfo(",
        f"{_STEP}name: {string(task.name, 'swift')}, unit: {unit},",
        f"{_STEP}labels: [{writing.strings(task.labels, 'swift')}],",
        f"{_STEP}required: {_shares(task.required)},",
        f"{_STEP}anyOf: {_shares(task.any_of)},",
        f"{_STEP}minimumConfidence: {float64(task.minimum_confidence)}),",
    ]


def _pattern(pattern: Pattern) -> list[str]:
    return [
        "PatternInfo(",
        f"{_STEP}sensors: [{writing.strings(pattern.sensors, 'swift')}],",
        f"{_STEP}minimumConfidence: {_shares(pattern.minimum_confidence)}),",
    ]


def _shares(shares: Mapping[str, float]) -> str:
    pairs = (f"{string(name, 'swift')}: {float64(x)}" for name, x in sorted(shares.items()))
    return f"[{', '.join(pairs) or ':'}]"


def _files(bundle: Bundle) -> Iterator[str]:
    yield "/// SHA-256 of the files that are opened; checked before an engine sees them."
    yield "public static let sha256: [String: String] = ["
    manifest = bundle.manifest
    graphs = [x.file for x in writing.graphs_of(bundle, "ios", "tflite")]
    for file in dict.fromkeys([*graphs, manifest.golden.file]):
        yield f"{_STEP}{string(file, 'swift')}:"
        yield f"{_STEP * 2}{string(writing.sha256(bundle, file), 'swift')},"
    yield "]"


def _functions(bundle: Bundle) -> list[str]:
    folder = string(bundle.manifest.name, "swift")
    return [
        "/// The bundle's files among the resources of the app.",
        "public static var folder: URL {",
        f"{_STEP}(Bundle.module.resourceURL ?? Bundle.module.bundleURL)",
        f"{_STEP * 2}.appendingPathComponent({folder}, isDirectory: true)",
        "}",
        "",
        "/// Opens the bundle on TensorFlow Lite; its files are checked first.",
        "public static func load() throws -> Model {",
        f"{_STEP}try Model(bundle: {accessor(bundle)}(), folder: folder)",
        "}",
        "",
        "/// Replays the golden vectors on this processor: run it once for each release.",
        "public static func selfTest() async throws -> Verification {",
        f"{_STEP}try await load().verify()",
        "}",
    ]
