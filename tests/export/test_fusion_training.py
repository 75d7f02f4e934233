"""Training fusion by the commands: who is learned from, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_fusion

from onwrist.recording import Label
from onwrist_export import cli
from onwrist_export.fusion import store
from onwrist_export.fusion.config import load_fusion_config
from onwrist_export.packing import fusion_windows
from onwrist_export.windows.grids import Grid

SMALL = """
like = "body-fusion"
[window]
samples = 64
[encoder]
widths = [4, 8, 8]
[fusion]
width = 16
heads = 2
[encode]
steps = 2
batch = 8
[fuse]
steps = 2
batch = 8
"""
LEARNED = ["02", "03"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small configuration; recordings are simulated ones of held out and other people."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    configured = load_fusion_config(path)
    split = configured.split
    grids = []
    for number, subject in enumerate([*LEARNED, *split.test, *split.validation]):
        windows = fusion_windows.simulated(configured, 4, number)
        for values, observed in zip(windows.values, windows.observed, strict=True):
            labels = (
                Label("activity", 0.0, 3.2, "walking"),
                Label("fall", 0.0, 3.2, "no fall"),
            )
            grids.append(Grid(subject, 0.0, 20.0, values, observed, labels))
    monkeypatch.setattr(fusion_windows, "load_grids", lambda *_: grids)
    return path


def test_both_stages_learn_from_those_who_are_not_held_out(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    encoded, fused = tmp_path / "encoded.safetensors", tmp_path / "fused.safetensors"
    common = ["--config", str(config), "--seed", "3"]
    assert cli.main(["pretrain", "UMA", "-o", str(encoded), *common]) == 0
    assert "on 2 people, 8 windows, 2 steps" in capsys.readouterr().err
    given = ["--encoder", str(encoded), *common]
    assert cli.main(["train", "UMA", "-o", str(fused), *given]) == 0
    first, _, commands = store.load_encoded(encoded)
    merged, told, both = store.load(fused)
    assert told.seed == 3
    assert len(commands) == 1
    assert both[:1] == commands
    assert len(both) == 2
    adapted = merged.encoders.sensors[0].summary.linear.weight
    assert (first.encoders.sensors[0].summary.linear.weight == adapted).all()
    windows = fusion_windows.training(Path("UMA"), told)
    assert sorted(set(windows.subjects.tolist())) == LEARNED
    tested = fusion_windows.checking(Path("UMA"), told, 100, 0)
    assert set(tested.subjects.tolist()) == set(told.split.test)
    assert np.isfinite(tested.values).all()


def test_encoders_of_another_window_are_not_fused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    encoded, out = tmp_path / "encoded.safetensors", str(tmp_path / "never.safetensors")
    common = ["--config", str(config)]
    assert cli.main(["pretrain", "UMA", "-o", str(encoded), *common]) == 0
    config.write_text(SMALL.replace("widths = [4, 8, 8]", "widths = [4, 8, 4]"))
    assert cli.main(["train", "UMA", "--encoder", str(encoded), "-o", out, *common]) == 2
    assert "another [encoder] than --config says" in capsys.readouterr().err
    for options, words in (
        (["--from-scratch"], "needs the encoders of its sensors"),
        (["--encoder", str(encoded), "--step"], "no causal form"),
    ):
        assert cli.main(["train", "UMA", "-o", out, *options, *common]) == 2
        assert words in capsys.readouterr().err
    assert small_fusion.SHIPPED.fusion.kind == "hybrid"
    config.write_text(SMALL.replace("[fusion]", '[fusion]\nkind = "late"'))
    assert cli.main(["train", "UMA", "--encoder", str(encoded), "-o", out, *common]) == 2
    assert "nothing to train on top of its encoders" in capsys.readouterr().err
    assert not Path(out).exists()
