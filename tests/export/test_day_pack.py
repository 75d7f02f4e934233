"""From a checkpoint of a day model to its bundle, by the commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import small_day
import torch
from torch import nn

import onwrist
from onwrist_export import cli
from onwrist_export.days import store
from onwrist_export.days.probe import ProbeHead
from onwrist_export.model.lsm2 import LSM2
from onwrist_export.packing import day_steps
from onwrist_export.quantization.parity import DAY
from onwrist_runtime import bundle
from onwrist_runtime.engines import open_engine
from onwrist_runtime.tokens import Cut
from onwrist_runtime.verify import verify

pytestmark = pytest.mark.slow

REACHED = {"examples": 7493.0, "mae": 7.125}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained nano, quantized on simulated days and checked."""
    path = tmp_path_factory.mktemp("day")
    torch.manual_seed(0)
    config = small_day.CONFIG
    model = LSM2(config.lsm2, config.scales)
    head = ProbeHead(2 * config.lsm2.width, config.probe)
    head.mlp(torch.randn(64, 2 * config.lsm2.width))  # what it standardizes by
    heads = nn.ModuleDict({config.probe.name: head})
    trained = store.Trained(
        config, model, heads, {config.probe.name: 0.5}, {config.probe.name: REACHED}
    )
    store.save(path / "trained.safetensors", trained, ["onwrist-export train --config day"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_steps, "CALIBRATION_SEEDS", range(2))
        patch.setattr(day_steps, "CHECK_SEEDS", range(100, 102))
        quantized = str(path / "quantized")
        assert cli.main(["quantize", str(path / "trained.safetensors"), "-o", quantized]) == 0
        assert cli.main(["check", quantized]) == 0
    return path / "quantized"


@pytest.fixture(scope="module")
def packed(folder: Path) -> Path:
    path = folder.parent / "day.onwrist"
    assert cli.main(["pack", str(folder), "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
def test_the_bundle_proves_itself_and_predicts_a_day(packed: Path, engine: str) -> None:
    opened = bundle.read(packed)
    report = verify(opened, open_engine(opened, engine))
    assert report.passed
    model = onwrist.load(packed, engine=engine)
    day = small_day.days(1, seed=3)
    start = float(day.clocks[0]) * 20 * 60
    prediction = model.predict(day.values[0], start=start, midnight=0.0)
    assert prediction.embedding is not None
    assert prediction.embedding.shape == (128,)
    assert prediction.imputed is not None
    seen = ~np.isnan(day.values[0])
    np.testing.assert_array_equal(prediction.imputed.values[seen], day.values[0][seen])
    rates = prediction.imputed.values[2]
    assert (rates >= 30).all()
    assert (rates <= 220).all()
    assert "active_minutes" in prediction.tasks


def test_every_size_is_among_the_golden_vectors(packed: Path) -> None:
    opened = bundle.read(packed)
    golden = safetensors.numpy.load(opened.members[opened.manifest.golden.file])
    cut = Cut.of(opened.manifest)
    sizes = {len(cut.slots(cut.present(seen > 0))) for seen in golden["observed"]}
    assert sizes == set(cut.sizes)
    assert golden["observed"].sum(axis=(1, 2)).min() == 1
    assert len(golden["clock"]) == 5


def test_its_files_are_small_and_its_card_says_what_made_it(packed: Path) -> None:
    opened = bundle.read(packed)
    for graph in opened.manifest.graphs:
        assert opened.manifest.members[graph.file].bytes < 500_000
    card = opened.members["CARD.md"].decode()
    for told in (
        "train --config day",
        "simulated days",
        "Seed 7",
        "Furberg",
        "examples 7493, mae 7.12",
        "steps coverage from 0.25, confidence from 0.5",
        "the encoder has seen",
        "TFLite-Micro were not run",
        "36, 72, 108",
    ):
        assert told in card


def test_it_is_packed_to_the_same_bytes_again(
    folder: Path, packed: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onwrist"
    assert cli.main(["pack", str(folder), "-o", str(again)]) == 0
    assert again.read_bytes() == packed.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--rate", "2"], "leave out --rate"), (["--step", "x"], "no step graph")],
)
def test_a_day_is_not_quantized_as_a_window(
    folder: Path, capsys: pytest.CaptureFixture, options: list[str], words: str
) -> None:
    checkpoint, out = folder / "checkpoint.safetensors", folder.parent / "never"
    assert cli.main(["quantize", str(checkpoint), "-o", str(out), *options]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_a_day_model_without_its_probe_is_not_quantized(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config, path = small_day.CONFIG, tmp_path / "pretrained.safetensors"
    store.save_pretrained(path, LSM2(config.lsm2, config.scales), config, [])
    assert cli.main(["quantize", str(path), "-o", str(tmp_path / "never")]) == 2
    assert "without its probe" in capsys.readouterr().err


def test_what_broke_a_limit_is_not_packed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_steps, "DAY", replace(DAY, centred_cosine=1.1))
    monkeypatch.setattr(day_steps, "CHECK_SEEDS", range(100, 101))
    kept = (folder / "parity.json").read_bytes()
    try:
        assert cli.main(["check", str(folder)]) == 1
        out = tmp_path / "refused.onwrist"
        assert cli.main(["pack", str(folder), "-o", str(out)]) == 1
    finally:
        (folder / "parity.json").write_bytes(kept)
    assert "below 1.1" in capsys.readouterr().err
    assert not out.exists()


def test_what_was_not_checked_is_not_packed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = (folder / "parity.json").read_bytes()
    (folder / "parity.json").unlink()
    try:
        assert cli.main(["pack", str(folder), "-o", str(tmp_path / "x.onwrist")]) != 0
    finally:
        (folder / "parity.json").write_bytes(kept)
    assert "was not checked" in capsys.readouterr().err
