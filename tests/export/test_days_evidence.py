"""The evidence of the day model does not cheat: gaps, folds, features, means, intervals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onwrist.readers.fitbit_grid import Person
from onwrist.readers.fitbit_grid import people as read_people

pytest.importorskip("sklearn")
sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.days import baselines, missingness, probe, statistics, tasks
from benchmarks.days.features import features, interpolated
from benchmarks.days.folds import folds
from benchmarks.days.scores import Scores
from benchmarks.days.tasks import DAY, HEART, Gap, Setting


def person(
    subject: str = "101", days: int = 8, heart_rate: str = "raw", seed: int = 0
) -> Person:
    """Days with activity, a heart rate that follows it, nights off the wrist and other gaps."""
    draw = np.random.default_rng([seed, int(subject)])
    count = days * DAY
    intensity = (draw.random(count) < 0.2) * draw.integers(1, 4, count)
    heart = 65 + 12 * intensity + draw.normal(0, 3, count)
    values = np.stack([30.0 * intensity, intensity, heart]).astype(np.float32)
    for day in range(days):
        values[:, day * DAY : day * DAY + 300] = np.nan
    for start in draw.integers(0, count - 40, 3 * days):
        values[HEART, start : start + 40] = np.nan
    if heart_rate in ("none", "withheld"):
        values[HEART] = np.nan
    return Person(subject, heart_rate, 0.0, values)  # type: ignore[arg-type]


def crowd() -> tuple[Person, ...]:
    """Three with raw heart rate, one derived, one withheld, two without."""
    kinds = "raw", "none", "raw", "derived", "withheld", "raw", "none"
    return tuple(person(str(100 + k), heart_rate=kind) for k, kind in enumerate(kinds))


ALL = [(task, size) for task in tasks.TASKS for size in tasks.SIZES[task]]


@pytest.mark.parametrize(("task", "size"), ALL)
def test_gaps_lie_where_the_truth_is_known_and_repeat(task: tasks.Task, size: int) -> None:
    someone = person()
    gaps = tasks.place(someone, task, size)
    assert gaps
    assert gaps == tasks.place(someone, task, size)
    for gap in gaps:
        seen = tasks.window(someone.values, gap.start)
        minutes, heart = tasks.truth(someone, gap)
        assert len(minutes)
        np.testing.assert_array_equal(seen[HEART, minutes], heart)
        if task == "sensor":
            assert gap.spans == ((0, DAY),)
            assert gap.start % DAY == 0
            continue
        observed = np.isfinite(seen).all(axis=0)
        if task == "random":
            patches = observed.reshape(-1, tasks.PATCH).any(axis=1)
            hidden = gap.hidden.reshape(-1, tasks.PATCH)
            assert (hidden.all(axis=1) == hidden.any(axis=1)).all()
            assert patches[hidden.all(axis=1)].all()
            assert hidden.all(axis=1).sum() == round(size / 100 * patches.sum())
        else:
            ((first, last),) = gap.spans
            assert last - first == size
            assert observed[first:last].mean() >= tasks.OBSERVED
            assert observed[first - 1]
            if task == "interpolation":
                assert observed[last]
            else:
                assert last == DAY


def test_gaps_of_one_setting_are_spread() -> None:
    for gaps in (tasks.place(person(), "interpolation", size) for size in (10, 60, 180)):
        starts = np.array([gap.start + gap.spans[0][0] for gap in gaps])
        length = gaps[0].spans[0][1] - gaps[0].spans[0][0]
        assert np.diff(starts).min() >= length // 2
        assert len(gaps) <= tasks.GAPS


def test_windows_begin_at_any_minute() -> None:
    starts = {gap.start % tasks.PATCH for gap in tasks.place(person(), "interpolation", 10)}
    assert len(starts) == tasks.PATCH


def test_only_raw_heart_rate_is_asked_for() -> None:
    everybody = crowd()
    raw = {p.subject for p in everybody if p.heart_rate == "raw"}
    for gaps in tasks.gaps_of(everybody).values():
        assert {gap.subject for gap in gaps} == raw


def test_nobody_in_a_test_set_is_in_its_training_and_everybody_is_tested_once() -> None:
    everybody = crowd()
    made = folds(everybody)
    assert len(made) == 3
    for fold in made:
        assert not set(fold.test) & set(fold.train)
        assert len(fold.test) + len(fold.train) == len(everybody)
        by_subject = {p.subject: p for p in everybody}
        assert by_subject[fold.judge].heart_rate == "raw"
        taught = baselines.taught(by_subject, fold)
        assert fold.judge not in taught
        assert {by_subject[s].heart_rate for s in taught} <= {"raw", "derived"}
    tested = [subject for fold in made for subject in fold.test]
    assert sorted(tested) == sorted(p.subject for p in everybody)


@given(st.sampled_from(ALL), st.booleans(), st.integers(0, 10_000))
def test_hidden_minutes_never_reach_a_feature_or_an_answer(
    which: tuple[tasks.Task, int], activity: bool, pick: int
) -> None:
    task, size = which
    someone = person(days=4)
    gaps = tasks.place(someone, task, size)
    gap = gaps[pick % len(gaps)]
    at, _ = tasks.truth(someone, gap)
    other = someone.values.copy()
    hidden = gap.start + np.flatnonzero(gap.hidden)
    draw = np.random.default_rng(pick)
    channels = [HEART] if activity else [0, 1, HEART]
    for channel in channels:
        known = hidden[np.isfinite(other[channel, hidden])]
        other[channel, known] = draw.uniform(0, 3, len(known))
    changed = Person(someone.subject, "raw", 0.0, other)

    before, after = (tasks.shown(p, gap, activity) for p in (someone, changed))
    np.testing.assert_array_equal(before, after)
    assert np.isnan(before[channels][:, gap.hidden]).all()
    for one, two in zip(
        features(before, gap.start, at), features(after, gap.start, at), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    assert np.isfinite(features(before, gap.start, at)[0]).all()
    first, second = baselines.simple(someone, gap), baselines.simple(changed, gap)
    assert first.keys() == second.keys()
    for name, answer in first.items():
        np.testing.assert_array_equal(answer, second[name])


def test_known_activity_does_reach_the_features() -> None:
    someone = person()
    gap = tasks.place(someone, "interpolation", 60)[0]
    at, _ = tasks.truth(someone, gap)
    x = {a: features(tasks.shown(someone, gap, a), gap.start, at)[0] for a in (True, False)}
    assert not np.allclose(x[True], x[False])


def test_means_of_a_person_leave_out_every_day_of_the_gap() -> None:
    values = np.full((3, 4 * DAY), 1.0, np.float32)
    values[HEART] = np.repeat([60, 90, 120, 70], DAY)
    someone = Person("7", "raw", 0.0, values)
    evening = Gap("7", DAY - 600, ((540, 660),))  # from one hour before midnight to one after
    answers = baselines.simple(someone, evening)
    assert answers["person's mean"] == pytest.approx(np.full(120, 95.0))
    assert answers["person's mean by hour"] == pytest.approx(np.full(120, 95.0))
    one_day = Gap("7", 2 * DAY, ((100, 130),))
    assert baselines.simple(someone, one_day)["person's mean"] == pytest.approx(
        np.full(30, (60 + 90 + 70) / 3)
    )


def test_line_is_straight_between_neighbours_and_holds_at_the_end() -> None:
    heart = np.full(DAY, np.nan, np.float32)
    heart[100:105], heart[115:120] = 60, 80
    line = interpolated(heart, 1)
    assert line[104:116] == pytest.approx(60 + 20 * np.arange(12) / 11)
    assert line[0] == 60
    assert line[-1] == 80
    heart[100:105] = 50, 50, 50, 50, 100  # an anchor of 5 minutes is not led astray by one
    assert interpolated(heart, 5)[105] == pytest.approx(60 + 20 / 11)
    assert interpolated(heart, 1)[105] == pytest.approx(100 - 20 / 11)


def test_baselines_learn_from_the_training_people_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everybody = {p.subject: p for p in crowd()}
    made = folds(list(everybody.values()))
    monkeypatch.setattr(baselines, "TRAINING_MINUTES", 300)
    setting = Setting("interpolation", 30, activity=True)
    asked: list[set[str]] = []
    original = baselines.fit

    def watched(tables: dict[str, baselines.Table | None]) -> baselines.Fitted:
        asked.append(set(tables))
        return original(tables)

    monkeypatch.setattr(baselines, "fit", watched)
    gaps = [g for p in everybody.values() for g in tasks.place(p, "interpolation", 30, 5)]
    gaps = [g for g in gaps if everybody[g.subject].heart_rate == "raw"]
    found = baselines.errors(everybody, made, setting, gaps)
    assert all(np.isfinite(each).all() for each in found.values())
    assert len(asked) == len(made)
    for fold, taught in zip(made, asked, strict=True):
        assert taught
        assert not taught & set(fold.test)


def scores(errors: dict[str, dict[str, list[float]]]) -> Scores:
    """By contestant and person; the gaps of a person lie on four days in turn."""
    first = next(iter(errors.values()))
    gaps = tuple(
        Gap(subject, k % 4 * DAY, ((0, 10),))
        for subject, values in first.items()
        for k in range(len(values))
    )
    return Scores(
        Setting("interpolation", 10, activity=True),
        gaps,
        np.full(len(gaps), 10),
        {name: np.concatenate(list(by.values())) for name, by in errors.items()},
    )


def test_statistics_of_a_table_made_by_hand() -> None:
    model = {"1": [2.0] * 12, "2": [4.0] * 24, "3": [6.0] * 12, "4": [9.0] * 3}
    other = {"1": [3.0] * 12, "2": [3.0] * 24, "3": [9.0] * 12, "4": [0.0] * 3}
    each = scores({"model": model, "other": other})
    found = statistics.estimate(
        statistics.sample_of(each, each.errors["model"]), ["1", "2", "3", "4"]
    )
    assert found.by_person == {"1": 2.0, "2": 4.0, "3": 6.0, "4": None}  # 3 gaps: not enough
    assert (found.people, found.days, found.things) == (3, 12, 48)
    assert found.mean == pytest.approx(4.0)
    assert found.pooled == pytest.approx((12 * 2 + 24 * 4 + 12 * 6) / 48)
    assert found.low is not None
    assert found.high is not None
    assert 2.0 <= found.low < 4.0 < found.high <= 6.0
    paired = statistics.difference(each, "model", "other", ["1", "2", "3", "4"])
    assert paired is not None
    assert paired.estimate.mean == pytest.approx((-1 + 1 - 3) / 3)
    assert paired.better == 2
    assert paired.estimate.low == pytest.approx(-3.0)
    assert paired.estimate.high == pytest.approx(1.0)


def test_interval_is_of_people_not_of_gaps() -> None:
    """A thousand gaps of three people who differ do not make a narrow interval."""
    by = {str(k): [float(k)] * 400 for k in (1, 5, 9)}
    each = scores({"model": by})
    found = statistics.estimate(statistics.sample_of(each, each.errors["model"]), list(by))
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 4


def test_too_few_people_give_no_mean() -> None:
    each = scores({"model": {"1": [1.0] * 12, "2": [2.0] * 12, "3": [3.0] * 2}})
    found = statistics.estimate(
        statistics.sample_of(each, each.errors["model"]), ["1", "2", "3"]
    )
    assert found.mean is None
    assert found.by_person == {"1": 1.0, "2": 2.0, "3": None}


def test_of_two_lines_the_better_one_competes() -> None:
    plain, anchored = {"1": [4.0] * 12}, {"1": [3.0] * 12}
    each = scores({"linear, plain": plain, "linear, anchored": anchored})
    fair = statistics.with_better_line(each)
    assert fair.errors.keys() == {"linear"}
    assert (fair.errors["linear"] == 3.0).all()


def test_removals_take_what_they_say_and_nothing_else() -> None:
    values = np.zeros((3, DAY), np.float32)
    start = 250  # the window begins at 04:10
    clock = (start + np.arange(DAY)) % DAY
    assert len(missingness.removals()) == 12
    for removal in missingness.removals():
        gone = np.isnan(missingness.remove(values, start, "9", removal))
        may = np.zeros((3, DAY), bool)
        if removal.what in missingness.SENSORS:
            may[missingness.SENSORS[removal.what]] = True
        else:
            may[:, clock // 360 == missingness.QUARTERS[removal.what]] = True
        assert not (gone & ~may).any()
        share = gone.sum() / may.sum()
        assert share == 1 if removal.strength == "all" else 0.2 < share < 0.8
        np.testing.assert_array_equal(
            gone, np.isnan(missingness.remove(values, start, "9", removal))
        )


def test_probe_asks_only_for_hours_that_are_known_and_does_not_show_them() -> None:
    someone = person()
    asked = probe.hours_of(someone)
    assert asked
    for hour in asked:
        following = someone.values[tasks.INTENSITY, hour.start + DAY : hour.start + DAY + 60]
        assert np.isfinite(following).all()
        assert hour.active == (following > 0).sum()
    values = someone.values.copy()
    last = asked[-1]
    values[:, last.start + DAY :] = 3
    changed = Person(someone.subject, "raw", 0.0, values)
    np.testing.assert_array_equal(
        probe.windows(someone, [last]), probe.windows(changed, [last])
    )


def test_of_the_real_people_five_or_six_carry_every_gap_setting(shared_data: Path) -> None:
    everybody = read_people(shared_data / "fitbit_furberg2016")
    made = folds(everybody)
    assert len(made) == 6
    kinds = {p.subject: p.heart_rate for p in everybody}
    for (task, size), gaps in tasks.gaps_of(everybody).items():
        assert {kinds[gap.subject] for gap in gaps} == {"raw"}
        solid = [f for f in made if tasks.enough([g for g in gaps if g.subject == f.judge])]
        assert len(solid) == (6 if task.endswith("polation") and size <= 30 else 5)
