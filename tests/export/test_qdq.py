"""Quantizers around a graph's integers: what is rounded, to what, and what stays float."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onwrist_export.quantization import network, tflite
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.qdq import DEQUANTIZED, QUANTIZED, insert
from onwrist_export.quantization.quantize import to_signed

RNG = np.random.default_rng(0)
WEIGHT = (RNG.normal(size=(4, 3, 5)) * [[[1.0]], [[0.01]], [[2.0]], [[1.0]]]).astype(np.float32)
BIAS = np.array([0.5, -1.0, 2.0, 0.0], np.float32)
SCALES = {
    "x": (np.float32(2**-5), 0),
    "first": (np.float32(0.25), -20),
    "relu": (np.float32(0.125), -128),
    "second": (np.float32(0.5), 3),
}
LAYERS = {"first", "relu", "second"}


def two_layers(weight: NDArray = WEIGHT, bias: NDArray = BIAS) -> onnx.ModelProto:
    """values -> Identity x -> convolution "first" -> "relu" -> convolution "second"."""
    second = np.eye(4, dtype=np.float32)[..., None]
    nodes = [
        helper.make_node("Mul", ["values", "one"], ["x"], "made"),
        helper.make_node("Conv", ["x", "w", "b"], ["first"], "first", pads=[2, 2]),
        helper.make_node("Relu", ["first"], ["relu"], "relu"),
        helper.make_node("Conv", ["relu", "w2", "b2"], ["second"], "second"),
        helper.make_node("Neg", ["second"], ["y"], "after"),
    ]
    constants = {"one": np.float32(1), "w": weight, "b": bias, "w2": second, "b2": BIAS}
    body = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, (1, 3, 16))],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    (found,) = (n for n in model.graph.node if n.name == name)
    return found


def kinds(model: onnx.ModelProto) -> list[str]:
    return [n.op_type for n in model.graph.node]


def values(seed: int = 1) -> dict[str, NDArray[np.float32]]:
    return {"values": np.random.default_rng(seed).normal(size=(1, 3, 16)).astype(np.float32)}


def test_weights_are_the_nearest_integers_of_a_symmetric_scale_by_channel() -> None:
    constants = network.initializers(insert(two_layers(), SCALES, LAYERS))
    scale, stored = constants["first.weight_scale"], constants["first.weight_quantized"]
    np.testing.assert_array_equal(scale, (np.abs(WEIGHT).max((1, 2)) / 127).astype(np.float32))
    assert stored.dtype == np.int8
    assert (np.abs(stored).max((1, 2)) == 127).all()
    off = np.abs(stored * scale.astype(float)[:, None, None] - WEIGHT)
    assert (off <= 0.5000001 * scale[:, None, None]).all()
    assert not constants["first.weight_zero_point"].any()


def test_a_bias_has_the_scale_of_the_products_that_it_is_added_to() -> None:
    constants = network.initializers(insert(two_layers(), SCALES, LAYERS))
    scale, stored = constants["first.bias_scale"], constants["first.bias_quantized"]
    incoming, _ = SCALES["x"]
    np.testing.assert_array_equal(scale, incoming * constants["first.weight_scale"])
    assert stored.dtype == np.int32
    assert (np.abs(stored * scale.astype(float) - BIAS) <= 0.5000001 * scale).all()


def test_a_relu_is_the_zero_of_the_integers() -> None:
    model = insert(two_layers(), SCALES, LAYERS)
    assert "Relu" not in kinds(model)
    quantizer = node(model, "relu_QuantizeLinear")
    assert quantizer.input[0] == "first"
    constants = network.initializers(model)
    assert constants["relu_zero_point"] == 0
    assert constants["relu_zero_point"].dtype == np.uint8
    assert "first_zero_point" not in constants
    exposed = network.expose(model, ["relu" + QUANTIZED])
    found = network.run(network.session(exposed), values())["relu" + QUANTIZED]
    assert (found == 0).any()
    assert (found > 0).any()


def test_what_is_quantized_is_close_to_what_was_float() -> None:
    plain = two_layers()
    model = insert(plain, SCALES, LAYERS)
    (expected,) = network.run(network.session(plain), values()).values()
    (found,) = network.run(network.session(model), values()).values()
    steps = sum(float(SCALES[name][0]) for name in ("relu", "second"))
    assert 0 < np.abs(found - expected).max() < steps


def test_a_layer_that_is_left_out_computes_in_float() -> None:
    """Between float neighbours: neither its input nor its output is rounded for its sake."""
    model = insert(two_layers(), SCALES, {"second"})
    first = node(model, "first")
    assert list(first.input) == ["x", "w", "b"]
    assert node(model, "relu").input[0] == "first"
    assert node(model, "relu_QuantizeLinear").input[0] == "relu"
    assert {n.input[0] for n in model.graph.node if n.op_type == "QuantizeLinear"} == {
        "relu",
        "second",
    }
    alone = insert(two_layers(), SCALES, {"first", "relu"})
    second = node(alone, "second")
    assert list(second.input[1:]) == ["w2", "b2"]
    assert second.input[0] == "relu" + DEQUANTIZED
    assert node(alone, "after").input[0] == "second"


def test_nothing_is_quantized_without_layers() -> None:
    model = insert(two_layers(), SCALES, set())
    assert kinds(model) == kinds(two_layers())
    (expected,) = network.run(network.session(two_layers()), values()).values()
    np.testing.assert_array_equal(
        *network.run(network.session(model), values()).values(), expected
    )


def test_the_float_graph_is_left_alone_and_its_weights_are_gone_from_the_other() -> None:
    plain = two_layers()
    before = plain.SerializeToString()
    model = insert(plain, SCALES, LAYERS)
    assert plain.SerializeToString() == before
    assert not {"w", "b", "w2", "b2"} & network.initializers(model).keys()


@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
@pytest.mark.parametrize("tiny", [0.0, 1e-12])
def test_a_channel_without_weights_keeps_its_bias(tiny: float, engine: str) -> None:
    """Weight decay leaves such channels. A bias in units of their weights fits no int32."""
    weight = WEIGHT.copy()
    weight[:2] *= tiny
    model = insert(two_layers(weight), SCALES, LAYERS)
    constants = network.initializers(model)
    limit = np.iinfo(np.int32).max
    assert np.abs(constants["first.bias_quantized"].astype(np.int64)).max() < limit / 1.9
    exact = constants["first.bias_quantized"] * constants["first.bias_scale"].astype(float)
    np.testing.assert_allclose(exact, BIAS, atol=5e-4)
    assert (constants["first.weight_scale"] > 0).all()
    signed = to_signed(model)
    run = (
        LiteRT(tflite.convert(signed)).run
        if engine == "litert"
        else lambda inputs: network.run(network.session(signed), inputs)
    )
    (found,) = run(values()).values()
    kept = np.maximum(BIAS[:2], 0) + BIAS[:2]  # through ReLU and the second layer
    np.testing.assert_allclose(-found[0, :2], kept[:, None].repeat(16, 1), atol=0.3)


def test_a_channel_of_zeros_alone_gives_zero() -> None:
    weight, bias = WEIGHT.copy(), BIAS.copy()
    weight[3] = 0
    model = to_signed(insert(two_layers(weight, bias), SCALES, LAYERS))
    first, second = (
        run(values())["y"]
        for run in (
            LiteRT(tflite.convert(model)).run,
            lambda inputs: network.run(network.session(model), inputs),
        )
    )
    assert not first[0, 3].any()
    assert not second[0, 3].any()
