"""What was measured in; the aims and the sections of the page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from common import table

from day_speed.models import LITERT_FP32, LITERT_INT8, REFERENCE, S8, U8, Made
from day_speed.predictions import (
    HOP_ANEW,
    HOP_GRAPHS,
    HOP_STREAM,
    MISSING,
    WINDOW_GRAPHS,
    Embeds,
    Hop,
    Predict,
)
from day_speed.timing import Interval, Measured
from onwrist_runtime.manifest import Role

# What the project has set itself, for the shipped size.
SHIPPED = "nano"
RATIO, MICROSECONDS, BYTES, HALF = 0.6, 1000.0, 500_000, 0.6
CONTESTANTS = (REFERENCE, U8, S8, LITERT_FP32, LITERT_INT8)


@dataclass(frozen=True)
class GraphCall:
    """One graph of one model size in one engine."""

    model: str
    role: Role
    size: int
    contestant: str


def us(x: Interval) -> str:
    return f"{x.value:.{int(x.value < 100)}f}"


def ratio(x: Interval) -> str:
    return f"{x.value:.3f} ({x.low:.3f} to {x.high:.3f})"


def both(measured: Measured, name: object, to: object) -> str:
    """Microseconds, and the ratio to another, if it is another, with its interval."""
    if name == to:
        return us(measured.median(name))
    return f"{us(measured.median(name))} · {ratio(measured.ratio(name, to))}"


def aims(modes: Sequence[Measured], made: Mapping[str, Made]) -> list[list[str]]:
    """What was aimed at, in which mode, what was measured, and whether it is reached."""
    found = []
    shipped = made[SHIPPED]
    sizes = shipped.manifest.sizes("encode")
    most, half = sizes[-1], sizes[-1] // 2
    for mode in modes:

        def call(size: int, contestant: str = LITERT_INT8) -> GraphCall:
            return GraphCall(SHIPPED, "encode", size, contestant)

        worst = max(sizes, key=lambda k: mode.ratio(call(k), call(k, REFERENCE)).value)
        of_float = mode.ratio(call(worst), call(worst, REFERENCE))
        found.append(
            [
                f"{SHIPPED} encode, {LITERT_INT8} under {RATIO} of {REFERENCE}, worst size",
                mode.mode,
                f"{ratio(of_float)}, {worst} tokens",
                _verdict(of_float.value < RATIO),
            ]
        )
        slowest = max(sizes, key=lambda k: mode.median(call(k)).value)
        time = mode.median(call(slowest))
        found.append(
            [
                f"{SHIPPED} encode, {LITERT_INT8} under {MICROSECONDS:.0f} us, slowest size",
                mode.mode,
                f"{us(time)} us, {slowest} tokens",
                _verdict(time.value < MICROSECONDS),
            ]
        )
        engine = next(x.engine for x in mode.names if isinstance(x, Predict))
        for what, halved in (
            (f"{SHIPPED} encode, {LITERT_INT8}", mode.ratio(call(half), call(most))),
            (
                f"predict, not imputed, {engine}",
                mode.ratio(Predict(engine, False, 50), Predict(engine, False, 0)),
            ),
        ):
            found.append(
                [
                    f"half of the day missing costs about half (at most {HALF}): {what}",
                    mode.mode,
                    ratio(halved),
                    _verdict(halved.value <= HALF),
                ]
            )
    for contestant in (U8, LITERT_INT8):
        files = [len(file) for (_, name), file in shipped.files.items() if name == contestant]
        for what, size in (("each file", max(files)), ("three files together", sum(files))):
            aim = f"{SHIPPED}, {what} under {BYTES / 1e6:g} MB, {contestant}"
            found.append([aim, "", f"{size:,} bytes", _verdict(size < BYTES)])
    return found


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def graphs_text(modes: Sequence[Measured], made: Mapping[str, Made]) -> str:
    text = "\n## Graphs\n\n"
    text += (
        "Embed makes tokens of a patch or a day, encode takes those that there are, decode "
        "says every minute. A call is the runtime's, inputs and outputs copied. Microseconds "
        f"at the median, then the ratio to {REFERENCE} of the same graph with its 95 % "
        "interval. s8 in ONNX Runtime is for processors without VNNI, and here for "
        "information. MMAC: millions of multiply-adds, all and those of products of computed "
        "tensors, which are attention and pooling.\n"
    )
    for name, each in made.items():
        text += f"\n### {name}\n"
        for mode in modes:
            raced = [c for c in CONTESTANTS if _raced(mode, name, c)]
            cells = [
                [
                    role,
                    str(tokens_of(each, role, size)),
                    f"{sum(work.values()) / 1e6:.2f}",
                    f"{work.get('MatMul', 0) / 1e6:.2f}",
                    *(_cell(mode, GraphCall(name, role, size, c)) for c in raced),
                ]
                for (role, size), work in each.work.items()
            ]
            text += f"\n{mode.mode.capitalize()}:\n\n"
            text += table(["graph", "tokens", "MMAC", "of computed", *raced], cells)
    return text + _files_text(made)


def _raced(mode: Measured, model: str, contestant: str) -> bool:
    return any(
        isinstance(x, GraphCall) and (x.model, x.contestant) == (model, contestant)
        for x in mode.names
    )


def _cell(mode: Measured, call: GraphCall) -> str:
    return both(mode, call, replace(call, contestant=REFERENCE))


def tokens_of(made: Made, role: Role, size: int) -> int:
    """How many tokens a graph of a size gives or takes."""
    tokens = made.manifest.tokens
    assert tokens is not None
    return size if role == "encode" else size // tokens.patch * len(tokens.groups)


def _files_text(made: Mapping[str, Made]) -> str:
    text = "\n### Files\n\nBytes. A device needs the three graphs of one column.\n\n"
    cells = []
    for name, each in made.items():
        roles = list(dict.fromkeys(role for role, _ in each.files))
        rows = {role: [len(each.files[role, c]) for c in CONTESTANTS] for role in roles}
        rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
        cells += [[name, role, *(f"{n:,}" for n in counts)] for role, counts in rows.items()]
    return text + table(["model", "graph", *CONTESTANTS], cells)


def missing_text(modes: Sequence[Measured], made: Made, whose: str) -> str:
    text = "\n## Observed tokens only\n\n"
    text += (
        "Patches missing in both groups, at random. Microseconds, and the ratio to the day "
        "with nothing missing. Between these shares the next larger size is taken, so that "
        f"cost goes in steps. Encode is that of {SHIPPED} with random weights, `predict` that "
        f"of {whose}: it embeds the whole day, and decoding says every minute, whatever is "
        "missing.\n"
    )
    most = made.manifest.sizes("encode")[-1]
    for mode in modes:
        engines = list(dict.fromkeys(x.engine for x in mode.names if isinstance(x, Predict)))
        encoders = [c for c in (REFERENCE, U8, LITERT_INT8) if _raced(mode, SHIPPED, c)]
        cells = []
        for missing in MISSING:
            size = most * (100 - missing) // 100
            encodes = (
                both(
                    mode,
                    GraphCall(SHIPPED, "encode", size, c),
                    GraphCall(SHIPPED, "encode", most, c),
                )
                for c in encoders
            )
            predicts = (
                both(mode, Predict(e, impute, missing), Predict(e, impute, 0))
                for e in engines
                for impute in (False, True)
            )
            cells.append([f"{missing} %", str(size), *encodes, *predicts])
        heads = [f"encode, {c}" for c in encoders]
        heads += [
            f"predict{', imputed' * impute}, {e}" for e in engines for impute in (False, True)
        ]
        text += f"\n{mode.mode.capitalize()}:\n\n"
        text += table(["missing", "tokens", *heads], cells)
    return text


def stream_text(modes: Sequence[Measured], embeds: Embeds) -> str:
    text = "\n## A hop of a stream\n\n"
    text += (
        "One new patch of 20 minutes of a day without gaps, nothing imputed. `Graphs alone`: "
        "the new patch is embedded and all tokens encoded, against the whole window embedded "
        "and encoded. `Hop of a stream`: one push of 20 samples to each of three channels and "
        "the prediction that comes of it; against a stream that has forgotten its tokens and "
        "embeds the day anew, and against `predict` of the whole window, which is given its "
        f"grid. Embed ran {embeds.runs} times on {embeds.patches} patches in "
        f"{embeds.hops} hops; without keeping tokens it would be on "
        f"{embeds.hops * embeds.hops:,}.\n"
    )
    for mode in modes:
        engines = list(dict.fromkeys(x.engine for x in mode.names if isinstance(x, Hop)))
        cells = []
        for e in engines:
            for what, hop, whole in (
                ("graphs alone", Hop(e, HOP_GRAPHS), Hop(e, WINDOW_GRAPHS)),
                ("stream, anew", Hop(e, HOP_STREAM), Hop(e, HOP_ANEW)),
                ("stream, `predict`", Hop(e, HOP_STREAM), Predict(e, False, 0)),
            ):
                times = us(mode.median(hop)), us(mode.median(whole))
                cells.append([e, what, *times, ratio(mode.ratio(hop, whole))])
        text += f"\n{mode.mode.capitalize()}:\n\n"
        text += table(["engine", "", "hop, us", "whole window, us", "ratio"], cells)
    return text
