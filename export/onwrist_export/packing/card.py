"""CARD.md of a bundle: what made it, what it reaches, and what not to believe of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from onwrist_export.judging import tables
from onwrist_export.judging.metrics import Score
from onwrist_export.judging.results import FLOAT, INT8, Results
from onwrist_export.packing.artifact import Source
from onwrist_export.quantization.parity import Parity
from onwrist_runtime.manifest import Role, Task

CONFIGURATION = "## Configuration"
INTEGERS = "## INT8"
MAKING = "## How it was made"
CAVEAT = (
    "- Not a medical device. Nothing here diagnoses, treats or monitors a condition.\n"
    "- Another sensor differs in wavelength, polarity, units and the vendor's filtering: check "
    "on it before you trust it.\n"
)


def write(
    source: Source,
    parities: Mapping[Role, Parity],
    found: Results | None,
    notes: Sequence[str],
) -> str:
    """The card as Markdown."""
    what = source.description
    parts = [
        f"# {what.name} {what.version}\n\n{what.description}.\n",
        f"Licence: {what.licence}.",
        _inputs(source),
        _outputs(source),
        _making(source, found),
    ]
    if found:
        parts.append(_results(found, source))
    caveats = CAVEAT + (source.config.caveats if source.config else "")
    gelu = source.encoder.activation == "gelu"
    parts += ["## Before you trust it\n\n" + caveats, quantization(parities, gelu), *notes]
    if source.config:
        parts.append(configuration(source.config))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _inputs(source: Source) -> str:
    what = source.description
    seconds = what.samples / what.rate
    rows = (
        [
            c.name,
            c.unit,
            f"{c.minimum:g} to {c.maximum:g}",
            "minimum and maximum of the window"
            if c.normalization == "window"
            else f"(x - {c.offset:g}) / {c.scale:g}",
            c.polarity,
        ]
        for c in what.channels
    )
    return (
        f"## Input\n\n{seconds:g} s at {what.rate:g} Hz ({what.samples} samples), any of it "
        "missing.\n\n"
        + tables.markdown(["channel", "unit", "plausible", "scaled by", "polarity"], rows)
    )


def _outputs(source: Source) -> str:
    what = source.description
    slices = ", ".join(f"{s.name} [{s.start}:{s.stop}]" for s in what.embedding)
    text = f"## Output\n\nEmbedding of {what.embedding[-1].stop}: {slices}.\n"
    for task in what.tasks:
        text += f"\n- `{task.name}`: {_task(task, source)}"
    return text


def _task(task: Task, source: Source) -> str:
    asks = [f"{c} coverage from {v:g}" for c, v in task.required.items()]
    if task.any_of:
        least = min(task.any_of.values())
        asks.append(f"one channel covered from {least:g}")
    if task.minimum_confidence:
        asks.append(f"confidence from {task.minimum_confidence:g}")
    if task.kind == "regression":
        tolerance = source.config.task(task.name).tolerance if source.config else 0.0
        says = (
            f"{task.unit}; confidence is the calibrated P(error <= {tolerance:g} {task.unit})"
        )
    else:
        says = f"{' or '.join(task.labels)}; calibrated probabilities"
    return f"{says}. It answers given {', '.join(asks) or 'anything'}."


def _making(source: Source, found: Results | None) -> str:
    text = f"{MAKING}\n\n"
    if source.commands:
        text += "```\n" + "\n".join(source.commands) + "\n```\n\n"
    if source.config and source.kind != "official":
        text += f"Seed {source.config.seed}. {source.config.attribution}.\n\n"
    if found:
        for role, people in found.people.items():
            text += f"- {role}: {', '.join(people)}\n"
        text += "\nTest subjects took no part in training, calibration or thresholds.\n\n"
    text += f"Scales of INT8 were chosen on {source.calibration}."
    if source.excluded:
        text += f" Kept in float: {', '.join(source.excluded)}."
    return text


def _results(found: Results, source: Source) -> str:
    config = source.config
    if config is None:
        raise ValueError("results belong to a trained model, which has a configuration")
    rate = next(t for t in config.tasks if t.kind == "rate")
    unit = rate.unit or ""
    trust = tables.markdown(
        ["ppg missing", "answered windows", "confidence says", "within tolerance"],
        (
            [f"{r.missing:.0%}", str(r.windows), f"{r.said:.3f}", f"{r.right:.3f}"]
            for r in found.trust
        ),
    )
    text = (
        f"## {rate.name}\n\nTest subjects, windows with a label, ppg missing in spans of 1 to "
        f"5 s. The mean of training is {source.constants[rate.name]:.1f} {unit}.\n\n"
        f"{tables.rates(found.rates, unit)}\n"
        f"By subject, {INT8}:\n\n{tables.rates_by_subject(found.rates, INT8)}\n"
        f"With every other channel absent the error is {found.first_channel_only:.2f} {unit}."
    )
    if found.unlabelled_abstained is not None:
        text += (
            " On test windows without a label, which are the less clean ones, it abstains on "
            f"{found.unlabelled_abstained:.0%}."
        )
    text += f"\n\n{trust}"
    for task in (t for t in config.tasks if t.kind == "class"):
        text += (
            f"\n## {task.name}\n\n{_known(source)}Cross-validation by subject over all "
            f"labelled people ({FLOAT}; its head alone is trained in each fold).\n\n"
            f"{tables.classes([row for row in found.classes if row.task == task.name])}\n"
            f"The shipped head on test subjects, {INT8}, AUROC:\n\n"
        )
        for what, score in found.shipped_classes[task.name].items():
            text += f"- {what}: {_by_subject(score)}.\n"
    return text


def _known(source: Source) -> str:
    baseline = source.description.baseline
    if baseline is None:
        return ""
    return (
        "A stream also gives the running mean and scale of each channel, in which what is "
        f"{baseline.seconds:g} s old counts 1 / e; a single window does without, unless it is "
        "given them. "
    )


def quantization(parities: Mapping[str, Parity], gelu: bool) -> str:
    """How the files compare; `gelu` where the encoder needs one."""
    lacks = "TFLite-Micro has no GELU, which this encoder needs. " if gelu else ""
    text = f"{INTEGERS}\n\n{lacks}{engines(parities)}"
    for role, parity in parities.items():
        what = "" if len(parities) == 1 else f"### {role.capitalize()} graph\n\n"
        text += f"\n{what}{tables.parity(parity)}"
    return text


def engines(parities: Mapping[Role, Parity]) -> str:
    """Which engines the files were run in, and what came of it in those of other places."""
    tried = tables.trials(parities.values())
    if tried:
        return f"Run in LiteRT and ONNX Runtime.\n{tried}"
    return (
        "Run in LiteRT and ONNX Runtime. tflite-runtime and TFLite-Micro were not run: LiteRT "
        "was, with kernels that round as theirs do.\n"
    )


def _by_subject(score: Score) -> str:
    each = ", ".join(f"{name} {value:.3f}" for name, value in score.by_subject.items())
    return f"{each}; mean {score.mean:.3f}, pooled {score.pooled:.3f}"


def configuration(config: object) -> str:
    """The configuration as a section of the card."""
    said = msgspec.json.format(msgspec.json.encode(config), indent=1).decode()
    return f"{CONFIGURATION}\n\n```json\n{said}\n```\n"
