"""From checkpoints of several sensors to their bundle, by the commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy
import small_fusion

import onwrist
from onwrist_export import cli
from onwrist_export.fusion import store
from onwrist_export.fusion.evidence import subsets
from onwrist_export.fusion.learn import Encoded
from onwrist_export.fusion.networks import Encoders, Late
from onwrist_export.packing import fusion_steps, fusion_windows
from onwrist_export.quantization.parity import FUSION
from onwrist_runtime import bundle
from onwrist_runtime.availability import Patterns
from onwrist_runtime.engines import open_engine
from onwrist_runtime.verify import verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model, quantized on simulated motion and checked."""
    path = tmp_path_factory.mktemp("fusion")
    config = small_fusion.config()
    commands = ["onwrist-export pretrain UMA", "onwrist-export train UMA"]
    store.save(path / "fused.safetensors", small_fusion.merged(config), config, commands)
    quantized = str(path / "quantized")
    assert cli.main(["quantize", str(path / "fused.safetensors"), "-o", quantized]) == 0
    with pytest.MonkeyPatch.context() as patch:
        # random weights say nearly the same of every window
        patch.setattr(fusion_steps, "FUSION", replace(FUSION, centred_cosine=0.9))
        assert cli.main(["check", quantized]) == 0
    return path / "quantized"


@pytest.fixture(scope="module")
def packed(folder: Path) -> Path:
    path = folder.parent / "body.onwrist"
    assert cli.main(["pack", str(folder), "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
def test_the_bundle_proves_itself_and_predicts_a_window(packed: Path, engine: str) -> None:
    opened = bundle.read(packed)
    assert verify(opened, open_engine(opened, engine)).passed
    config = small_fusion.config()
    windows = fusion_windows.simulated(config, 1, 9)
    values = windows.values[0].copy()
    values[config.rows[1]] = np.nan
    prediction = onwrist.load(packed, engine=engine).predict(values, impute=True)
    assert prediction.embedding is not None
    assert prediction.embedding.shape == (16,)
    assert [name for name, s in prediction.sensors.items() if s.used] == [
        "wrist",
        "waist",
        "ankle",
    ]
    assert prediction.imputed is not None
    assert np.isfinite(prediction.imputed.values).all()
    assert prediction.tasks["activity"].confidence is not None


def test_every_pattern_is_among_the_golden_windows(packed: Path) -> None:
    opened = bundle.read(packed)
    golden = safetensors.numpy.load(opened.members[opened.manifest.golden.file])
    patterns = Patterns(opened.manifest)
    found = [patterns.of(seen > 0).live for seen in golden["observed"]]
    assert len(set(found)) == 15
    assert all(map(any, found))
    least = golden["observed"].sum(axis=(1, 2)).min()
    assert least == 6 * np.ceil(0.2 * 64)


def test_its_card_says_what_made_it(packed: Path) -> None:
    card = bundle.read(packed).members["CARD.md"].decode()
    for told in (
        "onwrist-export train UMA",
        "simulated motion",
        "Seed 7",
        "Casilari",
        "not judged on people",
        "A sensor counts from a coverage of 0.2",
        "TFLite-Micro were not run",
        "wrist+ankle",
        "Tested on 01, 07, 14, 19",
    ):
        assert told in card


def test_it_is_packed_to_the_same_bytes_again(
    folder: Path, packed: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onwrist"
    assert cli.main(["pack", str(folder), "-o", str(again)]) == 0
    assert again.read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("option", ["--rate", "--seconds", "--step"])
def test_it_is_not_quantized_as_a_window(
    folder: Path, capsys: pytest.CaptureFixture, option: str
) -> None:
    checkpoint, out = folder / "checkpoint.safetensors", folder.parent / "never"
    assert cli.main(["quantize", str(checkpoint), "-o", str(out), option, "2"]) == 2
    assert "leave out" in capsys.readouterr().err
    assert not out.exists()


def test_encoders_alone_are_not_quantized(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config, path = small_fusion.config(), tmp_path / "encoded.safetensors"
    store.save_encoded(path, Encoded(Encoders(config), Late(config)), config, ["one"])
    assert cli.main(["quantize", str(path), "-o", str(tmp_path / "never")]) == 2
    assert "nothing fuses yet" in capsys.readouterr().err


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    shared = small_fusion.config()
    shared = msgspec.structs.replace(
        shared, encoder=msgspec.structs.replace(shared.encoder, shared=True)
    )
    for config in (small_fusion.config("memory"), shared):
        merged, path = small_fusion.merged(config), tmp_path / "fused.safetensors"
        store.save(path, merged, config, ["one", "two"])
        again, told, commands = store.load(path)
        assert (told, commands) == (config, ["one", "two"])
        states = [m.state_dict() for m in (merged.hybrid, merged.encoders)]
        for state, module in zip(states, (again.hybrid, again.encoders), strict=True):
            assert all((x == state[name]).all() for name, x in module.state_dict().items())


def test_what_broke_a_limit_is_not_packed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = (folder / "parity.json").read_bytes()
    found = msgspec.json.decode(kept)
    found["fuse"]["conditions"][0]["centred_cosine"] = 0.5
    try:
        (folder / "parity.json").write_bytes(msgspec.json.encode(found))
        out = tmp_path / "refused.onwrist"
        assert cli.main(["pack", str(folder), "-o", str(out)]) == 1
        assert "with wrist, below" in capsys.readouterr().err
        assert not out.exists()
    finally:
        (folder / "parity.json").write_bytes(kept)


def test_all_patterns_are_listed(packed: Path) -> None:
    manifest = bundle.read(packed).manifest
    assert manifest.availability is not None
    listed = [pattern.sensors for pattern in manifest.availability.patterns]
    assert listed == subsets(manifest.sensors)
