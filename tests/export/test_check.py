"""What `check` must see: wrong scales, damaged layers, changed metrics, and NaN."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import small
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from onwrist_export.judging import tables
from onwrist_export.quantization import check as checking
from onwrist_export.quantization import flatbuffer
from onwrist_export.quantization.check import (
    centred_cosine,
    check,
    compare_files,
    compare_layers,
    conditions,
    sqnr,
)
from onwrist_export.quantization.parity import IMPORTED, TRAINED, Parity, TaskParity
from onwrist_export.quantization.quantize import QuantizedModel, quantize
from onwrist_export.windows.grids import run_all
from onwrist_runtime.errors import InputError, ParityError


@pytest.fixture(scope="module")
def model() -> QuantizedModel:
    return quantize(small.graph(), small.windows(32))


@pytest.fixture(scope="module")
def parity(model: QuantizedModel) -> Parity:
    held_out = small.windows(48, seed=7)
    return check(model, held_out, small.CHANNELS, small.RATE, small.TASKS, TRAINED)


def test_a_sound_model_passes(parity: Parity) -> None:
    assert parity.failures == ()
    parity.require()
    names = [c.name for c in parity.conditions]
    assert names[:4] == ["nothing taken away", "25% missing", "50% missing", "75% missing"]
    assert names[4:] == ["no ppg", "no eda", "no temp"]
    assert len(parity.agreements) >= 3
    assert parity.worst_layer in {layer.name for layer in parity.layers}


def test_a_model_with_a_running_baseline_is_also_judged_without() -> None:
    model = quantize(small.graph(baseline=True), small.windows(32, baseline=True))
    held_out = small.windows(48, seed=7, baseline=True)
    found = check(model, held_out, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    assert found.failures == ()
    judged = {c.name: {t.task: t for t in c.tasks} for c in found.conditions}
    alone, whole = judged["no running baseline"], judged["nothing taken away"]
    assert alone["heart_rate"] == whole["heart_rate"]
    assert alone["stress"].fp32 != whole["stress"].fp32


def test_tasks_are_judged_where_they_may_be_answered(parity: Parity) -> None:
    judged = {c.name: {t.task for t in c.tasks} for c in parity.conditions}
    assert judged["nothing taken away"] == {"heart_rate", "stress"}
    assert "heart_rate" not in judged["no ppg"]


def changed(model: QuantizedModel, tensor: str, factor: float) -> bytes:
    """`model.tflite` with the scale of one tensor changed."""
    opened = schema.ModelT.InitFromPackedBuf(model.tflite, 0)
    (found,) = (t for t in opened.subgraphs[0].tensors if t.name.decode() == tensor)
    found.quantization.scale = (found.quantization.scale * factor).astype(np.float32)
    return flatbuffer._bytes(opened)


def test_a_shifted_scale_in_one_file_is_caught(model: QuantizedModel) -> None:
    wrong = replace(model, tflite=changed(model, "stage1.shortcut_QuantizeLinear_Output", 1.05))
    litert = next(a for a in compare_files(wrong, [small.windows(8, seed=7)]))
    assert litert.engine == "model.tflite in LiteRT"
    assert litert.off > 1
    held_out = small.windows(16, seed=7)
    found = check(wrong, held_out, small.CHANNELS, small.RATE, (), TRAINED)
    with pytest.raises(
        ParityError, match=r"model\.tflite in LiteRT .* is off by \d+, more than 1"
    ):
        found.require()


def test_the_layer_that_adds_the_noise_is_named(model: QuantizedModel) -> None:
    damaged = copy.deepcopy(model.s8)
    name = "stage2.conv1.weight_scale"
    (scale,) = (i for i in damaged.graph.initializer if i.name == name)
    wrong = numpy_helper.to_array(scale) * np.float32(1.3)
    scale.CopyFrom(numpy_helper.from_array(wrong, name))
    layers = compare_layers(replace(model, s8=damaged), small.windows(12, seed=7))
    assert max(layers, key=lambda layer: layer.added).name == "stage2.conv1"


def test_a_failure_says_figure_limit_and_layer(parity: Parity) -> None:
    first = parity.conditions[0]
    rate = TaskParity("heart_rate", "mean absolute error", 48, 1.0, 1.25, 0.0)
    roc = TaskParity("stress", "AUROC", 48, 0.75, 0.765, 0.1)
    bad = replace(first, centred_cosine=0.9512, tasks=(rate, roc))
    with pytest.raises(ParityError) as caught:
        replace(parity, conditions=(bad,), worst_layer="stage2.add").require()
    for part in ("0.9512", "below 0.98", "1 to 1.25", "more than 0.2", "0.765", "0.01"):
        assert part in str(caught.value)
    assert "--exclude stage2.add" in str(caught.value)


def test_a_figure_that_is_nan_fails(parity: Parity) -> None:
    first = parity.conditions[0]
    nan = TaskParity("heart_rate", "mean absolute error", 48, 1.0, float("nan"), 0.0)
    for bad in (replace(first, centred_cosine=float("nan")), replace(first, tasks=(nan,))):
        assert len(replace(parity, conditions=(bad,)).failures) == 1


def test_a_float_graph_that_gives_nan_fails(
    model: QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(run, windows):
        found = run_all(run, windows)
        for task in small.TASKS:
            if task.name in found:
                found[task.name][:] = np.nan
        return found

    monkeypatch.setattr(checking, "run_all", spoilt)
    held_out = small.windows(16, seed=7)
    found = check(model, held_out, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    first = found.conditions[0].name
    said = [f for f in found.failures if first in f]
    assert any("heart_rate goes from nan" in f for f in said)
    assert any("stress goes from nan" in f for f in said)


def test_without_vnni_the_unchecked_file_is_named(
    model: QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "has_vnni", lambda: False)
    held_out = small.windows(16, seed=7)
    found = check(model, held_out, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    assert found.unchecked == ("model.u8.onnx",)
    assert "model.u8.onnx was not checked" in tables.parity(found)


@pytest.mark.parametrize("target", [np.nan, 1.0])
def test_a_task_without_labels_of_both_classes_is_left_out(
    model: QuantizedModel, target: float
) -> None:
    some = small.windows(16, seed=7)
    one = replace(some, targets={**some.targets, "stress": np.full(16, target)})
    found = check(model, one, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    assert {t.task for t in found.conditions[0].tasks} == {"heart_rate"}


def test_imported_encoders_have_their_own_limit(parity: Parity) -> None:
    first = replace(parity.conditions[0], centred_cosine=0.975)
    found = replace(parity, conditions=(first,))
    assert found.failures
    assert not replace(found, limits=IMPORTED).failures


def test_sqnr_is_the_textbook_one() -> None:
    signal = np.array([[3.0, 4.0]])
    assert sqnr(signal, signal + np.array([[0.3, 0.4]])) == pytest.approx(20.0)
    assert sqnr(signal, signal) == sqnr(np.zeros((1, 2)), np.zeros((1, 2))) == 120.0


def test_the_centred_cosine_sees_what_the_plain_one_does_not() -> None:
    """A common mean dominates the plain cosine."""
    rng = np.random.default_rng(0)
    reference = 10 + rng.normal(size=(200, 30))
    unrelated = 10 + rng.normal(size=(200, 30))
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(unrelated, axis=1)
    assert ((reference * unrelated).sum(1) / lengths).mean() > 0.98
    assert abs(centred_cosine(reference, unrelated).mean()) < 0.1
    assert centred_cosine(reference, reference).min() == pytest.approx(1)


def test_conditions_take_away_what_they_say() -> None:
    some = small.windows(20)
    whole = replace(some, observed=np.ones_like(some.observed))
    shares = {n: 1 - w.observed.mean() for n, w in conditions(whole, small.CHANNELS, 25.0)}
    assert shares["nothing taken away"] == 0
    assert [shares[f"{p}% missing"] for p in (25, 50, 75)] == [0.25, 0.5, 0.75]
    assert shares["no eda"] == pytest.approx(1 / 3)
    for _, damaged in conditions(some, small.CHANNELS, 25.0):
        assert not damaged.values[~damaged.observed].any()


def test_one_window_is_too_few(model: QuantizedModel) -> None:
    with pytest.raises(InputError, match="at least two windows, not 1"):
        check(model, small.windows(1), small.CHANNELS, small.RATE, (), TRAINED)
