"""INT8 graphs of several sensors: scales, files and what they give."""

from __future__ import annotations

import numpy as np
import pytest
import small_fusion
from onnx import numpy_helper

from onwrist_export.fusion.config import Fill
from onwrist_export.packing import fusion_windows
from onwrist_export.quantization import fusion, network
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.fusion import Sensed
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_runtime.errors import InputError

FILLS: tuple[Fill, ...] = ("none", "mask", "memory", "restored")


@pytest.mark.parametrize("fill", FILLS)
def test_int8_is_near_float_in_every_pattern_and_engine(fill: Fill) -> None:
    config = small_fusion.config(fill)
    windows = fusion_windows.calibration(None, config, 60, 0)
    models = fusion.quantize(small_fusion.merged(config), config, windows)
    assert ("decode" in models) == (fill == "restored")
    tasks = [task.name for task in config.classes]
    told = fusion.every_pattern(
        fusion.sense(
            {s: onnx_run(models[f"sense.{s}"].fp32) for s in config.names},
            fusion_windows.simulated(config, 15, 3),
            config,
        ),
        config,
    )
    for name in ("fuse", "decode") if fill == "restored" else ("fuse",):
        model = models[name]
        wanted = {value.name for value in model.fp32.graph.input}
        float_run, reference = map(onnx_run, (model.fp32, model.s8))
        others = [onnx_run(model.u8)]
        others += [LiteRT(model.tflite, kernels).run for kernels in Kernels]
        for given in told.inputs(tasks):
            inputs = {key: value for key, value in given.items() if key in wanted}
            exact, expected = float_run(inputs), reference(inputs)
            for key, value in expected.items():
                spread = np.ptp(exact[key])
                assert np.abs(value - exact[key]).max() <= 0.1 * spread + 0.02, key
                for run in others:
                    assert np.abs(run(inputs)[key] - value).max() <= 0.05 * spread + 0.01, key
    for sensor, rows in zip(config.names, config.rows, strict=True):
        model = models[f"sense.{sensor}"]
        runs = [onnx_run(model.fp32), onnx_run(model.s8)]
        runs += [LiteRT(model.tflite, kernels).run for kernels in Kernels]
        for given in fusion.only(windows, rows).select(np.arange(4)).feeds():
            exact, *found = (run(given)["sensed"] for run in runs)
            for each in found:
                assert np.abs(each - exact).max() <= 0.15 * exact.max()
                assert np.abs(each - exact).mean() <= 0.02 * exact.max()


def test_dead_sensors_choose_no_scale() -> None:
    config = small_fusion.config("none")
    model = fusion.quantize(
        small_fusion.merged(config), config, fusion_windows.calibration(None, config, 40, 0)
    )["fuse"].fp32
    tokens = np.random.default_rng(0).random((15, 4, 9, 8), np.float32)
    found = fusion.every_pattern(Sensed(tokens, np.ones((15, 4), bool)), config)
    expected = fusion.calibrate(model, found, config)
    loud = found.tokens + 100 * (~found.live[:, :, None, None]).astype(np.float32)
    assert fusion.calibrate(model, Sensed(loud, found.live), config) == expected
    assert fusion.calibrate(model, Sensed(2 * tokens, found.live[:15]), config) != expected


def test_every_layer_but_the_summary_is_stored_in_int8() -> None:
    config = small_fusion.config()
    windows = fusion_windows.calibration(None, config, 40, 0)
    merged = small_fusion.merged(config)
    models = fusion.quantize(merged, config, windows)
    small = 2 * config.fusion.width * len(config.classes[0].labels)
    for name, model in models.items():
        for initializer in model.s8.graph.initializer:
            value = numpy_helper.to_array(initializer)
            constant = initializer.name.endswith(("place", "asked", "known", "summary.weight"))
            is_float = value.dtype == np.float32 and value.ndim > 1
            assert not is_float or constant or value.size <= small, (name, initializer.name)
    kept = fusion.quantize(
        merged, config, windows, ["sense.chest.stage2.conv1", "fuse.filled.blocks.0.up"]
    )
    for name in models:
        same = models[name].tflite == kept[name].tflite
        assert same == (name not in ("sense.chest", "fuse"))
    (layer,) = (n for n in kept["fuse"].s8.graph.node if n.name == "filled.blocks.0.up")
    assert network.initializers(kept["fuse"].s8)[layer.input[1]].dtype == np.float32
    with pytest.raises(InputError, match=r"no layer fuse\.nothing; .*fuse\.seen"):
        fusion.quantize(merged, config, windows, ["fuse.nothing"])
