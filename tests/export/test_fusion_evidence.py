"""Evidence of fusion methods survives its file and refuses what does not fit together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence, named, subsets
from onwrist_runtime.errors import InputError


@pytest.fixture
def small() -> Evidence:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 3)).astype(np.float32)
    unasked = logits.copy()
    unasked[1] = np.nan
    return Evidence(
        sensors=("wrist", "ankle"),
        labels={"activity": ("walk", "run", "sit"), "fall": ("no fall", "fall")},
        subjects=np.array(["s1", "s1", "s10", "s2"]),
        cases=np.array(["a", "b", "ç", "d"]),
        available=np.array([[True, True], [True, False], [True, True], [True, True]]),
        truth={"activity": np.array([0, 1, 2, 0]), "fall": np.array([0, 1, 0, 1])},
        logits={
            "late": {AS_RECORDED: {"activity": logits, "fall": logits[:, :2]}},
            "hybrid, zero-filled": {
                "wrist+ankle": {"activity": unasked, "fall": unasked[:, :2]},
                "25 % missing": {"activity": logits},
            },
        },
        weights={"late": rng.random((4, 2, 2)).astype(np.float32)},
    )


def test_a_file_gives_back_what_was_saved(small: Evidence, tmp_path: Path) -> None:
    small.save(tmp_path / "evidence.safetensors")
    found = Evidence.load(tmp_path / "evidence.safetensors")
    assert (found.sensors, found.labels) == (small.sensors, small.labels)
    assert list(found.logits) == ["late", "hybrid, zero-filled"]
    assert list(found.logits["hybrid, zero-filled"]) == ["wrist+ankle", "25 % missing"]
    for method, conditions in small.logits.items():
        for condition, tasks in conditions.items():
            assert set(found.logits[method][condition]) == set(tasks)
            for task, logits in tasks.items():
                # Columns of a wider array: the file holds what is seen, not what lies there.
                np.testing.assert_array_equal(found.logits[method][condition][task], logits)
    np.testing.assert_array_equal(found.subjects, small.subjects)
    np.testing.assert_array_equal(found.cases, small.cases)
    np.testing.assert_array_equal(found.available, small.available)
    np.testing.assert_array_equal(found.truth["fall"], small.truth["fall"])
    np.testing.assert_array_equal(found.weights["late"], small.weights["late"])


def test_shapes_that_do_not_fit_are_refused(small: Evidence) -> None:
    with pytest.raises(InputError, match=r"truth of fall have the shape \(3,\), not \(4,\)"):
        replace(small, truth=small.truth | {"fall": np.zeros(3, int)})


def test_a_row_that_is_partly_infinite_is_refused(small: Evidence) -> None:
    logits = small.logits["late"][AS_RECORDED]["activity"].copy()
    logits[2, 1] = -np.inf
    with pytest.raises(InputError, match="late, as recorded, activity"):
        replace(small, logits={"late": {AS_RECORDED: {"activity": logits}}})


def test_another_file_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with pytest.raises(InputError, match="cannot be read"):
        Evidence.load(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(InputError, match="cannot be read"):
        Evidence.load(path)


def test_four_sensors_have_fifteen_subsets_in_the_order_of_sensors() -> None:
    found = [named(x) for x in subsets(("wrist", "chest", "waist", "ankle"))]
    assert len(set(found)) == 15
    assert found[0] == "wrist"
    assert found[-1] == "wrist+chest+waist+ankle"
    assert "wrist+ankle" in found
