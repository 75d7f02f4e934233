"""The files in engines and on processors that cannot share this environment.

tflite-runtime needs NumPy 1 and Python 3.11 or older, TFLite-Micro pulls in its own
packages, and a processor without VNNI is emulated.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import small
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

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "sdk/onwrist/bundles/wrist-himae.onwrist"
SCRIPT = Path(__file__).with_name("run_elsewhere.py")
SAMPLES, WIDTHS = 256, (16, 32, 64, 128, 256)
Arrays = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module", params=["random", "shipped"])
def case(request: pytest.FixtureRequest) -> tuple[QuantizedModel, Windows]:
    """A model and windows: random in the shipped sizes, or shipped with its golden ones."""
    if request.param == "random":
        return random_model(), small.windows(16, samples=SAMPLES, seed=5)
    members = bundle.read(SHIPPED).members
    names = file_names("window")
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


def elsewhere(
    command: list[str],
    engine: str,
    model: bytes,
    outputs: list[str],
    inputs: Mapping[str, NDArray[np.float32]],
    folder: Path,
) -> Arrays:
    """Outputs of a model file for inputs (W, ...) by name, run by another interpreter."""
    np.savez(folder / "in.npz", **inputs, outputs=outputs)
    (folder / "model").write_bytes(model)
    files = [str(folder / name) for name in ("model", "in.npz", "out.npz")]
    subprocess.run([*command, str(SCRIPT), engine, *files], check=True, timeout=570)
    with np.load(folder / "out.npz") as found:
        return {n: _layout(found[n].astype(np.float64)) for n in found.files}


def _layout(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """(W, 1, L, C) of TFLite as (W, C, L)."""
    return array[:, 0].transpose(0, 2, 1) if array.ndim == 4 else array


def python_with(name: str, *packages: str) -> str:
    """The interpreter of a virtual environment of its own, made on first use."""
    folder = REPOSITORY / f".venv-{name}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if sys.version_info[:2] > (3, 11):
        pytest.skip(f"{name} needs Python 3.11")
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        made = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *packages],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"cannot install {' '.join(packages)}: {made.stderr[-300:]}")
        ready.touch()
    return str(python)


def tflite_runtime() -> str:
    return python_with("tflite", "tflite-runtime==2.14.0", "numpy<2", "msgspec", "safetensors")


def exposed(model: QuantizedModel, integers: list[str]) -> tuple[bytes, list[str]]:
    """`model.tflite` with every int8 tensor as an output, and the names of all outputs."""
    names = [*(o.name for o in model.s8.graph.output), *integers]
    return flatbuffer.expose(model.tflite, integers), names


@pytest.mark.parametrize("engine", ["tflite-runtime", "tflite-micro"])
def test_engines_that_round_otherwise_stay_within_three_steps(
    engine: str,
    model: QuantizedModel,
    inputs: dict[str, NDArray[np.float32]],
    integers: list[str],
    expected: Arrays,
    tmp_path: Path,
) -> None:
    python = tflite_runtime()
    if engine == "tflite-micro":
        python = python_with("micro", "--pre", "tflite-micro")
    found = elsewhere([python], engine, *exposed(model, integers), inputs, tmp_path)
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


@pytest.mark.parametrize("whose", ["random", "shipped"])
def test_tflite_runtime_passes_verification(whose: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "small.onwrist") if whose == "random" else SHIPPED
    program = (
        "import sys; from onwrist_runtime import bundle, engines, verify\n"
        "opened = bundle.read(sys.argv[1])\n"
        "for role in {graph.role for graph in opened.manifest.graphs}:\n"
        "    engine = engines.open_engine(opened, 'tflite-runtime', role=role)\n"
        "    report = verify.verify(opened, engine)\n"
        "    print(report)\n"
        "    assert report.passed"
    )
    subprocess.run(
        [tflite_runtime(), "-c", program, str(path)],
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
    tmp_path: Path,
) -> None:
    s8 = network.expose(model.s8, integers).SerializeToString()
    tflite, names = exposed(model, integers)
    for engine, content in (("onnxruntime", s8), ("litert", tflite)):
        found = elsewhere(haswell, engine, content, names, inputs, tmp_path)
        for name in integers:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.fixture(scope="module")
def stepped() -> dict[int, QuantizedModel]:
    """A random step graph by steps of a call."""
    calibration = small.in_contexts(small.stream(60))
    return {k: quantize_step(small.causal(), calibration, k) for k in (1, 4)}


def after_a_stream(
    command: list[str], engine: str, model: QuantizedModel, folder: Path
) -> NDArray[np.float64]:
    """The state after 24 steps of a stream."""
    content = model.s8.SerializeToString() if engine == "onnxruntime" else model.tflite
    calls = 24 * small.STEP // model.step.samples
    stream = small.stream(24, seed=9)
    inputs = {
        name: v.reshape(calls, -1, *v.shape[1:]).swapaxes(1, 2).reshape(calls, v.shape[1], -1)
        for name, v in stream.inputs(slice(None)).items()
    }
    inputs["state"] = np.zeros((calls, model.step.state), np.float32)
    names = [output.name for output in model.s8.graph.output]
    return elsewhere(command, engine, content, names, inputs, folder)["next_state"][-1]


@pytest.mark.parametrize("engine", ["tflite-runtime", "tflite-micro"])
def test_steps_equal_one_pass_where_rounding_is_another(
    engine: str, stepped: dict[int, QuantizedModel], tmp_path: Path
) -> None:
    python = tflite_runtime()
    if engine == "tflite-micro":
        python = python_with("micro", "--pre", "tflite-micro")
    single, several = (
        after_a_stream([python], engine, model, tmp_path) for model in stepped.values()
    )
    assert np.unique(single).size > 100
    np.testing.assert_array_equal(single, several)


def test_without_vnni_steps_are_exact(
    haswell: list[str], stepped: dict[int, QuantizedModel], tmp_path: Path
) -> None:
    here = after_a_stream([sys.executable], "onnxruntime", stepped[1], tmp_path)
    for engine in ("onnxruntime", "litert"):
        found = after_a_stream(haswell, engine, stepped[1], tmp_path)
        np.testing.assert_array_equal(found, here)


def test_without_vnni_u8_is_wrong_and_not_chosen(
    haswell: list[str],
    model: QuantizedModel,
    inputs: dict[str, NDArray[np.float32]],
    integers: list[str],
    expected: Arrays,
    tmp_path: Path,
) -> None:
    """Why both files are shipped: products of u8 and s8 saturate in 16 bits."""
    u8 = network.expose(model.u8, integers).SerializeToString()
    found = elsewhere(haswell, "onnxruntime", u8, [], inputs, tmp_path)
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
