"""A manifest in, its constants as C out: a header with names, a source with one record.

What the host asks for and nothing else: channels, tasks, graphs with their hashes, patterns,
tokens, what is plausible, and how far outputs may be from the golden vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onwrist.embed import writing
from onwrist.embed.c_arrays import array, braced, number, string, text_array
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Graph, Group, Pattern, Task
from onwrist_runtime.manifest_plausible import Plausible

# What a bundle cannot be called beside the host's own files, functions and macros.
_HOST_NAMES = ("onwrist", "ow_")
_OTHER_FILES = frozenset({"selftest", "app", "litert_c_api", "tflite_c_api"})


def header_name(bundle: Bundle) -> str:
    """The stem of the header: `wrist_himae`."""
    stem = writing.identifier(bundle.manifest.name, "snake", "c")
    taken = stem.startswith(_HOST_NAMES) or stem in _OTHER_FILES
    return f"bundle_{stem}" if taken else stem


def bundle_name(bundle: Bundle) -> str:
    """The name of the record: `wrist_himae_bundle`."""
    return f"{header_name(bundle)}_bundle"


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
        self._prefix = header_name(bundle).upper()

    # The header

    def header(self) -> bytes:
        """Names for what an app asks of a prediction by number."""
        manifest, prefix = self._manifest, self._prefix
        values = {
            "NAME": string(manifest.name),
            "VERSION": string(manifest.version),
            "HASH": string(self._bundle.hash),
            "RATE": f"{writing.float64(manifest.rate)} /* Hz of the grid */",
            "SAMPLES": f"{manifest.samples} /* grid points of a window */",
        }
        lines = [
            *writing.header(self._bundle, "The constants of this bundle, for `onwrist_open`."),
            f"#ifndef {prefix}_H",
            f"#define {prefix}_H",
            "",
            '#include "onwrist.h"',
            "",
            *(f"#define {prefix}_{name} {value}" for name, value in values.items()),
            "",
            *self._numbers_of(["H", *values]),
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

    def _numbers_of(self, taken: Sequence[str]) -> list[str]:
        """Enumerators of channels, sensors, tasks and labels, no two of them the same."""
        tasks = self._manifest.tasks
        lists = {
            "CHANNEL": [channel.name for channel in self._manifest.channels],
            "SENSOR": self._sensors,
            "TASK": [task.name for task in tasks],
        }
        keys = [
            f"{self._prefix} {kind} {name}" for kind, names in lists.items() for name in names
        ]
        keys += [f"{self._prefix} {task.name}: {x}" for task in tasks for x in task.labels]
        reserved = [f"{self._prefix}_{name}" for name in taken]
        found = writing.identifiers([*reserved, *keys], "upper", "c")
        lines: list[str] = []
        at = iter(keys)
        for count in (*map(len, lists.values()), *(len(task.labels) for task in tasks)):
            if count:
                rows = [f"  {found[next(at)]} = {k}," for k in range(count)]
                lines += ["enum {", *rows, "};", ""]
        return lines

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
            *text_array("SENSORS", self._sensors),
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
            texts = ", ".join(map(string, (x.name, x.sensor, x.unit, x.polarity)))
            numbers = ", ".join(map(writing.float64, (x.rate, x.minimum, x.maximum)))
            kind = f"ONWRIST_{x.aggregation.upper()}"
            lines.append(
                f"    {{{texts}, {numbers}, {kind}, {self._sensors.index(x.sensor)}}},"
            )
        return [*lines, "};", ""]

    def _stages(self) -> list[str]:
        lines = ["static const onwrist_stage STAGES[] = {"]
        lines += [
            f"    {{{string(x.name)}, {x.start}, {x.stop}}}," for x in self._manifest.embedding
        ]
        return [*lines, "};", ""]

    def _tasks(self) -> list[str]:
        lines: list[str] = []
        records = []
        for k, task in enumerate(self._manifest.tasks):
            if task.labels:
                lines += text_array(f"LABELS_{k}", task.labels)
            lines += self._needs(f"REQUIRED_{k}", task.required)
            lines += self._needs(f"ANY_OF_{k}", task.any_of)
            records.append(self._task(k, task))
        if not records:
            return lines
        return [*lines, "static const onwrist_task TASKS[] = {", *records, "};", ""]

    def _task(self, k: int, task: Task) -> str:
        fields = [
            string(task.name),
            "NULL" if task.unit is None else string(task.unit),
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
            lines += array(f"SIZES_{k}", "int", sizes)
            member = self._manifest.members[graph.file]
            sensor = -1 if graph.sensor is None else self._sensors.index(graph.sensor)
            role = f"ONWRIST_{graph.role.upper()}_GRAPH"
            records += [
                f"    {{{string(graph.file)}, {member.bytes},",
                f"     {string(member.sha256)},",
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
            lines += array(f"GROUP_{k}", "int", [self._row[name] for name in group.channels])
            records.append(_group(k, group))
        lines += ["static const onwrist_group GROUPS[] = {", *records, "};", ""]
        return [*lines, *array("TOKEN_SIZES", "int", tokens.sizes)]

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
        lines = array(f"LIVE_{k}", "uint8_t", live)
        names = [task.name for task in self._manifest.tasks]
        if names:
            asked = [pattern.temperatures.get(name, 0.0) for name in names]
            least = [pattern.minimum_confidence.get(name, 0.0) for name in names]
            lines += array(f"TEMPERATURES_{k}", "double", asked)
            lines += array(f"CONFIDENCE_{k}", "double", least)
        return lines

    def _plausible(self) -> list[str]:
        records = self._manifest.plausible
        if not records:
            return []
        lines: list[str] = []
        for k, record in enumerate(records):
            if record.usual is not None:
                lines += array(f"MEAN_{k}", "float", record.usual.mean)
                lines += array(f"WHITENING_{k}", "float", record.usual.whitening)
            margins = [record.exchanged.get(other.sensor, np.inf) for other in records]
            lines += array(f"EXCHANGED_{k}", "double", margins)
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
            f"    {{{self._sensors.index(record.sensor)}, {braced('int', rows)},",
            f"     {', '.join(braced('double', pair) for pair in pairs)},",
            f"     {number('double', record.run)}, {braced('double', record.rails)},",
            f"     {usual}, {number('double', turned)}, EXCHANGED_{k}}},",
        ]

    def _tolerances(self) -> list[str]:
        golden, outputs = self._manifest.golden, self._manifest.outputs
        tight = array("TOLERANCE", "double", [golden.tolerance[x] for x in outputs])
        return [*tight, *array("LOOSE", "double", [golden.loose[x] for x in outputs])]

    def _record(self) -> list[str]:
        m, golden = self._manifest, self._manifest.golden
        tokens, fusion, availability = m.tokens, m.fusion, m.availability
        interpolated = -1
        if tokens is not None and tokens.interpolated is not None:
            interpolated = self._row[tokens.interpolated]
        member = m.members[golden.file]
        fields: dict[str, object] = {
            "name": string(m.name),
            "version": string(m.version),
            "hash": string(self._bundle.hash),
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
            [string(golden.file), str(member.bytes), string(member.sha256), '"tflite"']
        )
        return [
            f"const onwrist_bundle {bundle_name(self._bundle)} = {{",
            *(f"    .{name} = {value}," for name, value in fields.items()),
            f"    .golden = {{{golden_fields},",
            f"               {golden.windows}, {golden.steps}, TOLERANCE, LOOSE}},",
            "};",
        ]


def _group(k: int, group: Group) -> str:
    name, count = string(group.name), len(group.channels)
    return f"    {{{name}, GROUP_{k}, {count}, {group.least}}},"
