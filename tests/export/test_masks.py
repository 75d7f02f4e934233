"""Data taken away on purpose goes in the asked amount and shape."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist_export.windows.masks import drop_channels, drop_spans


@settings(max_examples=50)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.integers(32, 400),
    st.integers(0, 2**32 - 1),
)
def test_spans_take_exactly_their_share(shares: list[float], samples: int, seed: int) -> None:
    share = np.array(shares)
    kept = drop_spans(np.random.default_rng(seed), share, samples, rate=25.0)
    assert kept.shape == (len(shares), samples)
    np.testing.assert_array_equal((~kept).sum(axis=1), np.round(share * samples).astype(int))


def test_spans_last_one_second_or_more_inside_a_window() -> None:
    kept = drop_spans(np.random.default_rng(0), np.full(500, 0.25), 256, rate=25.0)
    lengths = []
    for row in kept:
        edges = np.flatnonzero(np.diff(np.concatenate([[1], row, [1]])))
        lengths += [b - a for a, b in edges.reshape(-1, 2) if a > 0 and b < 256]
    # the last span of a window may be cut short to hit the share exactly
    assert np.median(lengths) >= 25


def test_channels_go_with_the_asked_chances() -> None:
    kept = drop_channels(np.random.default_rng(0), 20000, 4, each=0.2, all_but_first=0.1)
    assert abs(kept[:, 0].mean() - (0.9 * 0.8 + 0.1)) < 0.02
    assert abs(kept[:, 1:].mean() - 0.9 * 0.8) < 0.02
