"""INT8 graphs of a day: integers, sizes and engines."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import small_day
from ai_edge_litert import schema_py_generated as schema

from onwrist_export.model.day_graph import DayGraph, DecodeGraph, EmbedGraph, EncodeGraph
from onwrist_export.packing.day_bundle import describe
from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.day import Days, quantize
from onwrist_export.quantization.day_check import check_days, recorded_calls
from onwrist_export.quantization.day_engines import comparable, run_calls
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import DAY
from onwrist_export.quantization.qdq import QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_runtime.errors import InputError, ParityError
from onwrist_runtime.manifest import Manifest, Role
from onwrist_runtime.processor import has_vnni
from onwrist_runtime.tokens import Cut

pytestmark = pytest.mark.slow

WIDTH = 16
LAYERS = {"embed": 1, "encode": 4, "decode": 6}


def graphs() -> dict[Role, DayGraph]:
    model = small_day.model(width=WIDTH)
    return {
        "embed": EmbedGraph(model),
        "encode": EncodeGraph(model),
        "decode": DecodeGraph(model),
    }


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    full = describe(small_day.CONFIG, {})
    tokens = msgspec.structs.replace(full.tokens, width=WIDTH)
    return msgspec.structs.replace(full, tokens=tokens)


@pytest.fixture(scope="module")
def models(manifest: Manifest) -> dict[Role, QuantizedModel]:
    return quantize(graphs(), manifest, small_day.days(12))


def runs(models: dict[Role, QuantizedModel], form: str) -> dict[Role, object]:
    made = {
        "fp32": lambda m: onnx_run(m.fp32),
        "s8": lambda m: onnx_run(m.s8),
        "u8": lambda m: onnx_run(m.u8),
        "tflite": lambda m: LiteRT(m.tflite).run,
    }[form]
    return {role: made(model) for role, model in models.items()}


NO_VNNI = pytest.mark.skipif(not has_vnni(), reason="u8 needs VNNI")
ENGINES = ["s8", "tflite", pytest.param("u8", marks=NO_VNNI)]


def test_engines_agree_on_every_integer_and_int8_is_near_float(models, manifest) -> None:
    found = check_days(models, manifest, small_day.days(12, seed=5), DAY)
    assert {a.rounds_alike for parity in found.values() for a in parity.agreements} == {
        True,
        False,
    }
    for parity in found.values():
        assert parity.failures == ()
        for agreement in parity.agreements:
            assert agreement.compared > 0.2
            if agreement.rounds_alike:
                assert agreement.equal > 0.99
                assert agreement.off <= 1
    assert all(c.centred_cosine >= 0.99 for c in found["encode"].conditions)
    assert {i.channel for i in found["decode"].imputations} == {
        "steps",
        "intensity",
        "heart_rate",
    }


def rescaled(model: bytes, tensor: str, factor: float) -> bytes:
    """The TFLite file with the scale of one tensor changed in all sizes."""
    opened = schema.ModelT.InitFromPackedBuf(model, 0)
    for graph in opened.subgraphs:
        (found,) = (t for t in graph.tensors if t.name.decode() == tensor + QUANTIZED)
        found.quantization.scale = (found.quantization.scale * factor).astype(np.float32)
    return flatbuffer._bytes(opened)


@pytest.mark.parametrize(
    ("role", "tensor"),
    [("embed", "embed"), ("encode", "blocks.0.down"), ("decode", "enter")],
)
def test_a_wrong_scale_in_one_graph_is_refused(
    models, manifest, role: Role, tensor: str
) -> None:
    wrong = replace(models[role], tflite=rescaled(models[role].tflite, tensor, 1.05))
    days = small_day.days(6, seed=5)
    found = check_days({**models, role: wrong}, manifest, days, DAY)[role]
    with pytest.raises(ParityError, match=rf"in LiteRT .* {tensor} is off by \d+, more than 1"):
        found.require()


def test_days_too_thin_for_a_token_are_left_out(manifest) -> None:
    """Where a patch needs all of its minutes, a day of some has no token."""
    groups = tuple(msgspec.structs.replace(g, least=20) for g in manifest.tokens.groups)
    strict = msgspec.structs.replace(
        manifest, tokens=msgspec.structs.replace(manifest.tokens, groups=groups)
    )
    days = small_day.days(6, seed=5)
    values = days.values.copy()
    values[1, :, ::10] = np.nan
    days = Days(values, days.clocks)
    made = quantize(graphs(), strict, days)
    found = check_days(made, strict, days, DAY)
    assert found["encode"].conditions[0].windows == 5


def test_a_layer_counts_where_both_engines_read_the_same(models, manifest) -> None:
    """An engine that gets one token wrong hands it on to all, and is blamed for that one."""
    calls = recorded_calls("encode", models, manifest, small_day.days(1))
    before = "blocks.0.mixed.input" + QUANTIZED
    tensors = [before, "blocks.0.mixed" + QUANTIZED, "blocks.0.out.input" + QUANTIZED]
    (expected,) = run_calls(
        onnx_run(network.expose(models["encode"].s8, tensors)),
        calls,
        lambda name: name in tensors,
    )
    got = {name: value.copy() for name, value in expected.items()}
    got[before][3] += 1
    got[tensors[1]][3] += 50
    got[tensors[2]][:] += 50
    found = comparable(tensors, {tensors[1]: before}, expected, got, 0)
    assert found[before].all()
    assert not found[tensors[1]][3].any()
    assert np.delete(found[tensors[1]], 3, axis=0).all()
    assert not found[tensors[2]].any()


@pytest.mark.parametrize("form", ENGINES)
def test_a_patch_has_the_same_bits_alone_and_in_a_day(models, form: str) -> None:
    """Every count of steps that a minute can have, and intensities and rates of all sorts."""
    run, rng = runs(models, form)["embed"], np.random.default_rng(0)
    values = np.stack(
        [
            rng.permutation(np.arange(1440) % 251),
            3 * rng.random(1440),
            rng.uniform(40, 200, 1440),
        ]
    ).astype(np.float32)[None]
    observed = (rng.random(values.shape) < 0.9).astype(np.float32)
    whole = run({"values": values, "observed": observed})["tokens"]
    both = {"values": values, "observed": observed}
    parts = [
        run({name: x[..., at : at + 20].copy() for name, x in both.items()})
        for at in range(0, 1440, 20)
    ]
    alone = np.concatenate([part["tokens"] for part in parts], axis=1)
    np.testing.assert_array_equal(alone, whole)


@pytest.mark.parametrize(
    ("form", "tolerance"), [("fp32", 1e-5), ("s8", 0.02), ("tflite", 0.02)]
)
def test_fewer_rows_give_what_all_rows_give_with_the_rest_masked(
    models, manifest, form: str, tolerance: float
) -> None:
    made = runs(models, form)
    cut, seen = Cut.of(manifest), set()
    for inputs in small_day.days(6, seed=2).inputs():
        present = cut.present(inputs["observed"][0] > 0)
        tokens = made["embed"]({k: inputs[k] for k in ("values", "observed")})["tokens"][0]
        there = np.flatnonzero(present)
        found = []
        for size in [s for s in small_day.SIZES if s >= len(there)]:
            rows = np.zeros((1, size, WIDTH), np.float32)
            slots = np.full((1, size), -1, np.float32)
            rows[0, : len(there)], slots[0, : len(there)] = tokens[there], there
            given = {"tokens": rows, "slots": slots, "clock": inputs["clock"]}
            found.append(made["encode"](given)["embedding"])
            seen.add(size)
        for other in found[:-1]:
            np.testing.assert_allclose(other, found[-1], rtol=0, atol=tolerance)
    assert len(seen) > 2


def test_one_file_holds_all_sizes_and_each_weight_once(models) -> None:
    opened = schema.ModelT.InitFromPackedBuf(models["encode"].tflite, 0)
    assert [s.signatureKey.decode() for s in opened.signatureDefs] == ["36", "72", "108", "144"]
    weights = 12 * WIDTH * WIDTH  # of a layer: qkv, out and the mlp
    held = [len(b.data) for b in opened.buffers if b.data is not None]
    assert weights < sum(held) < 2.5 * weights
    for value in models["encode"].s8.graph.input[:2]:
        assert value.type.tensor_type.shape.dim[1].dim_param


@pytest.mark.parametrize("role", ["embed", "encode", "decode"])
def test_linear_layers_are_integers_and_nothing_else_is(models, role: Role) -> None:
    opened = schema.ModelT.InitFromPackedBuf(models[role].tflite, 0)
    graph = opened.subgraphs[0]
    int8 = schema.TensorType.INT8
    codes = [code.builtinCode for code in opened.operatorCodes]
    moved = {
        getattr(schema.BuiltinOperator, name)
        for name in ("CONV_2D", "QUANTIZE", "RESHAPE", "TRANSPOSE")
    }
    kinds = [
        codes[o.opcodeIndex]
        for o in graph.operators
        if graph.tensors[o.outputs[0]].type == int8
    ]
    assert set(kinds) <= moved
    assert kinds.count(schema.BuiltinOperator.CONV_2D) == LAYERS[role]


def test_a_layer_can_stay_in_float(manifest) -> None:
    made = quantize(graphs(), manifest, small_day.days(3), ["encode.blocks.0.up"])["encode"]
    names = network.initializers(made.s8)
    assert "blocks.0.up.weight" in names
    assert "blocks.0.mixed.weight" not in names
    given = {k: v.numpy() for k, v in graphs()["encode"].example(36).items()}
    expected = onnx_run(made.fp32)(given)["embedding"]
    found = LiteRT(made.tflite).run(given)["embedding"]
    assert np.abs(found - expected).max() < 0.2 * np.abs(expected).max()


def test_what_cannot_be_calibrated_is_refused(manifest) -> None:
    with pytest.raises(InputError, match=r"no layer decode\.head; the layers are embed\.embed"):
        quantize(graphs(), manifest, small_day.days(2), ["decode.head"])
    with pytest.raises(InputError, match="at least one day of which"):
        quantize(graphs(), manifest, small_day.days(2).select(np.array([], int)))
    nothing = Days(np.full((2, 3, 1440), np.nan, np.float32), np.array([0, 1]))
    with pytest.raises(InputError, match="a patch is observed"):
        quantize(graphs(), manifest, nothing)
