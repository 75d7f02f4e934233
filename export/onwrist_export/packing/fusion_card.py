"""CARD.md of a bundle of several sensors: what made it, what it reaches, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onwrist_export.judging import tables
from onwrist_export.packing.card import CAVEAT, configuration, engines
from onwrist_export.packing.fusion_source import FusionSource
from onwrist_export.quantization.fusion import FUSE
from onwrist_export.quantization.parity import Condition, Parity
from onwrist_export.quantization.restoration import Restored
from onwrist_runtime.manifest import Manifest

RESTORED = (
    "What a dead sensor saw is a guess from the others. Each sensor in turn was taken away and "
    "restored from all others that were live, on people who took no part in training. R2 is "
    "the share of the variance that is explained: about a channel's mean, which also counts "
    "how gravity lies, and about each window's own, which counts motion alone. Below 0 the "
    "mean would have been the better guess.\n"
)


def write(
    source: FusionSource,
    manifest: Manifest,
    parities: Mapping[str, Parity],
    restored: Sequence[Restored],
    notes: Sequence[str],
) -> str:
    """The card as Markdown."""
    config = source.config
    assert manifest.availability is not None
    channels = tables.markdown(
        ["channel", "sensor", "unit", "plausible", "scaled by", "axes"],
        (
            [
                c.name,
                c.sensor,
                c.unit,
                f"{c.minimum:g} to {c.maximum:g}",
                f"(x - {c.offset:g}) / {c.scale:g}, clipped to [-1, 1]",
                c.polarity,
            ]
            for c in manifest.channels
        ),
    )
    answers = "".join(
        f"\n- `{task.name}`: {', '.join(task.labels)}; probabilities."
        for task in manifest.tasks
    )
    excluded = f" Kept in float: {', '.join(source.excluded)}." if source.excluded else ""
    seconds = manifest.samples / manifest.rate
    parts = [
        f"# {manifest.name} {manifest.version}\n\n{manifest.description}.\n",
        f"Licence: {manifest.licence}.",
        f"## Input\n\n{seconds:g} s at {manifest.rate:g} Hz ({manifest.samples} samples) of "
        f"{', '.join(manifest.sensors)}; any of it missing. A sensor counts from a coverage of "
        f"{manifest.availability.least:g}; the encoder of another does not run.\n\n{channels}",
        f"## Output\n\nEmbedding of {manifest.embedding[-1].stop}, and how much each sensor "
        f"counted.{_signals(manifest)}\n{answers}",
        "## How it was made\n\n```\n"
        + "\n".join(source.commands)
        + f"\n```\n\nSeed {config.seed}. {config.attribution}.\n\n{_people(source)}\n\n"
        f"Scales of INT8 were chosen on {source.calibration}.{excluded}",
        _reached(source, parities[FUSE].conditions),
        _restoration(restored),
        "## Before you trust it\n\n" + CAVEAT + config.caveats.strip(),
        f"## INT8\n\n{engines(parities)}"
        + "".join(
            f"\n### {name.capitalize()} graph\n\n{tables.parity(parity)}"
            for name, parity in parities.items()
        ),
        *notes,
        configuration(config),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _signals(manifest: Manifest) -> str:
    return " Restored signals of all sensors, on request." if manifest.imputes else ""


def _people(source: FusionSource) -> str:
    split = source.config.split
    return (
        f"Tested on {', '.join(split.test)}; choices were made on "
        f"{', '.join(split.validation)}. Neither took part in training."
    )


def _reached(source: FusionSource, conditions: Sequence[Condition]) -> str:
    """Accuracy and macro-F1 of the INT8 graphs in every pattern; empty without labels."""
    metrics = list(dict.fromkeys((t.task, t.metric) for c in conditions for t in c.tasks))
    if not metrics:
        return "## What it reaches\n\nIt was not judged on people."
    rows = []
    for condition in conditions:
        by_name = {(t.task, t.metric): t for t in condition.tasks}
        counts = {t.windows for t in condition.tasks}
        cells = (f"{by_name[m].int8:.3f}" if m in by_name else "" for m in metrics)
        rows.append([condition.name, str(max(counts, default=0)), *cells])
    people = len(source.config.split.test)
    return (
        f"## What it reaches\n\nThe INT8 graphs on the {people} test subjects, every one "
        "weighing as much, with just these sensors given of windows that have them all; then "
        "with all that was recorded, less spans of 1 to 5 s. Of a single sensor, the row with "
        "its name. These are few people: leave-one-subject-out evidence says more.\n\n"
        + tables.markdown(["given", "windows", *(f"{t}, {m}" for t, m in metrics)], rows)
    )


def _restoration(restored: Sequence[Restored]) -> str:
    if not restored:
        return ""
    rows = (
        [r.sensor, r.unit, str(r.windows), f"{r.r2:.2f}", f"{r.r2_within:.2f}"]
        for r in restored
    )
    header = ["restored sensor", "unit", "windows", "R2", "R2 of motion"]
    return f"## Restoration\n\n{RESTORED}\n{tables.markdown(header, rows)}"
