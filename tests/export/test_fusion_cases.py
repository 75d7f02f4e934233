"""Windows of several sensors: which are there, what is taken away, and what training draws."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist.recording import Label
from onwrist_export.fusion import cases, folds
from onwrist_export.fusion.baseline import Trees
from onwrist_export.fusion.config import FusionConfig, is_fusion_config, load_fusion_config
from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets
from onwrist_export.windows.grids import Grid
from onwrist_runtime.errors import InputError

SHIPPED = Path(folds.__file__).parents[1] / "body-fusion.toml"
LABELS = ("clapping", "walking", "lateral fall")


def small() -> FusionConfig:
    """The shipped configuration with a network and budgets that are quick."""
    config = load_fusion_config()
    short = {"steps": 2, "batch": 4}
    return msgspec.structs.replace(
        config,
        window=msgspec.structs.replace(config.window, samples=64),
        encoder=msgspec.structs.replace(config.encoder, widths=(4, 6, 8)),
        fusion=msgspec.structs.replace(config.fusion, width=8, heads=2),
        encode=msgspec.structs.replace(config.encode, **short),
        fuse=msgspec.structs.replace(config.fuse, **short),
    )


CONFIG = small()


def grid(subject: str, label: str, seed: int, gone: tuple[int, ...] = ()) -> Grid:
    """A trial of 80 grid points, in which what moves how much tells the label."""
    rng = np.random.default_rng(seed)
    channels = len(CONFIG.channels)
    values = rng.standard_normal((channels, 80)) * (1 + LABELS.index(label))
    observed = np.ones((channels, 80), bool)
    for sensor in gone:
        observed[CONFIG.rows[sensor]] = False
    fall = "fall" if label.endswith("fall") else "no fall"
    return Grid(
        subject,
        0.0,
        20.0,
        np.where(observed, values, 0).astype(np.float32),
        observed,
        (Label("activity", 0.0, 4.0, label), Label("fall", 0.0, 4.0, fall)),
    )


def trials() -> list[Grid]:
    return [
        grid(subject, label, 10 * k + j, gone=(2,) if (k, j) == (1, 0) else ())
        for k, subject in enumerate(("01", "02", "03"))
        for j, label in enumerate(LABELS)
    ]


@pytest.fixture
def recorded(monkeypatch):
    """Trials in place of recordings on disk."""
    grids = trials()
    names = [f"{g.subject}_{k}" for k, g in enumerate(grids)]
    monkeypatch.setattr(folds, "load", lambda path, config: (grids, names))
    return grids


def test_coverage_of_a_sensor_is_the_mean_over_its_channels():
    windows = cases.labelled(trials()[:1], CONFIG, hop=8)
    observed = windows.observed.copy()
    observed[:, 0, :32] = False  # half of one of the six channels of the wrist
    found = cases.coverage(observed, CONFIG.rows)
    assert found[0].tolist() == pytest.approx([1 - 0.5 / 6, 1, 1, 1])


def test_a_trial_gives_one_window_in_its_middle():
    windows, places = cases.middle(trials(), CONFIG)
    assert places == list(range(9))
    assert windows.elapsed.tolist() == [0.0] * 9
    assert np.array_equal(windows.values[0], trials()[0].values[:, 8:72])


def test_only_the_sensors_that_are_given_are_left():
    windows, _ = cases.middle(trials(), CONFIG)
    for subset in subsets(CONFIG.names):
        which = np.array([name in subset for name in CONFIG.names])
        left = cases.live(cases.given(windows, which, CONFIG), CONFIG)
        assert np.array_equal(left, cases.live(windows, CONFIG) & which)


@settings(max_examples=20, deadline=None)
@given(share=st.sampled_from([0.25, 0.5, 0.75]))
def test_a_share_of_every_sensor_goes_in_spans(share):
    windows, _ = cases.middle(trials(), CONFIG)
    left = cases.coverage(
        cases.with_spans_missing(windows, share, CONFIG).observed, CONFIG.rows
    )
    there = cases.live(windows, CONFIG)
    assert np.allclose(left[there], 1 - share, atol=1 / 64)


def test_what_is_drawn_is_labelled_and_finite():
    windows = cases.drawable(trials(), CONFIG)
    values, observed, live, targets = next(iter(cases.Draws(windows, CONFIG, 64, 0, False)))
    assert values.isfinite().all()
    assert not values[observed == 0].any()
    assert live.any(dim=1).all()
    assert set(targets[:, 0].tolist()) == {CONFIG.classes[0].labels.index(x) for x in LABELS}
    falls = [CONFIG.classes[0].labels[k].endswith("fall") for k in targets[:, 0]]
    assert targets[:, 1].bool().tolist() == falls


def test_zero_filling_says_that_absent_sensors_were_observed():
    windows = cases.drawable([grid("01", "walking", 0, gone=(2,))], CONFIG)
    values, observed, live, _ = next(iter(cases.Draws(windows, CONFIG, 8, 0, True)))
    assert live.all()
    assert observed[:, CONFIG.rows[2]].all()
    assert not values[:, CONFIG.rows[2]].any()


def test_windows_without_labels_are_refused():
    unlabelled = [Grid(g.subject, g.start, g.rate, g.values, g.observed, ()) for g in trials()]
    with pytest.raises(InputError, match="no window of 64 samples is labelled for activity"):
        cases.labelled(unlabelled, CONFIG, hop=8)


def test_the_trees_answer_without_a_sensor(recorded):
    windows = cases.drawable(recorded, CONFIG)
    trees = Trees(windows, CONFIG)
    given_one = cases.given(windows, np.array([True, False, False, False]), CONFIG)
    logits = trees.ask(given_one)
    assert np.isfinite(logits).all()
    assert np.allclose(np.exp(logits[:, :15]).sum(axis=1), 1)


@pytest.mark.slow
def test_every_person_is_judged_by_models_that_never_saw_them(recorded, tmp_path, monkeypatch):
    seen: list[set[str]] = []
    train = folds.methods.trained

    def watched(learned, config, say):
        seen.append(set(learned.subjects))
        return train(learned, config, say)

    monkeypatch.setattr(folds.methods, "trained", watched)
    found = folds.cross_validate(Path("trials"), CONFIG, tmp_path, print)
    assert seen == [{"02", "03"}, {"01", "03"}, {"01", "02"}]
    assert found.cases.tolist() == [f"{g.subject}_{k}" for k, g in enumerate(recorded)]
    conditions = [AS_RECORDED, *PARTIAL, *map(named, subsets(CONFIG.names))]
    for method, asked in found.logits.items():
        assert sorted(asked) == sorted(conditions), method
        for condition, tasks in asked.items():
            told = np.isfinite(tasks["activity"]).all(axis=1)
            wanted = np.ones(9, bool)
            if "waist" in condition:
                wanted[3] = False  # it has none
            assert np.array_equal(told, wanted), (method, condition)
    shares = found.weights["hybrid"][0]
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    # A second run takes what is there.
    seen.clear()
    again = folds.cross_validate(Path("trials"), CONFIG, tmp_path, print)
    assert not seen
    late, uncertain = (
        again.logits[m]["wrist"]["activity"] for m in (folds.LATE, folds.UNCERTAIN)
    )
    assert np.array_equal(late.argmax(axis=1), uncertain.argmax(axis=1))  # one sensor alone


@pytest.mark.slow
def test_a_random_split_judges_every_window(recorded, tmp_path):
    found = folds.leak(Path("trials"), CONFIG, tmp_path, print)
    assert isinstance(found, Evidence)
    assert sorted(set(found.subjects)) == ["01", "02", "03"]
    assert set(found.logits) == {folds.LATE, folds.RESTORED}


def test_a_persons_own_labels_do_not_set_their_temperature():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((30, 3)).astype(np.float32)
    subjects = np.repeat(["a", "b", "c"], 10)
    truth = rng.integers(0, 3, 30)

    def probabilities(labels):
        joined = Evidence(
            ("x", "y"),
            {"t": ("1", "2", "3")},
            subjects,
            subjects,
            np.ones((30, 2), bool),
            {"t": labels},
            {},
            {},
        )
        return folds._calibrated(logits, logits, joined, "t")

    other = truth.copy()
    other[:10] = (truth[:10] + 1) % 3
    first, second = probabilities(truth), probabilities(other)
    assert np.array_equal(first[:10], second[:10])
    assert not np.array_equal(first[10:], second[10:])


def test_the_shipped_configurations_can_be_read():
    assert is_fusion_config(SHIPPED)
    pamap2 = load_fusion_config(SHIPPED.with_name("body-fusion-pamap2.toml"))
    assert pamap2.names == ("wrist", "chest", "ankle", "heart_rate")
    assert len(pamap2.channels) == 19
    assert not is_fusion_config(SHIPPED.with_name("wrist-himae.toml"))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("least = 0.2", "least = 1.2", "fusion: least must be from 0 to 1, not 1.2"),
        ("samples = 256", "samples = 200", "samples must be a multiple of 32"),
        ("heads = 4", "heads = 5", "5 heads do not divide the width 64"),
        ('name = "chest"', 'name = "wrist"', "'wrist_acc_x' appears twice"),
        ('labels = ["no fall", "fall"]', 'labels = ["fall"]', "'fall' needs two labels"),
        ('kind = "hybrid"', 'kind = "best"', "Invalid enum value 'best'"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(tmp_path, before, after, message):
    text = SHIPPED.read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_fusion_config(path)
