"""The files in engines and on processors that cannot share this environment.

tflite-runtime needs NumPy 1 and Python 3.11 or older, TFLite-Micro pulls in its own
packages, and a processor without VNNI is emulated.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import small
from elsewhere import REPOSITORY, Arrays, python_with, run_elsewhere
from numpy.typing import NDArray

from onwrist_export.packing.pack import Description, pack, stages
from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.check import QUANTIZED, check, onnx_run
from onwrist_export.quantization.parity import TRAINED
from onwrist_export.quantization.quantize import (
    QuantizedModel,
    file_names,
    quantize,
    quantize_step,
)
from onwrist_export.windows.grids import Windows, run_all
from onwrist_runtime import bundle
from onwrist_runtime.processor import has_vnni
from onwrist_runtime.verify import golden_scales

pytestmark = pytest.mark.slow

SHIPPED, SHIPPED_DAY = (
    REPOSITORY / f"sdk/onwrist/bundles/{name}.onwrist" for name in ("wrist-himae", "day-lsm2")
)
SAMPLES, WIDTHS = 256, (16, 32, 64, 128, 256)


@pytest.fixture(scope="module", params=["random", "shipped"])
def case(request: pytest.FixtureRequest) -> tuple[QuantizedModel, Windows]:
    """A model and windows: random in the shipped sizes, or shipped with its golden ones."""
    if request.param == "random":
        return random_model(), small.windows(16, samples=SAMPLES, seed=5)
    opened = bundle.read(SHIPPED)
    members, names = opened.members, file_names("window")
    u8, s8 = (onnx.load_from_string(members[names[kind]]) for kind in ("u8", "s8"))
    golden = safetensors.numpy.load(members["golden.safetensors"])
    values, observed = golden["values"], golden["observed"].astype(bool)
    count = len(values)
    windows = Windows(
        values,
        observed,
        np.arange(count) * 1.0,
        np.full(count, "S"),
        {},
        baseline=golden.get("baseline"),
        scales=golden_scales(opened.manifest, "window", observed),
    )
    # the float graph is not shipped, and nothing here asks for it
    tflite = members[names["tflite"]]
    return QuantizedModel("window", onnx.ModelProto(), u8, s8, tflite), windows


def random_model() -> QuantizedModel:
    """The shipped sizes, so that differences grow through as many layers."""
    graph = small.graph(samples=SAMPLES, widths=WIDTHS)
    return quantize(graph, small.windows(40, samples=SAMPLES))


@pytest.fixture(scope="module")
def model(case: tuple[QuantizedModel, Windows]) -> QuantizedModel:
    return case[0]


@pytest.fixture(scope="module")
def windows(case: tuple[QuantizedModel, Windows]) -> Windows:
    return case[1]


@pytest.fixture(scope="module")
def inputs(windows: Windows) -> dict[str, NDArray[np.float32]]:
    return windows.inputs(slice(None))


@pytest.fixture(scope="module")
def integers(model: QuantizedModel) -> list[str]:
    """The int8 output of every layer."""
    return [n.output[0] for n in model.s8.graph.node if n.op_type == "QuantizeLinear"]


@pytest.fixture(scope="module")
def expected(model: QuantizedModel, windows: Windows, integers: list[str]) -> Arrays:
    """What ONNX Runtime gives here on s8."""
    return run_all(onnx_run(network.expose(model.s8, integers)), windows)


def exposed(model: QuantizedModel, integers: list[str]) -> bytes:
    """`model.tflite` with every int8 tensor as an output."""
    return flatbuffer.expose(model.tflite, integers)


@pytest.mark.parametrize("engine", ["tflite-runtime", "tflite-micro"])
def test_engines_that_round_otherwise_stay_within_three_steps(
    engine: str,
    model: QuantizedModel,
    inputs: dict[str, NDArray[np.float32]],
    integers: list[str],
    expected: Arrays,
) -> None:
    found = run_elsewhere([python_with(engine)], engine, exposed(model, integers), inputs)
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(found[integers[0]], expected[integers[0]])
    for stage in range(1, len(WIDTHS) + 1):
        name = f"stage{stage}{QUANTIZED}"
        assert np.abs(found[name] - expected[name]).max() <= 3
    # a rate of no confidence at all is never given
    given = expected["heart_rate"][:, 1] > 0
    assert given.any()
    assert np.abs(found["heart_rate"] - expected["heart_rate"])[given].max() < 0.5


def packed(path: Path) -> Path:
    """A bundle of the random model."""
    model = random_model()
    held_out = small.windows(16, samples=SAMPLES, seed=7)
    description = Description(
        name="small",
        version="1.0.0",
        description="A random graph.",
        licence="Apache-2.0",
        rate=small.RATE,
        samples=SAMPLES,
        channels=small.described_channels(),
        embedding=stages(small.graph(widths=WIDTHS).encoder.config),
        tasks=small.TASKS,
    )
    parity = check(model, held_out, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    pack(path, {"window": model}, {"window": parity}, description, held_out, "")
    return path


@pytest.mark.parametrize(
    "shipped", [None, SHIPPED, SHIPPED_DAY], ids=["random", "wrist", "day"]
)
def test_tflite_runtime_passes_verification(shipped: Path | None, tmp_path: Path) -> None:
    path = shipped or packed(tmp_path / "small.onwrist")
    program = (
        "import sys; from onwrist_runtime import bundle, engines, verify\n"
        "opened = bundle.read(sys.argv[1])\n"
        "for role in ('window', 'step')[: 1 + (opened.manifest.step is not None)]:\n"
        "    engine = engines.open_engine(opened, 'tflite-runtime', role=role)\n"
        "    report = verify.verify(opened, engine)\n"
        "    print(report)\n"
        "    assert report.passed"
    )
    subprocess.run(
        [python_with("tflite-runtime"), "-c", program, str(path)],
        check=True,
        env={"PYTHONPATH": str(REPOSITORY / "runtime")},
    )


@pytest.fixture(scope="module")
def haswell() -> list[str]:
    """Python on an emulated x86 without VNNI."""
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    return [qemu, "-cpu", "Haswell", sys.executable]


def test_without_vnni_s8_and_tflite_are_exact(
    haswell: list[str],
    model: QuantizedModel,
    inputs: dict[str, NDArray[np.float32]],
    integers: list[str],
    expected: Arrays,
) -> None:
    s8 = network.expose(model.s8, integers).SerializeToString()
    tflite = exposed(model, integers)
    for engine, content in (("onnxruntime", s8), ("ai-edge-litert", tflite)):
        found = run_elsewhere(haswell, engine, content, inputs)
        for name in integers:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.fixture(scope="module")
def stepped() -> dict[int, QuantizedModel]:
    """A random step graph by steps of a call."""
    calibration = small.in_contexts(small.stream(60))
    return {k: quantize_step(small.causal(), calibration, k) for k in (1, 4)}


def after_a_stream(
    command: list[str], engine: str, model: QuantizedModel
) -> NDArray[np.generic]:
    """The state after 24 steps of a stream."""
    content = model.s8.SerializeToString() if engine == "onnxruntime" else model.tflite
    calls = 24 * small.STEP // model.step.samples
    stream = small.stream(24, seed=9)
    inputs = {
        name: v.reshape(calls, -1, *v.shape[1:]).swapaxes(1, 2).reshape(calls, v.shape[1], -1)
        for name, v in stream.inputs(slice(None)).items()
    }
    inputs["state"] = np.zeros((calls, model.step.state), np.float32)
    return run_elsewhere(command, engine, content, inputs)["next_state"][-1]


@pytest.mark.parametrize("engine", ["tflite-runtime", "tflite-micro"])
def test_steps_equal_one_pass_where_rounding_is_another(
    engine: str, stepped: dict[int, QuantizedModel]
) -> None:
    python = python_with(engine)
    single, several = (after_a_stream([python], engine, m) for m in stepped.values())
    assert np.unique(single).size > 100
    np.testing.assert_array_equal(single, several)


def test_without_vnni_steps_are_exact(
    haswell: list[str], stepped: dict[int, QuantizedModel]
) -> None:
    here = after_a_stream([sys.executable], "onnxruntime", stepped[1])
    for engine in ("onnxruntime", "ai-edge-litert"):
        found = after_a_stream(haswell, engine, stepped[1])
        np.testing.assert_array_equal(found, here)


def test_without_vnni_u8_is_wrong_and_not_chosen(
    haswell: list[str],
    model: QuantizedModel,
    inputs: dict[str, NDArray[np.float32]],
    integers: list[str],
    expected: Arrays,
) -> None:
    """Why both files are shipped: products of u8 and s8 saturate in 16 bits."""
    u8 = network.expose(model.u8, integers).SerializeToString()
    found = run_elsewhere(haswell, "onnxruntime", u8, inputs)
    last = f"stage{len(WIDTHS)}{QUANTIZED}"
    assert (found[last] - 128 == expected[last]).mean() < 0.9
    program = "from onwrist_runtime.processor import has_vnni; print(has_vnni())"
    printed = subprocess.run(
        [*haswell, "-c", program], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "False"


@pytest.mark.skipif(not has_vnni(), reason="this processor has no VNNI")
def test_with_vnni_u8_is_exact(
    model: QuantizedModel, windows: Windows, integers: list[str], expected: Arrays
) -> None:
    exposed_u8: onnx.ModelProto = network.expose(model.u8, integers)
    found = run_all(onnx_run(exposed_u8), windows)
    for name in integers:
        np.testing.assert_array_equal(found[name] - 128, expected[name], err_msg=name)
