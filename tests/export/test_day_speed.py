"""The multiply-adds that the benchmark of the day model tells are those of its layers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parents[2]))

import small_day
from benchmarks.streaming.arithmetic import multiply_adds

from onwrist_export.model.day_graph import EncodeGraph
from onwrist_export.quantization.day import bind, export_sizes

WIDTH, PATCHES, GROUPS = 16, 72, 2


@pytest.mark.parametrize("size", [12, 20, 36])
def test_multiply_adds_of_an_encoder_are_those_by_hand_in_any_of_its_sizes(
    size: int, encoder: object
) -> None:
    found = multiply_adds(bind(encoder, size).SerializeToString())
    # of a token: queries, keys and values, their output, and four times the width and back
    layer = (3 + 1 + 4 + 4) * WIDTH**2
    # eight harmonics from the table of patches, and then the place from them and the group
    place = PATCHES * 8 + (8 + GROUPS) * WIDTH
    assert found["Gemm"] == size * (layer + place)
    # scores and what is read by them, whatever the heads; then two means over the tokens
    assert found["MatMul"] == 2 * size**2 * WIDTH + 2 * size * WIDTH


@pytest.fixture(scope="module")
def encoder() -> object:
    """One layer, of any size."""
    return export_sizes(EncodeGraph(small_day.model(depth=1, width=WIDTH)), (12, 36))
