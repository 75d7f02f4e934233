"""The TFLite writer: every operator against ONNX Runtime, every integer against it too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import small
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onwrist_export.quantization import flatbuffer, network, tflite
from onwrist_export.quantization.check import compare_files
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.quantize import quantize
from onwrist_export.quantization.tflite_ops import TRANSLATORS
from onwrist_runtime.errors import InputError

SHAPE = (1, 3, 8)


def one_operator(
    kind: str,
    shape: tuple[int, ...],
    constants: dict[str, NDArray[np.generic]],
    **given: object,
) -> onnx.ModelProto:
    """y = kind(values [, observed], constants); both inputs have the same shape."""
    inputs = ["values", *(["observed"] if given.pop("binary", False) else []), *constants]
    inputs = ["" if name.startswith("none") else name for name in inputs]
    used = [n for n in ("values", "observed") if n in inputs]
    # the writer's callers give both inputs, so the other one is an output of its own
    unused = [n for n in ("values", "observed") if n not in inputs]
    nodes = [helper.make_node(kind, inputs, ["y"], kind, **given)]
    nodes += [helper.make_node("Relu", [n], [f"{n}_relu"], n) for n in unused]
    outputs = [helper.make_empty_tensor_value_info("y")]
    outputs += [helper.make_empty_tensor_value_info(f"{n}_relu") for n in unused]
    sources = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in (*used, *unused)
    ]
    stored = [
        numpy_helper.from_array(v, n) for n, v in constants.items() if not n.startswith("none")
    ]
    body = helper.make_graph(nodes, "one", sources, outputs, stored)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def both(
    model: onnx.ModelProto, shape: tuple[int, ...], seed: int = 0
) -> tuple[object, object]:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 2.0, shape).astype(np.float32) * rng.choice([-1, 1], shape)
    values = values.astype(np.float32)
    observed = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    feed = {"values": values, "observed": observed}
    expected = network.run(network.session(model), feed)
    return expected["y"], LiteRT(tflite.convert(model)).run(feed)["y"]


f32, i64 = np.float32, lambda *v: np.array(v, np.int64)
WEIGHT = np.random.default_rng(1).normal(size=(4, 3, 5)).astype(f32)
DENSE = np.random.default_rng(2).normal(size=(4, 8)).astype(f32)
OPERATORS: list[tuple[str, tuple[int, ...], dict[str, NDArray[np.generic]], dict[str, object]]]
OPERATORS = [
    *((k, SHAPE, {}, {}) for k in ("Abs", "Exp", "Gelu", "Neg", "Reciprocal", "Relu")),
    *((k, SHAPE, {}, {}) for k in ("Sigmoid", "Tanh", "Softmax")),
    *((k, SHAPE, {}, {"binary": True}) for k in ("Add", "Div", "Max", "Min", "Mul", "Sub")),
    ("Gelu", SHAPE, {}, {"approximate": "tanh"}),
    ("Add", SHAPE, {"c": np.ones((3, 1), f32)}, {}),
    ("Clip", SHAPE, {"low": f32(-0.5), "high": f32(0.7)}, {}),
    ("Clip", SHAPE, {"low": f32(-0.5)}, {}),
    ("Clip", SHAPE, {"none": f32(0), "high": f32(0.7)}, {}),
    ("Concat", SHAPE, {}, {"binary": True, "axis": -1}),
    ("Conv", SHAPE, {"w": WEIGHT, "b": WEIGHT[:, 0, 0]}, {"pads": [2, 2]}),
    ("Flatten", SHAPE, {}, {"axis": 1}),
    ("Floor", SHAPE, {}, {}),
    ("Gemm", (1, 8), {"w": DENSE, "b": DENSE[:, 0]}, {"transB": 1}),
    ("Gemm", (1, 8), {"w": DENSE.T.copy()}, {}),
    ("LayerNormalization", SHAPE, {"s": np.ones(8, f32)}, {"axis": -1}),
    ("LayerNormalization", SHAPE, {"s": DENSE[0], "b": DENSE[1]}, {"axis": 2}),
    ("MatMul", (2, 5, 5), {}, {"binary": True}),
    ("Reshape", SHAPE, {"s": i64(1, 24)}, {}),
    ("Squeeze", SHAPE, {"a": i64(0)}, {}),
    ("Unsqueeze", SHAPE, {"a": i64(-1)}, {}),
    ("Transpose", SHAPE, {}, {"perm": [0, 2, 1]}),
    *(
        (k, SHAPE, {"a": i64(axis)}, {"keepdims": keep})
        for k in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")
        for axis, keep in ((2, 0), (-1, 1), (1, 0))
    ),
    ("ReduceMean", SHAPE, {}, {"keepdims": 0}),
    ("Slice", SHAPE, {"s": i64(1), "e": i64(2**62), "a": i64(2)}, {}),
    ("Slice", SHAPE, {"s": i64(0, 1), "e": i64(-1, 3), "a": i64(2, 1), "t": i64(3, 1)}, {}),
]


@pytest.mark.parametrize(("kind", "shape", "constants", "given"), OPERATORS)
def test_an_operator_gives_what_onnx_runtime_gives(kind, shape, constants, given) -> None:
    expected, found = both(one_operator(kind, shape, constants, **given), shape)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("kind", ["Log", "Sqrt"])
def test_operators_of_positive_numbers(kind: str) -> None:
    model = one_operator(kind, SHAPE, {})
    values = np.random.default_rng(0).uniform(0.01, 9, SHAPE).astype(np.float32)
    expected = network.run(network.session(model), {"values": values, "observed": values})["y"]
    found = LiteRT(tflite.convert(model)).run({"values": values, "observed": values})["y"]
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def several(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.generic]]):
    """y of nodes that read values and observed, (2, 4, 6) each, in both engines."""
    sources = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, (2, 4, 6))
        for n in ("values", "observed")
    ]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    outputs = [helper.make_empty_tensor_value_info("y")]
    body = helper.make_graph(nodes, "several", sources, outputs, stored)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return both(onnx.shape_inference.infer_shapes(model, strict_mode=True), (2, 4, 6))


def test_a_product_with_a_turned_matrix_turns_nothing() -> None:
    nodes = [
        helper.make_node("Transpose", ["observed"], ["turned"], "t", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["values", "turned"], ["y"], "m"),
    ]
    expected, found = several(nodes, {})
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_parts_and_columns_chosen_by_computed_numbers() -> None:
    nodes = [
        helper.make_node("Split", ["values"], ["first", "second"], "s", axis=1, num_outputs=2),
        helper.make_node("ReduceMax", ["observed", "front"], ["most"], "r", keepdims=0),
        helper.make_node("Cast", ["most"], ["index"], "c", to=TensorProto.INT64),
        helper.make_node("Gather", ["second", "index"], ["chosen"], "g", axis=2),
        helper.make_node("ReduceSum", ["first", "last"], ["sum"], "a", keepdims=1),
        helper.make_node("Add", ["chosen", "sum"], ["y"], "b"),
    ]
    expected, found = several(nodes, {"front": i64(0, 1), "last": i64(2)})
    assert found.shape == expected.shape == (2, 2, 6)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_every_translator_is_tested() -> None:
    tested = {kind for kind, *_ in OPERATORS} | {"Log", "Sqrt", "QuantizeLinear"}
    tested |= {"Cast", "Gather", "Split"}
    assert tested == TRANSLATORS.keys()


@given(
    length=st.integers(6, 40),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_any_padding_and_stride_of_a_convolution(
    length: int, kernel: int, stride: int, before: int, after: int
) -> None:
    weight = np.random.default_rng(0).normal(size=(2, 3, kernel)).astype(np.float32)
    constants = {"w": weight, "b": np.array([0.5, -1], np.float32)}
    shape = (1, 3, length)
    model = one_operator("Conv", shape, constants, pads=[before, after], strides=[stride])
    expected, found = both(model, shape)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"samples": 63},
        {"padding": "causal"},
        {"activation": "gelu"},
        {"observed_input": False, "widths": (4, 6, 8)},
    ],
)
@pytest.mark.parametrize("exclude", [(), ("stage1.conv1", "stage2.add")])
def test_engines_agree_on_every_integer(options: dict[str, object], exclude: tuple) -> None:
    samples = options.get("samples", 64)
    calibration = small.windows(24, samples=samples)
    model = quantize(small.graph(**options), calibration, exclude)
    for agreement in compare_files(model, [small.windows(24, samples=samples, seed=9)]):
        assert agreement.input_equal
        if agreement.rounds_alike:
            assert agreement.equal >= 0.999
            assert agreement.off <= 1
        elif options.get("activation") != "gelu":
            assert agreement.off <= 3


def test_ties_of_the_input_round_alike_everywhere() -> None:
    """A window of halves of the integer step: engines round such ties differently."""
    some = small.windows(4)
    ramp = np.arange(64, dtype=np.float32)
    ramp[-1] = 510.0  # x = 2 v / 510 - 1 is v / 2 - 127.5 steps of 1 / 127.5
    values = np.zeros((4, 3, 64), np.float32)
    values[:, 0] = ramp
    values[:, 1] = 0.1 + 1.5 * (np.arange(64) - 32 + 0.5) / 128  # ties of INPUT_SCALE
    model = quantize(small.graph(), some)
    tied = replace(some, values=values, observed=np.ones(values.shape, bool))
    assert all(a.input_equal for a in compare_files(model, [tied]))


def test_constants_lie_inside_the_file() -> None:
    model = quantize(small.graph(), small.windows(8))
    opened = schema.ModelT.InitFromPackedBuf(model.tflite, 0)
    assert opened.buffers[0].data is None
    assert all(not b.offset and not b.size for b in opened.buffers)
    assert sum(len(b.data) for b in opened.buffers[1:]) > 1000


def test_only_builtin_operators_are_used() -> None:
    model = quantize(small.graph(), small.windows(8))
    opened = schema.ModelT.InitFromPackedBuf(model.tflite, 0)
    custom = schema.BuiltinOperator.CUSTOM
    assert opened.operatorCodes
    assert all(c.builtinCode != custom and c.customCode is None for c in opened.operatorCodes)


def test_what_has_no_translation_is_named() -> None:
    with pytest.raises(InputError, match=r"Erf \(Erf\) has no TFLite translation; known: Abs"):
        tflite.convert(one_operator("Erf", SHAPE, {}))
    with pytest.raises(InputError, match="an axis other than the last"):
        tflite.convert(one_operator("Softmax", SHAPE, {}, axis=1))
    grouped = {"w": np.ones((3, 1, 3), np.float32), "b": np.ones(3, np.float32)}
    with pytest.raises(InputError, match="groups or dilations"):
        tflite.convert(one_operator("Conv", SHAPE, grouped, group=3))


def test_exposed_tensors_do_not_change_the_others() -> None:
    model = quantize(small.graph(), small.windows(8))
    some = small.windows(1, seed=2)
    (feed,) = some.feeds()
    plain = LiteRT(model.tflite).run(feed)
    more = LiteRT(flatbuffer.expose(model.tflite, ["stage1_QuantizeLinear_Output"])).run(feed)
    assert more.keys() - plain.keys() == {"stage1_QuantizeLinear_Output"}
    for name, value in plain.items():
        np.testing.assert_array_equal(value, more[name])
