"""What a block of code is taken for, by the text of its instructions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks/arm"))
from latency.kinds import COPIES, ELEMENTS, FLOAT_PRODUCTS, NODES, PRODUCTS, kind


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["ldr\tq0, [x1], #16", "sdot\tv2.4s, v0.16b, v1.4b[0]", "b.hi\t#-8"], PRODUCTS),
        (["smlal2\tv2.4s, v0.8h, v1.h[0]", "subs\tx0, x0, #8"], PRODUCTS),
        (["ldr\tq1, [x3], #16", "fmla\tv16.4s, v20.4s, v0.s[0]"], FLOAT_PRODUCTS),
        (["ldp\tq0, q3, [x2], #32", "fmul\tv0.4s, v1.4s, v0.4s", "b.hi\t#-28"], ELEMENTS),
        (["fmla\tv1.4s, v4.4s, v4.4s", "ldp\tq4, q5, [x1]"], ELEMENTS),
        (["ldp\tq0, q1, [x1, #80]", "stp\tq0, q1, [x3, #16]", "subs\tx2, x2, #64"], COPIES),
        (["ldr\tx8, [x19, #8]", "add\tx8, x8, x22", "cbz\tx0, #-24"], NODES),
        ([], NODES),
    ],
)
def test_code_is_told_apart_by_what_it_does(texts: list[str], expected: str) -> None:
    assert kind(texts) == expected
