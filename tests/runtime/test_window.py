"""What a caller may hand over as a window, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onwrist_runtime.errors import InputError
from onwrist_runtime.window import LARGEST, check

CHANNELS = ("ppg", "eda")
SHAPE = (2, 5)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "i8", "u1", ">f4"])
def test_real_numbers_of_any_type_are_taken(dtype):
    given_ = np.arange(10).reshape(SHAPE).astype(dtype)
    values, observed = check(given_, None, CHANNELS, 5)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert observed.all()
    np.testing.assert_array_equal(values, np.arange(10).reshape(SHAPE))


def test_lists_and_views_are_taken():
    assert check([[1, 2, 3, 4, np.nan]] * 2, None, CHANNELS, 5)[1].sum() == 8
    turned = np.ones((5, 2), np.float32).T
    assert check(turned, None, CHANNELS, 5)[0].flags.c_contiguous


@given(
    values=hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32)),
    missing=hnp.arrays(np.bool_, SHAPE),
    observed=st.none() | hnp.arrays(np.bool_, SHAPE),
)
def test_nan_means_not_observed_and_what_is_not_observed_is_zero(values, missing, observed):
    holed = np.where(missing, np.nan, values)
    clean, seen = check(holed, observed, CHANNELS, 5)
    expected = ~missing if observed is None else observed & ~missing
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(clean, np.where(expected, values, 0))


def test_the_callers_arrays_are_left_alone():
    values = np.full(SHAPE, np.nan)
    observed = np.ones(SHAPE, bool)
    check(values, observed, CHANNELS, 5)
    assert np.isnan(values).all()
    assert observed.all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, LARGEST, -1e20])
def test_infinity_is_refused_by_its_place(value):
    values = np.zeros(SHAPE)
    values[1, 3] = value
    with pytest.raises(InputError, match=r"channel 'eda' is .* at sample 3"):
        check(values, None, CHANNELS, 5)
    with pytest.raises(InputError, match="channel 'eda'"):
        check(values, np.zeros(SHAPE, bool), CHANNELS, 5)


@pytest.mark.parametrize("shape", [(), (5,), (5, 2), (1, 5), (2, 6), (1, 2, 5), (0, 5), (2, 0)])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(InputError) as caught:
        check(np.zeros(shape), None, CHANNELS, 5)
    assert str(shape) in str(caught.value)
    assert "(2, 5): ppg, eda" in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        np.full(SHAPE, "1"),
        np.ones(SHAPE, complex),
        np.ones(SHAPE, bool),
        np.full(SHAPE, None),
        np.zeros(SHAPE, "datetime64[s]"),
        [[1, 2], [3]],
        "ppg",
        None,
    ],
)
def test_what_is_not_real_numbers_is_refused(values):
    with pytest.raises(InputError, match="numbers"):
        check(values, None, CHANNELS, 5)


def test_ragged_observed_is_refused():
    with pytest.raises(InputError, match="observed: not an array"):
        check(np.zeros(SHAPE), [[True], [True, False]], CHANNELS, 5)


@pytest.mark.parametrize(
    "observed", [np.ones(SHAPE), np.ones(SHAPE, "u1"), np.ones((2, 4), bool), [[True]], "yes"]
)
def test_observed_must_be_bool_of_the_same_shape(observed):
    with pytest.raises(InputError, match=r"must be bool \(2, 5\)"):
        check(np.zeros(SHAPE), observed, CHANNELS, 5)
