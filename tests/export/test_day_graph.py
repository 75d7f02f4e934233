"""The graphs of a day against the LSM-2 that they were made from, in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import small_day
import torch
from torch import Tensor

from onwrist_export.days.run import encode
from onwrist_export.model.day_graph import DecodeGraph, EmbedGraph, EncodeGraph
from onwrist_export.model.lsm2 import LSM2, nearest


@pytest.fixture(scope="module")
def model() -> LSM2:
    return small_day.model()


def given(day: int, clock: int) -> tuple[Tensor, Tensor]:
    """Values (1, C, T) without NaN, and observed as float, of a day with gaps."""
    days = small_day.days(6, seed=clock)
    values = torch.from_numpy(days.values[day : day + 1])
    return torch.nan_to_num(values), (~values.isnan()).float()


def rows(tokens: Tensor, there: Tensor, size: int, filler: float) -> tuple[Tensor, Tensor]:
    """The tokens that there are and their slots, with `filler` in the rows that are left."""
    index = torch.nonzero(there[0])[:, 0]
    taken = torch.full((1, size, tokens.shape[2]), filler)
    taken[:, : len(index)] = tokens[:, index]
    slots = torch.full((1, size), -1.0)
    slots[0, : len(index)] = index.float()
    return taken, slots


@torch.no_grad()
@pytest.mark.parametrize("clock", [0, 1, 71])
@pytest.mark.parametrize("day", range(6))
def test_the_graphs_give_what_the_model_gives_for_every_size(
    model: LSM2, day: int, clock: int
) -> None:
    values, observed = given(day, clock)
    minute = torch.tensor([clock * 20.0])
    seen, x = observed > 0, model.normalize(values, observed > 0)
    whole = encode(model, values, seen, minute)
    there = model.there(seen)

    tokens = EmbedGraph(model)(values, observed)
    torch.testing.assert_close(tokens, model.tokenize(x, observed), rtol=1e-5, atol=1e-5)
    index = torch.nonzero(there[0])[:, 0]
    sizes = [size for size in small_day.SIZES if size >= len(index)]
    for size in {len(index), *sizes}:
        given_tokens, slots = rows(tokens, there, size, 7.0)
        clocks = torch.tensor([[float(clock)]])
        embedding, encoded = EncodeGraph(model)(given_tokens, slots, clocks)
        torch.testing.assert_close(embedding, model.pool(whole), rtol=1e-5, atol=1e-5)
        found, expected = encoded[0, : len(index)], whole.tokens[0, index]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    placed = torch.zeros(1, there.shape[1], tokens.shape[2])
    placed[:, index] = whole.tokens[:, index]
    before, after = (each.float() for each in nearest(seen[:, 2]))
    imputed = DecodeGraph(model)(
        placed, there.float(), values, observed, before, after, torch.tensor([[float(clock)]])
    )
    expected = model.restore(model.decode(whole, x, observed, minute))
    torch.testing.assert_close(imputed, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_what_is_left_over_changes_nothing(model: LSM2) -> None:
    values, observed = given(1, 3)
    there = model.there(observed > 0)
    tokens, graph = EmbedGraph(model)(values, observed), EncodeGraph(model)
    count = int(there.sum())
    assert count < there.shape[1]
    found = [
        graph(*rows(tokens, there, there.shape[1], filler), torch.tensor([[3.0]]))
        for filler in (0.0, -1e4)
    ]
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    torch.testing.assert_close(found[0][1][:, :count], found[1][1][:, :count], rtol=0, atol=0)


@torch.no_grad()
def test_heads_read_the_embedding(model: LSM2) -> None:
    head = torch.nn.Linear(2 * model.config.width, 2)
    graph = EncodeGraph(model, {"active_minutes": head})
    assert graph.output_names == ("embedding", "active_minutes", "encoded")
    values, observed = given(0, 0)
    there = model.there(observed > 0)
    tokens = EmbedGraph(model)(values, observed)
    inputs = rows(tokens, there, there.shape[1], 0.0)
    embedding, task, _ = graph(*inputs, torch.zeros(1, 1))
    np.testing.assert_array_equal(task.numpy(), head(embedding).numpy())
