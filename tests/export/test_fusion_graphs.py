"""The graphs of several sensors against the networks that they were made from, in PyTorch."""

from __future__ import annotations

import pytest
import small_fusion
import torch
from torch import Tensor

from onwrist_export.fusion.config import Fill, FusionConfig
from onwrist_export.fusion.evidence import subsets
from onwrist_export.fusion.graphs import DecodeGraph, FuseGraph, SenseGraph
from onwrist_export.fusion.learn import Merged
from onwrist_export.packing import fusion_windows

SUBSETS = subsets(small_fusion.SHIPPED.names)
FILLS: tuple[Fill, ...] = ("none", "mask", "memory", "restored")


def given(config: FusionConfig, seed: int) -> tuple[Tensor, Tensor]:
    """Values and observed (1, C, N) of a window with gaps."""
    windows = fusion_windows.calibration(None, config, 8, seed)
    values, observed = next(windows.batches(8))
    return values[1:2], observed[1:2]


def sensed(merged: Merged, config: FusionConfig, live: Tensor, seed: int) -> Tensor:
    values, observed = given(config, seed)
    return merged.encoders(values, observed, live > 0).flatten(1, 2)


def lives(config: FusionConfig) -> list[Tensor]:
    return [torch.tensor([[float(n in s) for n in config.names]]) for s in SUBSETS]


@torch.no_grad()
def test_each_sensor_gives_the_tokens_of_its_encoder() -> None:
    config = small_fusion.config()
    merged = small_fusion.merged(config)
    values, observed = given(config, 0)
    for encoder, rows in zip(merged.encoders.sensors, config.rows, strict=True):
        expected = encoder(values[:, rows], observed[:, rows])
        assert expected[:, 0].abs().max() > 0.1
        found = SenseGraph(encoder)(values[:, rows], observed[:, rows])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("fill", FILLS)
def test_what_is_fused_is_that_of_the_network_in_every_pattern(fill: Fill) -> None:
    config = small_fusion.config(fill)
    merged = small_fusion.merged(config)
    graph = FuseGraph(merged, config)
    for seed, live in enumerate(lives(config)):
        tokens = sensed(merged, config, live, seed)
        expected = merged.hybrid(tokens, live)
        scales = torch.tensor([[0.7]]), torch.tensor([[1.3]])
        embedding, activity, fall, weights = graph(tokens, live, *scales)
        first, second = expected.logits.split([15, 2], dim=1)
        for found, wanted in (
            (embedding, expected.embedding),
            (activity, torch.softmax(0.7 * first, 1)),
            (fall, torch.softmax(1.3 * second, 1)),
            (weights, expected.weights),
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert (weights[live == 0] == 0).all()


@torch.no_grad()
def test_signals_are_those_of_the_network_in_every_pattern() -> None:
    config = small_fusion.config()
    merged = small_fusion.merged(config)
    graph = DecodeGraph(merged, config)
    for seed, live in enumerate(lives(config)):
        tokens = sensed(merged, config, live, seed)
        restored = merged.hybrid(tokens, live).restored
        there = live.repeat_interleave(merged.encoders.tokens, dim=1)[..., None]
        each = (there * tokens + (1 - there) * restored).split(merged.encoders.tokens, dim=1)
        parts = [m(t[:, 1:]) for m, t in zip(merged.signals, each, strict=True)]
        scaled = torch.cat(parts, 1)[0]
        rows = zip(config.channels, scaled, strict=True)
        wanted = [
            (row * c.scale + c.offset).clamp(c.minimum, c.maximum) / c.scale for c, row in rows
        ]
        found = graph(tokens, live)[0] / torch.tensor([[c.scale] for c in config.channels])
        torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("fill", FILLS)
def test_what_lies_in_the_place_of_a_dead_sensor_changes_nothing(fill: Fill) -> None:
    config = small_fusion.config(fill)
    merged = small_fusion.merged(config)
    live = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    tokens, one = sensed(merged, config, live, 0), torch.ones(1, 1)
    dead = live.repeat_interleave(merged.encoders.tokens, dim=1)[..., None] == 0
    other = tokens + 5.0 * dead
    graphs = [lambda x: FuseGraph(merged, config)(x, live, one, one)]
    if fill == "restored":
        graphs.append(lambda x: (DecodeGraph(merged, config)(x, live),))
    for graph in graphs:
        for found, expected in zip(graph(other), graph(tokens), strict=True):
            torch.testing.assert_close(found, expected)
