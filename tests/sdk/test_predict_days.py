"""Predictions of days: what is said of each, and what its figure tells apart."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from onwrist import plot_days
from onwrist.commands import days as commands
from onwrist.days import Day, days_of
from onwrist.recording import Recording
from onwrist.simulate import days as simulate_days
from onwrist.simulate_days import START
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Group, Manifest, Task, Tokens
from onwrist_runtime.prediction import Imputed, ModelIdentity, Prediction, TaskResult

CHANNELS = ("steps", "intensity", "heart_rate")


@pytest.fixture(scope="session")
def manifest(toy_manifest: Manifest) -> Manifest:
    """A bundle of days: what its graphs are does not matter here."""
    like = toy_manifest.channels[0]
    channels = tuple(
        msgspec.structs.replace(
            like, name=name, sensor=name, rate=1 / 60, unit=unit, aggregation=how
        )
        for name, unit, how in zip(
            CHANNELS, ("", "", "bpm"), ("sum", "mean", "mean"), strict=True
        )
    )
    groups = (
        Group(name="activity", channels=("steps", "intensity"), least=1),
        Group(name="heart", channels=("heart_rate",), least=1),
    )
    tokens = Tokens(
        patch=20, groups=groups, width=64, sizes=(36, 72, 108, 144), interpolated="heart_rate"
    )
    task = Task(
        name="active_minutes",
        kind="regression",
        unit="min",
        required={},
        minimum_confidence=0.5,
    )
    return msgspec.structs.replace(
        toy_manifest, name="toy-day", rate=1 / 60, samples=1440, channels=channels,
        tokens=tokens, tasks=(task,),
    )  # fmt: skip


def predictions(recording: Recording, count: int) -> list[Prediction]:
    """What a model would say that puts 60 bpm and 5 steps into every gap."""
    made = []
    for day in range(count):
        start = START + 86_400 * day
        values = np.zeros((3, 1440), np.float32)
        observed = np.zeros((3, 1440), np.bool_)
        for row, (name, guess) in enumerate(zip(CHANNELS, (5, 0, 60), strict=True)):
            signal = recording.signals[name]
            minute = ((signal.times - start) // 60).astype(int)
            inside = (minute >= 0) & (minute < 1440)
            observed[row, minute[inside]] = True
            values[row] = guess
            values[row, minute[inside]] = signal.values[inside]
        task = TaskResult(12.0, "min", None, None, 0.7, False, None)
        coverage = dict(zip(CHANNELS, observed.mean(axis=1).tolist(), strict=True))
        made.append(
            Prediction(
                {"active_minutes": task},
                coverage,
                np.zeros(6, np.float32),
                start,
                start + 86_400,
                ModelIdentity("toy-day", "1.0", "0"),
                imputed=Imputed(values, observed),
            )
        )
    return made


@pytest.fixture
def week(manifest: Manifest) -> list[Day]:
    return days_of(predictions(simulate_days(7, 1), 7), manifest)


def test_a_day_says_what_was_imputed(week: list[Day], manifest: Manifest) -> None:
    heart_rate = simulate_days(7, 1).signals["heart_rate"]
    for number, day in enumerate(week):
        inside = (heart_rate.times >= START + 86_400 * number) & (
            heart_rate.times < START + 86_400 * (number + 1)
        )
        real = heart_rate.values[inside]
        assert day.imputed["heart_rate"] == 1440 - len(real)
        assert day.observed_mean == pytest.approx(real.mean(), rel=1e-5)
        both = (real.sum() + 60 * day.imputed["heart_rate"]) / 1440
        assert day.imputed_mean == pytest.approx(both, rel=1e-5)
        said = commands.as_json(day, manifest)
        assert said["date"] == f"2023-11-{15 + number}"
        assert said["means"]["heart_rate"]["with_imputed"] == day.imputed_mean
        assert said["imputed"]["heart_rate"] == day.imputed["heart_rate"]


def test_a_day_of_nothing_has_no_mean(manifest: Manifest) -> None:
    (known,) = predictions(simulate_days(1), 1)
    abstained = TaskResult(None, "min", None, None, None, True, "no samples")
    nothing = Prediction(
        {"active_minutes": abstained}, dict.fromkeys(CHANNELS, 0.0), None, known.start,
        known.end, known.model,
    )  # fmt: skip
    (day,) = days_of([nothing], manifest)
    assert day.observed_mean is day.imputed_mean is None
    assert commands.as_json(day, manifest)["means"]["heart_rate"]["observed"] is None


def test_one_line_a_day(
    week: list[Day], manifest: Manifest, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    commands.print_days(week, manifest)
    rows = [x for x in capsys.readouterr().out.splitlines() if "2023-11" in x]
    assert len(rows) == 7
    assert "12.0" in rows[0]
    assert "70 %" in rows[0]
    assert f"{week[0].imputed_mean:.1f}" in rows[0]
    commands.write_csv(tmp_path / "out.csv", week, manifest)
    header, *lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 7
    cells = dict(zip(header.split(","), lines[2].split(","), strict=True))
    assert cells["date"] == "2023-11-17"
    assert cells["active_minutes_value"] == "12.0"
    assert int(cells["imputed_heart_rate"]) == week[2].imputed["heart_rate"]


def test_a_day_is_chosen_by_its_date(week: list[Day]) -> None:
    assert commands.chosen(week, None) == week
    assert [day.date for day in commands.chosen(week, "2023-11-18")] == ["2023-11-18"]
    with pytest.raises(InputError, match=r"no day 2016-04-20 .* 2023-11-15 to 2023-11-21"):
        commands.chosen(week, "2016-04-20")


def test_the_figure_tells_observed_from_imputed_also_in_grey(
    week: list[Day], manifest: Manifest, tmp_path: Path
) -> None:
    image = pytest.importorskip("matplotlib.image")
    pytest.importorskip("matplotlib.pyplot")
    plot_days.save(tmp_path / "week.png", "anna", week, manifest)
    plot_days.save(tmp_path / "day.png", "anna", week[:1], manifest, alone=True)
    assert image.imread(tmp_path / "week.png").shape[0] > 1000
    drawn = image.imread(tmp_path / "day.png")[..., :3]
    from matplotlib.colors import to_rgb

    grey = np.array([0.299, 0.587, 0.114])
    lightness = []
    for colour in (plot_days._OBSERVED, plot_days._IMPUTED):
        near = np.abs(drawn - to_rgb(colour)).max(axis=2) < 0.02
        assert near.sum() > 500, colour
        lightness.append(float(np.array(to_rgb(colour)) @ grey))
    assert abs(lightness[0] - lightness[1]) > 0.3


def test_a_figure_has_room_for_so_many_days(
    week: list[Day], manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="choose one with --day"):
        plot_days.save(tmp_path / "many.png", "anna", week * 6, manifest)
    assert not list(tmp_path.iterdir())
