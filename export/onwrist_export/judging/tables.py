"""Results as Markdown tables, for cards, the README and terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onwrist_export.config import Config
from onwrist_export.judging.evaluate import ClassRow, RateRow
from onwrist_export.judging.metrics import Score
from onwrist_export.judging.probe import ProbeRow, TuningRow
from onwrist_export.quantization.parity import OFF_ROUNDING_OTHERWISE, Agreement, Parity


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _interval(score: Score, digits: int = 2) -> str:
    low, high = score.interval
    return f"{score.mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _missing(share: float) -> str:
    return f"{share:.0%}"


def rates(rows: Sequence[RateRow], unit: str) -> str:
    """Mean absolute error by method and missing share."""
    header = [
        "ppg missing",
        "method",
        f"MAE, all windows ({unit})",
        "mean over subjects [95 %]",
        "MAE, answered",
        "abstained",
    ]
    return markdown(
        header,
        (
            [
                _missing(row.missing),
                row.method,
                f"{row.every.pooled:.2f}",
                _interval(row.every),
                f"{row.answered.pooled:.2f}" if row.answered else "",
                f"{row.abstained:.1%}" if row.answered else "",
            ]
            for row in rows
        ),
    )


def rates_by_subject(rows: Sequence[RateRow], method: str) -> str:
    """Mean absolute error of one method for every subject."""
    chosen = [row for row in rows if row.method == method]
    subjects = list(chosen[0].every.by_subject)
    return markdown(
        ["ppg missing", *subjects],
        (
            [_missing(r.missing), *(f"{r.every.by_subject[s]:.2f}" for s in subjects)]
            for r in chosen
        ),
    )


def classes(rows: Sequence[ClassRow]) -> str:
    """AUROC by method, whole recordings and their middle."""
    return markdown(
        ["method", "AUROC, mean over subjects [95 %]", "pooled", "600 to 2400 s [95 %]"],
        (
            [
                row.method,
                _interval(row.whole, 3),
                f"{row.whole.pooled:.3f}",
                _interval(row.middle, 3) if row.middle else "",
            ]
            for row in rows
        ),
    )


def probes(rows: Sequence[ProbeRow], config: Config) -> str:
    """A table a task: stages across, encoders and numbers of people down."""
    text = ""
    for task in config.tasks:
        chosen = [row for row in rows if row.task == task.name]
        stages = sorted({row.stage for row in chosen})
        what = f"MAE in {task.unit}" if task.kind == "rate" else "AUROC, mean over subjects"
        text += f"{task.name}, linear probe, {what}:\n\n"
        lines = []
        for encoder, people in dict.fromkeys((row.encoder, row.people) for row in chosen):
            cells = {
                row.stage: row.score
                for row in chosen
                if (row.encoder, row.people) == (encoder, people)
            }
            shown = (
                f"{s.pooled:.2f}" if task.kind == "rate" else f"{s.mean:.3f}"
                for s in (cells[k] for k in stages)
            )
            lines.append([encoder, str(people), *shown])
        text += markdown(["encoder", "people", *(f"stage {k}" for k in stages)], lines) + "\n"
    return text


def tuning(rows: Sequence[TuningRow]) -> str:
    """Mean absolute error after tuning from pretrained and from random weights."""
    keys = dict.fromkeys((row.people, row.draw, row.missing) for row in rows)
    found = {(r.people, r.draw, r.missing, r.start): r.score for r in rows}
    text = "Tuned end to end, MAE over test windows:\n\n"
    return text + markdown(
        ["people", "draw", "ppg missing", "pretrained", "from scratch"],
        (
            [
                str(people),
                str(draw + 1),
                _missing(missing),
                f"{found[people, draw, missing, 'pretrained'].pooled:.2f}",
                f"{found[people, draw, missing, 'scratch'].pooled:.2f}",
            ]
            for people, draw, missing in keys
        ),
    )


def parity(found: Parity) -> str:
    """Float against INT8 by condition, engines against each other, and the worst layer."""
    tasks = list(dict.fromkeys((t.task, t.metric) for c in found.conditions for t in c.tasks))
    rows = []
    for condition in found.conditions:
        by_name = {(task.task, task.metric): task for task in condition.tasks}
        cells = (
            f"{by_name[t].fp32:.3f} / {by_name[t].int8:.3f}, flips {by_name[t].flips:.1%}"
            if t in by_name
            else ""
            for t in tasks
        )
        rows.append(
            [
                condition.name,
                f"{condition.sqnr:.1f}",
                f"{condition.centred_cosine:.4f} ({condition.centred_cosine_p5:.4f})",
                *cells,
            ]
        )
    header = ["windows", "SQNR (dB)", "centred cosine (5th percentile)"]
    text = markdown([*header, *(f"{t}, {m}: float / INT8" for t, m in tasks)], rows)
    agreement = markdown(
        ["engine", "int8 outputs equal", "most off", "same int8 input"],
        (
            [a.engine, f"{a.equal:.2%}", _most_off(a), "yes" if a.input_equal else "no"]
            for a in found.agreements
        ),
    )
    if not found.conditions:
        text = ""
    if found.imputations:
        text += markdown(
            ["imputed channel", "hidden grid points", "mean absolute error: float / INT8"],
            (
                [i.channel, str(i.minutes), f"{i.fp32:.4g} / {i.int8:.4g}"]
                for i in found.imputations
            ),
        )
    worst = min(found.layers, key=lambda layer: layer.sqnr)
    return (
        f"{text}\nAgainst {found.agreements[0].reference}:\n\n{agreement}\n"
        f"The layer that adds most noise is {found.worst_layer}; the noisiest is "
        f"{worst.name} ({worst.sqnr:.1f} dB).\n"
        + "".join(
            f"{name} was not checked: the processor has no VNNI.\n" for name in found.unchecked
        )
    )


def trials(parities: Iterable[Parity]) -> str:
    """What the TFLite files did in engines of other environments; empty if none was tried."""
    rows = [trial for parity in parities for trial in parity.trials]
    if not rows:
        return ""
    table = markdown(
        ["file", "engine", "suits", "most off", "int8 equal", "arena (bytes)", "bytes"],
        (
            [
                t.file + (f", size {t.size} alone" if t.size else ""),
                f"{t.engine} {t.version}",
                "yes" if t.claimed else f"no: {t.reason}",
                "" if t.off is None else str(t.off),
                "" if t.agreement is None else f"{t.agreement.equal:.2%}",
                "" if t.arena is None else f"{t.arena:,}",
                f"{t.flash:,}",
            ]
            for t in rows
        ),
    )
    return (
        "\nEach TFLite file in engines of their own, on the golden inputs, against LiteRT. "
        f"It suits where the stage outputs, of a day every layer, are off by at most "
        f"{OFF_ROUNDING_OTHERWISE} and the outputs within the loose tolerances. The share is "
        f"of all int8 outputs; the arena is TFLite-Micro's on a 64-bit processor.\n\n{table}"
    )


def _most_off(found: Agreement) -> str:
    """And over how much, if not over all outputs."""
    return str(found.off) + (
        f" (of {found.compared:.0%}, computed from equal integers)"
        if found.compared < 1
        else ""
    )
