"""A manifest in, its constants as C out: a header with names, a source with one record.

What the host asks for and nothing else: channels, tasks, graphs with their hashes, patterns,
tokens, what is plausible, and how far outputs may be from the golden vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from onwrist.embed import writing
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Graph, Group, Pattern, Task
from onwrist_runtime.manifest_plausible import Plausible

_WIDTH = 96


def header_name(bundle: Bundle) -> str:
    """The stem of the header: `wrist_himae`."""
    return writing.identifier(bundle.manifest.name, "snake", "c")


def bundle_name(bundle: Bundle) -> str:
    """The name of the record: `wrist_himae_bundle`."""
    return f"{writing.snake(bundle.manifest.name)}_bundle"


class Writer:
    """The constants of one bundle.

    Parameters
    ----------
    graphs : the graphs that the target runs.
    """

    def __init__(self, bundle: Bundle, graphs: Sequence[Graph]) -> None:
        self._bundle, self._graphs, self._manifest = bundle, graphs, bundle.manifest
        self._row = {channel.name: k for k, channel in enumerate(self._manifest.channels)}
        self._sensors = list(self._manifest.sensors)
        self._prefix = writing.upper(self._manifest.name)

    # The header

    def header(self) -> bytes:
        """Names for what an app asks of a prediction by number."""
        manifest, prefix = self._manifest, self._prefix
        guard = f"{prefix}_H"
        channels = [channel.name for channel in manifest.channels]
        tasks = [task.name for task in manifest.tasks]
        lines = [
            *writing.header(self._bundle, "The constants of this bundle, for `onwrist_open`."),
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            '#include "onwrist.h"',
            "",
            f"#define {prefix}_NAME {_string(manifest.name)}",
            f"#define {prefix}_VERSION {_string(manifest.version)}",
            f"#define {prefix}_HASH {_string(self._bundle.hash)}",
            f"#define {prefix}_RATE {writing.float64(manifest.rate)} /* Hz of the grid */",
            f"#define {prefix}_SAMPLES {manifest.samples} /* grid points of a window */",
            "",
            *_enum(f"{prefix}_CHANNEL", channels),
            *_enum(f"{prefix}_SENSOR", self._sensors),
            *_enum(f"{prefix}_TASK", tasks),
        ]
        for task in manifest.tasks:
            lines += _enum(f"{prefix}_{writing.upper(task.name)}", task.labels)
        lines += [
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            f"extern const onwrist_bundle {bundle_name(self._bundle)};",
            "",
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "",
            "#endif",
        ]
        return writing.source(lines)

    # The source

    def source(self) -> bytes:
        """The record and what it points to."""
        lines = [
            *writing.header(self._bundle, "The constants of this bundle."),
            f'#include "{header_name(self._bundle)}.h"',
            "",
            "#include <math.h>",
            "",
            *self._channels(),
            *_texts("SENSORS", self._sensors),
            *self._stages(),
            *self._tasks(),
            *self._graph_records(),
            *self._tokens(),
            *self._patterns(),
            *self._plausible(),
            *self._tolerances(),
            *self._record(),
        ]
        return writing.source(lines)

    def _channels(self) -> list[str]:
        lines = ["static const onwrist_channel CHANNELS[] = {"]
        for x in self._manifest.channels:
            texts = ", ".join(map(_string, (x.name, x.sensor, x.unit, x.polarity)))
            numbers = ", ".join(map(writing.float64, (x.rate, x.minimum, x.maximum)))
            kind = f"ONWRIST_{x.aggregation.upper()}"
            lines.append(
                f"    {{{texts}, {numbers}, {kind}, {self._sensors.index(x.sensor)}}},"
            )
        return [*lines, "};", ""]

    def _stages(self) -> list[str]:
        lines = ["static const onwrist_stage STAGES[] = {"]
        lines += [
            f"    {{{_string(x.name)}, {x.start}, {x.stop}}}," for x in self._manifest.embedding
        ]
        return [*lines, "};", ""]

    def _tasks(self) -> list[str]:
        lines: list[str] = []
        records = []
        for k, task in enumerate(self._manifest.tasks):
            if task.labels:
                lines += _texts(f"LABELS_{k}", task.labels)
            lines += self._needs(f"REQUIRED_{k}", task.required)
            lines += self._needs(f"ANY_OF_{k}", task.any_of)
            records.append(self._task(k, task))
        if not records:
            return lines
        return [*lines, "static const onwrist_task TASKS[] = {", *records, "};", ""]

    def _task(self, k: int, task: Task) -> str:
        fields = [
            _string(task.name),
            "NULL" if task.unit is None else _string(task.unit),
            f"LABELS_{k}" if task.labels else "NULL",
            str(len(task.labels)),
            f"REQUIRED_{k}" if task.required else "NULL",
            str(len(task.required)),
            f"ANY_OF_{k}" if task.any_of else "NULL",
            str(len(task.any_of)),
            writing.float64(task.minimum_confidence),
        ]
        return f"    {{{', '.join(fields)}}},"

    def _needs(self, name: str, needs: dict[str, float]) -> list[str]:
        if not needs:
            return []
        pairs = [f"{{{self._row[c]}, {writing.float64(x)}}}" for c, x in needs.items()]
        return [f"static const onwrist_need {name}[] = {{{', '.join(pairs)}}};", ""]

    def _graph_records(self) -> list[str]:
        lines: list[str] = []
        records = []
        for k, graph in enumerate(self._graphs):
            sizes = self._manifest.sizes(graph.role)
            lines += _numbers(f"SIZES_{k}", "int", sizes)
            member = self._manifest.members[graph.file]
            sensor = -1 if graph.sensor is None else self._sensors.index(graph.sensor)
            role = f"ONWRIST_{graph.role.upper()}_GRAPH"
            records += [
                f"    {{{_string(graph.file)}, {member.bytes},",
                f"     {_string(member.sha256)},",
                f"     {role}, {sensor}, SIZES_{k}, {len(sizes)}}},",
            ]
        return [*lines, "static const onwrist_graph GRAPHS[] = {", *records, "};", ""]

    def _tokens(self) -> list[str]:
        tokens = self._manifest.tokens
        if tokens is None:
            return []
        lines = []
        records = []
        for k, group in enumerate(tokens.groups):
            lines += _numbers(f"GROUP_{k}", "int", [self._row[name] for name in group.channels])
            records.append(_group(k, group))
        lines += ["static const onwrist_group GROUPS[] = {", *records, "};", ""]
        return [*lines, *_numbers("TOKEN_SIZES", "int", tokens.sizes)]

    def _patterns(self) -> list[str]:
        availability = self._manifest.availability
        if availability is None:
            return []
        lines: list[str] = []
        records = []
        for k, pattern in enumerate(availability.patterns):
            lines += self._pattern(k, pattern)
            temperatures = (
                f"TEMPERATURES_{k}, CONFIDENCE_{k}" if self._manifest.tasks else "0, 0"
            )
            records.append(f"    {{LIVE_{k}, {temperatures}}},")
        return [*lines, "static const onwrist_pattern PATTERNS[] = {", *records, "};", ""]

    def _pattern(self, k: int, pattern: Pattern) -> list[str]:
        live = [int(sensor in pattern.sensors) for sensor in self._sensors]
        lines = _numbers(f"LIVE_{k}", "uint8_t", live)
        names = [task.name for task in self._manifest.tasks]
        if names:
            asked = [pattern.temperatures.get(name, 0.0) for name in names]
            least = [pattern.minimum_confidence.get(name, 0.0) for name in names]
            lines += _numbers(f"TEMPERATURES_{k}", "double", asked)
            lines += _numbers(f"CONFIDENCE_{k}", "double", least)
        return lines

    def _plausible(self) -> list[str]:
        records = self._manifest.plausible
        if not records:
            return []
        lines: list[str] = []
        for k, record in enumerate(records):
            if record.usual is not None:
                lines += _numbers(f"MEAN_{k}", "float", record.usual.mean)
                lines += _numbers(f"WHITENING_{k}", "float", record.usual.whitening)
            margins = [record.exchanged.get(other.sensor, np.inf) for other in records]
            lines += _numbers(f"EXCHANGED_{k}", "double", margins)
        lines.append("static const onwrist_plausible PLAUSIBLE[] = {")
        for k, record in enumerate(records):
            lines += self._plausible_record(k, record)
        return [*lines, "};", ""]

    def _plausible_record(self, k: int, record: Plausible) -> list[str]:
        rows = [self._row[name] for name in (*record.acceleration, *record.turning)]
        pairs = [record.gravity, record.rest, record.turns, record.turns_per_g]
        usual = "NULL, NULL" if record.usual is None else f"MEAN_{k}, WHITENING_{k}"
        turned = np.inf if record.turned is None else record.turned
        return [
            f"    {{{self._sensors.index(record.sensor)}, {_braced('int', rows)},",
            f"     {', '.join(_braced('double', pair) for pair in pairs)},",
            f"     {_number('double', record.run)}, {_braced('double', record.rails)},",
            f"     {usual}, {_number('double', turned)}, EXCHANGED_{k}}},",
        ]

    def _tolerances(self) -> list[str]:
        golden, outputs = self._manifest.golden, self._manifest.outputs
        tight = _numbers("TOLERANCE", "double", [golden.tolerance[x] for x in outputs])
        return [*tight, *_numbers("LOOSE", "double", [golden.loose[x] for x in outputs])]

    def _record(self) -> list[str]:
        m, golden = self._manifest, self._manifest.golden
        tokens, fusion, availability = m.tokens, m.fusion, m.availability
        interpolated = -1
        if tokens is not None and tokens.interpolated is not None:
            interpolated = self._row[tokens.interpolated]
        member = m.members[golden.file]
        fields: dict[str, object] = {
            "name": _string(m.name),
            "version": _string(m.version),
            "hash": _string(self._bundle.hash),
            "rate": writing.float64(m.rate),
            "samples": m.samples,
            "channels": "CHANNELS",
            "channel_count": len(m.channels),
            "sensors": "SENSORS",
            "sensor_count": len(self._sensors),
            "stages": "STAGES",
            "stage_count": len(m.embedding),
            "embedding": m.embedding[-1].stop,
            "tasks": "TASKS" if m.tasks else "NULL",
            "task_count": len(m.tasks),
            "graphs": "GRAPHS",
            "graph_count": len(self._graphs),
            "baseline_seconds": writing.float64(m.baseline.seconds if m.baseline else 0.0),
            "baseline_samples": m.baseline.samples if m.baseline else 0,
            "step_samples": m.step.samples if m.step else 0,
            "step_state": m.step.state if m.step else 0,
            "patch": tokens.patch if tokens else 0,
            "token_width": tokens.width if tokens else 0,
            "groups": "GROUPS" if tokens else "NULL",
            "group_count": len(tokens.groups) if tokens else 0,
            "token_sizes": "TOKEN_SIZES" if tokens else "NULL",
            "token_size_count": len(tokens.sizes) if tokens else 0,
            "interpolated": interpolated,
            "least": writing.float64(availability.least if availability else 0.0),
            "patterns": "PATTERNS" if availability else "NULL",
            "pattern_count": len(availability.patterns) if availability else 0,
            "fusion_tokens": fusion.tokens if fusion else 0,
            "fusion_width": fusion.width if fusion else 0,
            "restores": "true" if fusion and fusion.restores else "false",
            "plausible": "PLAUSIBLE" if m.plausible else "NULL",
            "plausible_count": len(m.plausible),
        }
        golden_fields = ", ".join(
            [_string(golden.file), str(member.bytes), _string(member.sha256), '"tflite"']
        )
        return [
            f"const onwrist_bundle {bundle_name(self._bundle)} = {{",
            *(f"    .{name} = {value}," for name, value in fields.items()),
            f"    .golden = {{{golden_fields},",
            f"               {golden.windows}, {golden.steps}, TOLERANCE, LOOSE}},",
            "};",
        ]


def _group(k: int, group: Group) -> str:
    name, count = _string(group.name), len(group.channels)
    return f"    {{{name}, GROUP_{k}, {count}, {group.least}}},"


def _string(text: str) -> str:
    return writing.string(text, "c")


def _number(kind: str, value: float) -> str:
    if np.isinf(value):
        return "INFINITY"
    if kind == "double":
        return writing.float64(value)
    return writing.float32(value, "c") if kind == "float" else str(int(value))


def _braced(kind: str, values: Iterable[float]) -> str:
    return f"{{{', '.join(_number(kind, value) for value in values)}}}"


def _numbers(name: str, kind: str, values: Iterable[float]) -> list[str]:
    """An array, in as many lines as it takes."""
    lines = [f"static const {kind} {name}[] = {{"]
    line = "   "
    for value in values:
        text = f" {_number(kind, value)},"
        if len(line) + len(text) > _WIDTH:
            lines.append(line)
            line = "   "
        line += text
    return [*lines, line, "};", ""]


def _texts(name: str, texts: Iterable[str]) -> list[str]:
    lines = [f"static const char *const {name}[] = {{"]
    return [*lines, *(f"    {_string(text)}," for text in texts), "};", ""]


def _enum(prefix: str, names: Sequence[str]) -> list[str]:
    """Numbers of names: `PREFIX_NAME = 0` and so on."""
    if not names:
        return []
    found = writing.identifiers(names, "snake", "c")
    rows = [f"  {prefix}_{found[name].upper()} = {k}," for k, name in enumerate(names)]
    return ["enum {", *rows, "};", ""]
