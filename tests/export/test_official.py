"""Official checkpoints load exactly; anything else is refused in words, and runs no code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from onwrist_export.model import official
from onwrist_export.model.himae import HiMAE, HiMAEConfig
from onwrist_runtime.errors import CheckpointError

OFFICIAL = "himae_ppg_25hz_10s.ckpt"
EXPECTED = "himae_ppg_25hz_10s_expected.npz"
TINY = HiMAEConfig(inputs=2, outputs=2, widths=(4, 6), rate=50.0, samples=100)


@pytest.fixture
def tiny() -> HiMAE:
    torch.manual_seed(0)
    return HiMAE(TINY).eval()


def lightning(model: HiMAE, prefix: str = "model.") -> dict[str, object]:
    state = {prefix + key: value for key, value in model.state_dict().items()}
    return {"state_dict": state, "hyper_parameters": {"f_s": 50, "T": 2}, "epoch": 3}


@torch.no_grad()
def test_the_official_checkpoint_gives_the_official_numbers(shared_interop: Path) -> None:
    model = official.load(shared_interop / OFFICIAL)
    expected = np.load(shared_interop / EXPECTED)
    x = torch.from_numpy(expected["x"])
    stages = model.encode(x)
    assert model.config == HiMAEConfig()
    assert len(stages) == 5
    for number, stage in enumerate(stages, start=1):
        np.testing.assert_allclose(stage, expected[f"stage{number}"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(stages[-1].mean(-1), expected["embedding"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(model(x), expected["reconstruction"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("prefix", ["model.", ""])
def test_sizes_come_from_the_weights_with_and_without_the_prefix(
    tiny: HiMAE, tmp_path: Path, prefix: str
) -> None:
    path = tmp_path / "tiny.ckpt"
    torch.save(lightning(tiny, prefix), path)
    loaded = official.load(path)
    assert loaded.config == TINY
    x = torch.randn(1, 2, 100)
    assert torch.equal(loaded(x), tiny(x))


def test_bare_weights_need_rate_and_seconds(tiny: HiMAE, tmp_path: Path) -> None:
    path = tmp_path / "bare.pt"
    torch.save(tiny.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"does not say its rate .* give --rate"):
        official.load(path)
    assert official.load(path, rate=50.0, seconds=2.0).config == TINY


def test_options_win_over_the_checkpoint(tiny: HiMAE, tmp_path: Path) -> None:
    path = tmp_path / "tiny.ckpt"
    torch.save(lightning(tiny), path)
    config = official.load(path, rate=25.0, seconds=10.0).config
    assert (config.rate, config.samples) == (25.0, 250)


class Trap:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("dump", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_pickle_code_is_not_run(tmp_path: Path, dump) -> None:
    path, trace = tmp_path / "trap.ckpt", tmp_path / "ran"
    dump({"state_dict": {}, "x": Trap(trace)}, path)
    with pytest.raises(CheckpointError, match="pickle code"):
        official.load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("model.final_deconv.bias"), "lacks final_deconv.bias"),
        (lambda s: s.update({"model.head.weight": torch.ones(2)}), "foreign head.weight"),
        (lambda s: s["model.final_deconv.bias"].fill_(torch.nan), "NaN or infinity"),
        (
            lambda s: s.update({"model.final_deconv.bias": torch.ones(3)}),
            r"final_deconv.bias has shape \(3,\), not \(2,\)",
        ),
        (
            lambda s: s.update(
                {"model.encoder_layers.0.main_path.0.weight": torch.ones(4, 2, 7)}
            ),
            r"stage 1 has a convolution of shape \(4, 2, 7\)",
        ),
        (lambda s: s.clear(), "is not a HiMAE"),
        (lambda s: s.update({3: torch.ones(2)}), "no dictionary of weights by name"),
        (
            lambda s: s.update({"model.final_deconv.bias": torch.ones(2) * 1j}),
            "final_deconv.bias holds torch.complex64, not torch.float32",
        ),
    ],
)
def test_other_models_are_refused_by_what_is_wrong(
    tiny: HiMAE, tmp_path: Path, change, message: str
) -> None:
    content = lightning(tiny)
    change(content["state_dict"])
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        official.load(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([50, 2], "hyper_parameters is a list"),
        ("f_s=50", "hyper_parameters is a str"),
        ({"f_s": 1e200, "T": 1e300}, "has inf samples"),
        ({"f_s": 1e200, "T": 2}, r"has 2e\+200 samples"),
        ({"f_s": 10**400, "T": 2}, "rate is"),
        ({"f_s": 50, "T": 0.01}, "has 0.5 samples"),
    ],
)
def test_odd_settings_are_refused(
    tiny: HiMAE, tmp_path: Path, given: object, message: str
) -> None:
    path = tmp_path / "odd.ckpt"
    torch.save({**lightning(tiny), "hyper_parameters": given}, path)
    with pytest.raises(CheckpointError, match=message):
        official.load(path)


def test_a_legacy_checkpoint_cut_anywhere_is_refused(tiny: HiMAE, tmp_path: Path) -> None:
    path = tmp_path / "legacy.ckpt"
    torch.save(lightning(tiny), path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for length in [*range(1, 400), *range(400, len(whole), 997)]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            official.load(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"file\.ckpt"):
        official.load(path)


def test_a_truncated_checkpoint_and_a_missing_one_are_refused(
    tiny: HiMAE, tmp_path: Path
) -> None:
    path = tmp_path / "cut.ckpt"
    torch.save(lightning(tiny), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        official.load(path)
    with pytest.raises(CheckpointError, match="there is no file"):
        official.load(tmp_path / "nothing.ckpt")
