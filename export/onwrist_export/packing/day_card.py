"""CARD.md of a day's bundle: what made it, what it reaches, and what not to believe of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onwrist_export.judging import tables
from onwrist_export.packing.card import CAVEAT, configuration, engines
from onwrist_export.packing.day_source import DaySource
from onwrist_export.quantization.parity import Parity
from onwrist_runtime.manifest import Manifest, Role

SIZES = (
    "A file of several sizes has a graph for each; hosts choose among them by its signatures. "
    "TFLite-Micro cannot: `onwrist_export.quantization.flatbuffer.sizes` cuts each out.\n"
)


def write(
    source: DaySource,
    manifest: Manifest,
    parities: Mapping[Role, Parity],
    notes: Sequence[str],
) -> str:
    """The card as Markdown."""
    config, tokens = source.config, manifest.tokens
    assert tokens is not None
    channels = tables.markdown(
        ["channel", "unit", "of its minute the", "plausible", "scaled by"],
        (
            [
                c.name,
                c.unit,
                c.aggregation,
                f"{c.minimum:g} to {c.maximum:g}",
                f"({'log(1 + x)' if c.normalization == 'log' else 'x'} - {c.offset:g}) "
                f"/ {c.scale:g}",
            ]
            for c in manifest.channels
        ),
    )
    slices = ", ".join(f"{s.name} [{s.start}:{s.stop}]" for s in manifest.embedding)
    groups = " and ".join(f"`{g.name}` ({', '.join(g.channels)})" for g in tokens.groups)
    outputs = f"Embedding of {manifest.embedding[-1].stop}: {slices}. Every minute, imputed.\n"
    for task in manifest.tasks:
        asks = [f"{c} coverage from {least:g}" for c, least in task.required.items()]
        asks.append(f"confidence from {task.minimum_confidence:g}")
        figures = ", ".join(f"{k} {_figure(v)}" for k, v in source.reached[task.name].items())
        outputs += (
            f"\n- `{task.name}`: minutes; confidence is the calibrated P(error <= "
            f"{config.probe.tolerance:g} min). It answers given {', '.join(asks)}. On people "
            f"whom its head was not fitted on, but the encoder has seen: {figures}."
        )
    excluded = f" Kept in float: {', '.join(source.excluded)}." if source.excluded else ""
    parts = [
        f"# {manifest.name} {manifest.version}\n\n{manifest.description}.\n",
        f"Licence: {manifest.licence}.",
        f"## Input\n\nA day of {manifest.samples} minutes of the local clock, any of it "
        f"missing. A token is {tokens.patch} minutes of {groups}; sizes of the encoder are "
        f"{', '.join(map(str, tokens.sizes))} tokens.\n\n{channels}",
        f"## Output\n\n{outputs}",
        "## How it was made\n\n```\n"
        + "\n".join(source.commands)
        + f"\n```\n\nSeed {config.seed}. {config.attribution}.\n\n"
        f"Scales of INT8 were chosen on {source.calibration}.{excluded}",
        "## Before you trust it\n\n" + CAVEAT + config.caveats.strip(),
        f"## INT8\n\n{SIZES}\n{engines(parities)}"
        + "".join(
            f"\n### {role.capitalize()} graph\n\n{tables.parity(parity)}"
            for role, parity in parities.items()
        ),
        *notes,
        configuration(config),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _figure(value: float) -> str:
    """Counts whole, everything else with three digits."""
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"
