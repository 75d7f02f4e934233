"""A bundle in, its TypeScript module out: typed constants, how to load it, a self-test.

Names of tasks, channels and sensors are literal types: a misspelt one does not compile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onwrist.embed import writing
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.manifest import Channel, Graph, Task


def module_name(bundle: Bundle) -> str:
    """Name of the module, without its ending: `wristHimae`."""
    return writing.camel(bundle.manifest.name)


def constants(bundle: Bundle, graphs: Sequence[Graph]) -> bytes:
    """The module of a bundle whose files are these graphs and the golden vectors."""
    manifest, type_name = bundle.manifest, writing.pascal(bundle.manifest.name)
    files = [*dict.fromkeys(x.file for x in graphs), manifest.golden.file]
    lines = [
        *writing.header(bundle, manifest.description),
        'import * as onwrist from "./onwrist/index.js";',
        "",
        "/** Which bundle this is. */",
        "export const bundle = {",
        f"  name: {_text(manifest.name)},",
        f"  version: {_text(manifest.version)},",
        f"  hash: {_text(bundle.hash)},",
        "} as const;",
        "",
        "/** Grid points per second, and of a window. */",
        f"export const rate = {_number(manifest.rate)};",
        f"export const windowSamples = {manifest.samples};",
        "",
        "/** The rows of a window, in order; rates in Hz are nominal. */",
        "export const channels = [",
        *(f"  {_channel(channel)}," for channel in manifest.channels),
        "] as const;",
        'export type ChannelName = (typeof channels)[number]["name"];',
        "",
        f"export const sensors = [{writing.strings(manifest.sensors, 'typescript')}] as const;",
        "export type SensorName = (typeof sensors)[number];",
        "",
        "/**",
        " * What is predicted, and when it may be believed: least coverage and confidence.",
        *_of_patterns(bundle),
        " */",
        "export const tasks = {",
        *(f"  {_text(task.name)}: {_task(task)}," for task in manifest.tasks),
        "} as const;",
        "export type TaskName = keyof typeof tasks;",
        "",
        "/** The files that are loaded. */",
        "export const files = [",
        *(f"  {_file(bundle, name)}," for name in files),
        "] as const;",
        "",
        f"export type {type_name}Prediction = "
        "onwrist.Prediction<TaskName, ChannelName, SensorName>;",
        f"export type {type_name} = onwrist.Model<{type_name}Prediction>;",
        "",
        "/**",
        " * The model, once the engine was found to give its golden numbers here.",
        " *",
        " * @param open opens graphs, such as `onwrist.onnxRuntime(ort)`.",
        " * @param read reads files of the bundle, such as `onwrist.fromUrl(folder)`.",
        " */",
        "export async function load(",
        "  open: onwrist.OpenSession,",
        "  read: onwrist.ReadFile,",
        "  options: onwrist.LoadOptions = {},",
        f"): Promise<{type_name}> {{",
        "  const opened = await onwrist.openFiles(",
        "    read,",
        "    bundle.hash,",
        "    files.map((file) => file.name),",
        "  );",
        "  return onwrist.loadModel(opened, open, options);",
        "}",
        "",
        "/**",
        " * Replay the golden vectors with an engine, and tell how far it is from them.",
        " *",
        " * @throws onwrist.ParityError where it is too far.",
        " */",
        "export async function selfTest(",
        "  open: onwrist.OpenSession,",
        "  read: onwrist.ReadFile,",
        "): Promise<onwrist.Verification> {",
        "  const model = await load(open, read, { prove: false });",
        "  const report = await model.verify();",
        "  onwrist.demandParity(model.manifest, report);",
        "  return report;",
        "}",
    ]
    return writing.source(lines)


def _of_patterns(bundle: Bundle) -> list[str]:
    if bundle.manifest.availability is None:
        return []
    return [" * Of the live sensors together the manifest asks for more, which the host does."]


def _channel(channel: Channel) -> str:
    return _record(
        {
            "name": _text(channel.name),
            "sensor": _text(channel.sensor),
            "rate": _number(channel.rate),
            "unit": _text(channel.unit),
            "polarity": _text(channel.polarity),
            "minimum": _number(channel.minimum),
            "maximum": _number(channel.maximum),
        }
    )


def _task(task: Task) -> str:
    return _record(
        {
            "kind": _text(task.kind),
            "unit": "null" if task.unit is None else _text(task.unit),
            "labels": f"[{writing.strings(task.labels, 'typescript')}]",
            "required": _shares(task.required),
            "anyOf": _shares(task.any_of),
            "minimumConfidence": _number(task.minimum_confidence),
        }
    )


def _shares(shares: Mapping[str, float]) -> str:
    return _record({_text(name): _number(share) for name, share in shares.items()})


def _file(bundle: Bundle, name: str) -> str:
    size, digest = len(bundle.members[name]), writing.sha256(bundle, name)
    return _record({"name": _text(name), "bytes": str(size), "sha256": _text(digest)})


def _record(fields: Mapping[str, str]) -> str:
    inner = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return f"{{ {inner} }}" if inner else "{}"


def _text(text: str) -> str:
    return writing.string(text, "typescript")


def _number(value: float) -> str:
    return writing.float64(value)
