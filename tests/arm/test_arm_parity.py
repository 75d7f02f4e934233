"""Every shipped bundle on emulated cores: what a wearer would get is what this machine gives.

Compared are the golden vectors of every role, and recordings, predicted and streamed. Here
ONNX Runtime runs the u8 files where there is VNNI, on the other machines it runs s8.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from machines import ARM, BUNDLES, ENGINES, HERE, NARROW, OLD_X86, SCRIPT, Outputs, run
from numpy.typing import NDArray

from onwrist_runtime import bundle as bundles
from onwrist_runtime.manifest import EMBEDDING, NEXT_STATE, TOKENS, Manifest

CLOSE = 1e-5  # relative to the value, or to 1 where it is smaller
UNSURE = 0.05  # of a probability, where an answer is less sure than those of golden windows
MANIFESTS = {path.stem: bundles.read(path).manifest for path in BUNDLES.glob("*.onwrist")}
EXACT = {"start", "coverage", "grid", NEXT_STATE, TOKENS}
TOLD = (" decided", " why")

every_machine = pytest.mark.parametrize("machine", [*ARM, OLD_X86])
every_engine = pytest.mark.parametrize("engine", ENGINES)


class Pair(NamedTuple):
    """One output of one part of a bundle, here and on another machine."""

    name: str
    manifest: Manifest
    part: str
    output: str
    here: NDArray[np.generic]
    there: NDArray[np.generic]

    @property
    def apart(self) -> NDArray[np.float64]:
        """Differences in each row; two that are missing are equal."""
        here, there = (x.astype(np.float64).reshape(len(x), -1) for x in self[-2:])
        assert np.array_equal(np.isnan(here), np.isnan(there)), self.name
        return np.abs(np.nan_to_num(here) - np.nan_to_num(there))

    @property
    def relative(self) -> NDArray[np.float64]:
        """The same, relative to the value, or to 1 where it is smaller."""
        here = np.nan_to_num(self.here.astype(np.float64)).reshape(len(self.here), -1)
        return self.apart / np.maximum(np.abs(here), 1)


def pairs(outputs: Outputs, machine: str, engine: str, here: str = HERE) -> Iterator[Pair]:
    """Everything that was given, without which file gave it and that it was verified."""
    one = outputs[here, engine if here != HERE else _in_line(engine)].result()
    other = outputs[machine, engine].result()
    assert one.keys() == other.keys()
    for name in one:
        bundle, part, output = name.split("/")
        if output not in ("graph", "verified"):
            yield Pair(name, MANIFESTS[bundle], part, output, one[name], other[name])


def _in_line(engine: str) -> str:
    """What runs the same files here."""
    return "litert" if engine == "tflite-runtime" else engine


def in_bytes(pair: Pair, engine: str) -> bool:
    """Whether an output is made of integers or of text.

    The embedding of a window is means of integers, which ONNX Runtime takes in float: it is
    only close, but by much less than the 7e-4 that a single integer would change. That of a
    day, and of fused sensors, comes from float layers.
    """
    if pair.output == EMBEDDING and not _between_layers(pair.manifest):
        stepped = pair.part == "step" or pair.part.endswith("streamed")
        return stepped or engine == "litert"
    return pair.output in EXACT or pair.output.endswith(TOLD)


def noisy(pair: Pair, engine: str) -> bool:
    """Whether the last bit of a float can decide on more than the last bits of an output.

    Between the layers of a day, or of fusion, floats are rounded to integers, and one may fall
    on the other side. LiteRT's stress of a step takes the logarithm of deviations from the
    mean, which are nothing but the rounding of that mean where a channel hardly moves.
    """
    if _between_layers(pair.manifest):
        return True
    return engine == "litert" and pair.part == "step" and pair.output == "stress"


def _between_layers(manifest: Manifest) -> bool:
    """Whether there is float arithmetic between layers of integers: attention."""
    return manifest.tokens is not None or manifest.fusion is not None


@every_machine
@every_engine
def test_every_role_of_every_bundle_is_verified(
    machine: str, engine: str, outputs: Outputs
) -> None:
    given = outputs[machine, engine].result()
    assert {name.partition("/")[0] for name in given} == MANIFESTS.keys()
    verified = {name: bool(array) for name, array in given.items() if name.endswith("verified")}
    roles = [("window", "step") if m.step else ("window",) for m in MANIFESTS.values()]
    assert len(verified) == sum(map(len, roles))
    assert all(verified.values()), verified
    if engine == "onnxruntime":
        graphs = [str(array) for name, array in given.items() if name.endswith("graph")]
        assert not any(".u8." in graph for graph in graphs)


@every_machine
@every_engine
def test_integers_and_decisions_are_the_same(
    machine: str, engine: str, outputs: Outputs
) -> None:
    compared = [p for p in pairs(outputs, machine, engine) if in_bytes(p, engine)]
    assert {NEXT_STATE, TOKENS, EMBEDDING} <= {pair.output for pair in compared}
    different = [p.name for p in compared if p.here.tobytes() != p.there.tobytes()]
    assert not different


@every_machine
@every_engine
def test_floats_are_close(machine: str, engine: str, outputs: Outputs) -> None:
    compared = [
        pair
        for pair in pairs(outputs, machine, engine)
        if not in_bytes(pair, engine) and not noisy(pair, engine)
    ]
    assert {"heart_rate", "stress"} <= {pair.output for pair in compared}
    worst = {pair.name: pair.relative.max() for pair in compared}
    assert not {name: off for name, off in worst.items() if not off <= CLOSE}


@every_machine
@every_engine
def test_floats_that_noise_can_turn_are_mostly_close_and_within_the_bundles_tolerance(
    machine: str, engine: str, outputs: Outputs
) -> None:
    for pair in pairs(outputs, machine, engine):
        if noisy(pair, engine) and not in_bytes(pair, engine):
            assert pair.apart.max() <= pair.manifest.golden.tolerance[pair.output], pair.name
            assert np.median(pair.relative.max(1)) <= CLOSE, pair.name


@every_engine
def test_all_arm_cores_give_the_same_bytes(engine: str, outputs: Outputs) -> None:
    """Floats too, whatever kernels a core's instructions allow."""
    first, *others = ARM
    different = [
        f"{core}: {pair.name}"
        for core in others
        for pair in pairs(outputs, core, engine, first)
        if pair.here.tobytes() != pair.there.tobytes()
    ]
    assert not different


def test_32_bits_decide_the_same_within_what_other_rounding_may_change(
    outputs: Outputs,
) -> None:
    """tflite-runtime rounds ties otherwise than LiteRT, and on Arm otherwise than on x86.

    Decisions are the same but where the confidence lies on the threshold. What fused sensors
    may be off by is measured on golden windows, of which the model is sure. Where it is not, a
    probability moves by more: most windows keep that limit, and none moves by 0.05.
    """
    given = outputs[NARROW].result()
    assert all(array for name, array in given.items() if name.endswith("verified"))
    told = {pair.name: pair for pair in pairs(outputs, *NARROW)}
    for name, pair in told.items():
        task = told.get(name.removesuffix(" decided"))
        alike = np.ones(len(pair.here), bool)
        if task is not None and task.output in {each.name for each in pair.manifest.tasks}:
            alike = ~_on_the_threshold(task)
            assert alike.mean() > 0.9, name
        rows = pair._replace(here=pair.here[alike], there=pair.there[alike])
        loose = pair.manifest.golden.loose
        if pair.output in ("start", "coverage", "grid") or pair.output.endswith(" decided"):
            assert rows.here.tobytes() == rows.there.tobytes(), name
        elif pair.output in loose and pair.manifest.fusion is None:
            assert rows.apart.max() <= loose[pair.output], name
        elif pair.output in loose:
            assert np.median(rows.apart.max(1)) <= loose[pair.output], name
            if pair.output in {each.name for each in pair.manifest.tasks}:
                assert rows.apart.max() <= UNSURE, name


def _on_the_threshold(task: Pair) -> NDArray[np.bool_]:
    """Rows of which one machine abstains and the other does not, being as sure."""
    here, there = (x.astype(np.float64).reshape(len(x), -1) for x in task[-2:])
    torn = (np.isnan(here) != np.isnan(there)).any(axis=1)
    assert np.allclose(here[torn, 1], there[torn, 1], atol=UNSURE), task.name
    return np.asarray(torn)


def test_recordings_make_models_answer_and_abstain(outputs: Outputs) -> None:
    """Or equal decisions would say little."""
    given = outputs[HERE, "litert"].result()
    for bundle in MANIFESTS:
        decided = {
            str(text).partition(" ")[0]
            for name, array in given.items()
            if name.startswith(f"{bundle}/") and name.endswith(" decided")
            for text in array
        }
        assert decided == {"True", "False"}, bundle


def test_a_bundle_without_the_engines_format_is_refused_on_a_core(
    lane: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    refused = r"litert runs tflite, but this bundle holds model\.u8\.onnx, model\.s8\.onnx"
    with pytest.raises(RuntimeError, match=refused):
        run(lane, "Cortex-A53", SCRIPT, "litert", toy_bundle.parent, tmp_path, tmp_path / "o")
    assert not list(tmp_path.iterdir())
