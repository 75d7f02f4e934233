"""A causal graph in steps: what it computes, however many of them come at once.

Everything here is in float; `test_step_integers` has the same of what is shipped.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.normalize import Normalize, Scaling, StreamNormalize
from onwrist_export.model.step import StepGraph, stream

STEPS, SAMPLES = 24, 64
SCALINGS = [Scaling("window"), Scaling("fixed", 0.1, 1.5), Scaling("fixed", 0.0, 1.2)]
MASKS = arrays.arrays(np.bool_, (1, 3, 8 * small.STEP))


@cache
def graph(baseline: bool = False) -> DeployGraph:
    return small.causal(baseline)


def recorded(steps: int = STEPS, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Values and observed (1, C, T) of a stream."""
    some = small.stream(steps, seed)
    return tuple(
        torch.from_numpy(v.swapaxes(0, 1).reshape(1, 3, -1).astype(np.float32))
        for v in (some.values, some.observed)
    )


def outputs(step: StepGraph, values: Tensor, observed: Tensor) -> list[tuple[Tensor, ...]]:
    """Those of every call but the state."""
    return [found[:-1] for found in stream(step, values, observed)]


def close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("steps", [1, 2, 8, 12])
def test_a_step_gives_what_the_graph_gives_for_the_stream_so_far(steps: int) -> None:
    values, observed = recorded()
    for k, found in enumerate(outputs(StepGraph(graph(), steps), values, observed), start=1):
        end = k * steps * small.STEP
        if end >= SAMPLES:
            close(found, graph()(values[..., :end], observed[..., :end]))


@torch.no_grad()
def test_a_step_gives_what_the_graph_gives_for_a_window_with_enough_context() -> None:
    values, observed = recorded(40)
    *_, last = outputs(StepGraph(graph()), values, observed)
    off = []
    for context in (0, 48, 96, small.CONTEXT, 2 * small.CONTEXT):
        part = slice(-SAMPLES - context, None)
        found = graph()(values[..., part], observed[..., part])
        off.append(float((found[0] - last[0]).abs().max()))
    assert off[0] > off[1] > off[2] > 1e-5
    assert max(off[3:]) < 1e-6


@torch.no_grad()
def test_the_baseline_of_a_step_is_that_of_its_window() -> None:
    values, observed = recorded(8)
    known = torch.tensor([[[0.1, 0.5, 1.0], [0.0, 0.0, 0.0], [0.2, 2.0, 1.0]]])
    step = StepGraph(graph(baseline=True))
    *_, (*found, state) = stream(step, values, observed, known)
    close(tuple(found), graph(baseline=True)(values, observed, known))
    *_, (*others, without) = stream(step, values, observed, torch.zeros(1, 3, 3))
    assert torch.equal(state, without)
    assert not torch.equal(found[-1], others[-1])


@torch.no_grad()
def test_many_streams_at_once_are_each_their_own() -> None:
    streams = [recorded(8, seed) for seed in range(3)]
    together = outputs(StepGraph(graph()), *(torch.cat(v) for v in zip(*streams, strict=True)))
    for row, (values, observed) in enumerate(streams):
        for found, alone in zip(
            together, outputs(StepGraph(graph()), values, observed), strict=True
        ):
            close(tuple(o[row : row + 1] for o in found), alone)


@torch.no_grad()
def test_rescaling_changes_nothing_but_the_state() -> None:
    values, observed = recorded()
    plain, scaled = StepGraph(graph()), StepGraph(graph())
    scaled.rescale([0.5, 4.0, 2.0], [8.0, 0.25, 2.0])
    for (*found, before), (*expected, after) in zip(
        stream(scaled, values, observed), stream(plain, values, observed), strict=True
    ):
        # powers of two move the exponents alone
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert not torch.equal(before, after)
    scaled.rescale([0.3, 1.7, 0.9], [1.1, 0.7, 2.3])
    for found, expected in zip(
        outputs(scaled, values, observed), outputs(plain, values, observed), strict=True
    ):
        close(found, expected)


@torch.no_grad()
def test_it_is_copied_and_leaves_its_graph_alone() -> None:
    values, observed = recorded(8)
    made = small.causal()
    before = made(values, observed)
    StepGraph(made).rescale([3.0] * 3, [3.0] * 3)
    assert all(torch.equal(a, b) for a, b in zip(made(values, observed), before, strict=True))


@torch.no_grad()
def test_the_first_state_is_zero_and_begins_the_same_stream_again() -> None:
    step = StepGraph(graph())
    first = step.first_state()
    assert first.shape == (1, step.state_size) == step.example()["state"].shape
    assert not first.any()
    values, observed = recorded()
    once, again = (list(stream(step, values, observed)) for _ in range(2))
    for found, expected in zip(once, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@torch.no_grad()
def test_a_state_is_all_that_a_stream_needs_to_go_on() -> None:
    values, observed = recorded()
    step = StepGraph(graph())
    whole = list(stream(step, values, observed))
    state = whole[9][-1]
    part = slice(10 * small.STEP, 11 * small.STEP)
    found = step(values[..., part], observed[..., part], state)
    assert all(torch.equal(a, b) for a, b in zip(found, whole[10], strict=True))


@given(MASKS, st.sampled_from([2, 4, 8]), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_whatever_is_missing_calls_may_take_any_number_of_steps(
    mask: np.ndarray, steps: int, seed: int
) -> None:
    values, _ = recorded(8, seed)
    observed = torch.from_numpy(mask.astype(np.float32))
    values = values * observed
    single = list(stream(StepGraph(graph()), values, observed))
    several = list(stream(StepGraph(graph(), steps), values, observed))
    for found, expected in zip(several, single[steps - 1 :: steps], strict=True):
        close(found, expected)


@given(MASKS, st.floats(-1e4, 1e4, width=32))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_the_encoder_never_sees_what_is_not_observed(mask: np.ndarray, poured: float) -> None:
    """Channel statistics, for classes, are promised zeros there."""
    values, _ = recorded(8)
    observed = torch.from_numpy(mask.astype(np.float32))
    zeroed, spoilt = values * observed, torch.where(observed > 0, values, poured)
    step = StepGraph(graph())
    for found, expected in zip(
        outputs(step, spoilt, observed), outputs(step, zeroed, observed), strict=True
    ):
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@given(MASKS, st.integers(1, 8))
def test_what_became_of_a_sample_never_changes(mask: np.ndarray, steps: int) -> None:
    values, _ = recorded(8)
    observed = torch.from_numpy(mask.astype(np.float32))
    normalize = StreamNormalize(SCALINGS, True, small.STEP, SAMPLES)
    whole = normalize(values * observed, observed)
    part = slice(0, steps * small.STEP)
    so_far = normalize((values * observed)[..., part], observed[..., part])
    assert torch.equal(so_far, whole[..., part])


@given(MASKS, st.integers(SAMPLES // small.STEP, 8))
def test_each_step_is_scaled_as_the_window_that_it_ends(mask: np.ndarray, steps: int) -> None:
    values, _ = recorded(8)
    observed = torch.from_numpy(mask.astype(np.float32))
    values = values * observed
    end = steps * small.STEP
    streamed = StreamNormalize(SCALINGS, True, small.STEP, SAMPLES)(values, observed)
    window = slice(end - SAMPLES, end)
    alone = Normalize(SCALINGS, True)(values[..., window], observed[..., window])
    newest = slice(end - small.STEP, end)
    assert torch.equal(streamed[..., newest], alone[..., -small.STEP :])


def test_only_a_causal_graph_runs_in_steps() -> None:
    with pytest.raises(ValueError, match="only a causal graph"):
        StepGraph(small.graph())
