"""An official checkpoint becomes a bundle: embedding only, honest about calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import onwrist
from onwrist.readers import write_recording
from onwrist.simulate import simulate
from onwrist_export.cli import main
from onwrist_export.model import official
from onwrist_export.model.himae import HiMAE, HiMAEConfig
from onwrist_runtime import bundle

CONFIG = HiMAEConfig(widths=(8, 12, 16), rate=25.0, samples=100)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = HiMAE(CONFIG)
    with torch.no_grad():
        for _ in range(10):
            model(torch.randn(16, 1, 100).cumsum(-1).clamp(-3, 3) / 3)
    path = tmp_path / "tiny.ckpt"
    state = {f"model.{k}": v for k, v in model.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": {"f_s": 25, "T": 4}}, path)
    return path


@torch.no_grad()
def test_the_embedding_is_every_stage_mean(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.onwrist"
    assert main(["quantize", str(checkpoint), "-o", str(out)]) == 0
    encoder = official.load(checkpoint)
    model = onwrist.load(out)
    assert (model.rate, model.window_samples, model.tasks) == (25.0, 100, ())
    wave = np.sin(np.arange(100) / 3).astype(np.float32) * 40 + 7
    scaled = 2 * (wave - wave.min()) / np.ptp(wave) - 1
    means = [s.mean(-1) for s in encoder.encode(torch.from_numpy(scaled)[None, None])]
    expected = torch.cat(means, dim=1)[0].numpy()
    found = model.predict(wave[None]).embedding
    assert found.shape == (36,)
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


def test_the_card_says_what_was_calibrated_on_and_which_engines_suit(
    checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tiny.onwrist"
    main(["quantize", str(checkpoint), "-o", str(out)])
    card = bundle.read(out).members["CARD.md"].decode()
    assert "simulated signals" in card
    assert "TFLite-Micro has no GELU" in card
    recording = tmp_path / "seven"
    write_recording(simulate(60, seed=7), recording)
    main(["quantize", str(checkpoint), "-o", str(out), "--calibrate", str(recording)])
    card = bundle.read(out).members["CARD.md"].decode()
    assert "windows of seven" in card
    assert "simulated signals" not in card


def test_an_encoder_that_eight_bits_ruin_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One input channel 10,000 times the others leaves no steps for those."""
    content = torch.load(checkpoint, weights_only=True)
    for stage in range(3):
        for part in ("main_path.0", "main_path.3", "shortcut.0"):
            weight = content["state_dict"][f"model.encoder_layers.{stage}.{part}.weight"]
            weight[:, 0, 0] *= 1e4
    torch.save(content, checkpoint)
    out = tmp_path / "tiny.onwrist"
    assert main(["quantize", str(checkpoint), "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert "centred cosine" in said
    assert "below 0.97" in said
    assert "worst layer is stage" in said
    assert not out.exists()


def test_a_checkpoint_that_needs_code_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "code.ckpt"
    torch.save(torch.nn.Linear(2, 2), path)
    assert main(["quantize", str(path), "-o", str(tmp_path / "out.onwrist")]) == 2
    assert "pickle code" in capsys.readouterr().err


def test_the_official_checkpoint_becomes_a_bundle(shared_interop: Path, tmp_path: Path) -> None:
    out = tmp_path / "official.onwrist"
    path = shared_interop / "himae_ppg_25hz_10s.ckpt"
    assert main(["quantize", str(path), "-o", str(out)]) == 0
    manifest = bundle.read(out).manifest
    assert manifest.outputs == {"embedding": (1, 496)}
    assert [s.name for s in manifest.embedding] == [f"stage{k}" for k in range(1, 6)]
