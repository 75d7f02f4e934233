"""Wrong options of `onwrist-export` are refused at once, in words, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from onwrist_export.cli import main


@pytest.mark.parametrize(
    "option", [["--threads", "0"], ["--steps", "-3"], ["--steps", "0"], ["--seed", "-1"]]
)
def test_numbers_that_cannot_be_are_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["pretrain", "recordings", "-o", "out.safetensors", *option])
    assert caught.value.code == 2
    assert f"{option[0]}: {option[1]} is " in capsys.readouterr().err


def test_a_probe_is_not_tuned_for_fewer_than_no_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["probe", "c.safetensors", "recordings", "-o", "out", "--tuning-steps", "-1"])
    assert caught.value.code == 2
    assert "-1 is below 0" in capsys.readouterr().err


def test_notes_that_are_no_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_bytes(b"\xff\x00")
    made = tmp_path / "out.onwrist"
    assert main(["pack", str(tmp_path), "-o", str(made), "--notes", str(notes)]) == 2
    assert "notes.md is no text" in capsys.readouterr().err
    assert not made.exists()
