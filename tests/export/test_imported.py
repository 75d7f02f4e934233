"""An official checkpoint becomes a bundle: embedding only, honest about calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import onwrist
from onwrist.readers import write_recording
from onwrist.simulate import simulate
from onwrist_export import checkpoints
from onwrist_export.himae import HiMAE, HiMAEConfig
from onwrist_export.imported import import_encoder
from onwrist_runtime import bundle
from onwrist_runtime.errors import InputError, ParityError

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
    import_encoder(checkpoint, out)
    encoder = checkpoints.load(checkpoint)
    model = onwrist.load(out)
    assert (model.rate, model.window_samples, model.tasks) == (25.0, 100, ())
    wave = np.sin(np.arange(100) / 3).astype(np.float32) * 40 + 7
    scaled = 2 * (wave - wave.min()) / np.ptp(wave) - 1
    means = [s.mean(-1) for s in encoder.encode(torch.from_numpy(scaled)[None, None])]
    expected = torch.cat(means, dim=1)[0].numpy()
    found = model.predict(wave[None]).embedding
    assert found.shape == (36,)
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


def test_the_card_says_that_calibration_was_simulated(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.onwrist"
    import_encoder(checkpoint, out)
    card = bundle.read(out).members["CARD.md"].decode()
    assert "calibrated on simulated signals" in card
    assert "--calibrate RECORDINGS" in card
    assert "Not TFLite-Micro, which has no GELU" in card


def test_recordings_are_calibrated_on_when_given(checkpoint: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "tiny.onwrist"
    for seed in range(2):
        write_recording(simulate(60, seed), folder / str(seed))
    import_encoder(checkpoint, out, recordings=folder / "0")
    card = bundle.read(out).members["CARD.md"].decode()
    assert "calibrated on recordings of 0" in card
    assert "simulated" not in card


def test_recordings_without_the_channel_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.onwrist"
    with pytest.raises(InputError, match="with gyro; these recordings give 0"):
        import_encoder(checkpoint, out, channels=["gyro"])
    with pytest.raises(InputError, match="has 1 inputs, but 2 channels are named: ppg, eda"):
        import_encoder(checkpoint, out, channels=["ppg", "eda"])
    assert not out.exists()


def test_an_encoder_that_eight_bits_ruin_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    """One weight of a channel 10,000 times the others leaves no steps for those."""
    content = torch.load(checkpoint, weights_only=True)
    for stage in range(3):
        for part in ("main_path.0", "main_path.3", "shortcut.0"):
            weight = content["state_dict"][f"model.encoder_layers.{stage}.{part}.weight"]
            weight[:, 0, 0] *= 1e4
    torch.save(content, checkpoint)
    out = tmp_path / "tiny.onwrist"
    with pytest.raises(
        ParityError, match=r"centred cosine .* below 0\.97.*worst layer is stage"
    ):
        import_encoder(checkpoint, out)
    assert not out.exists()
