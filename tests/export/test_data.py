"""Recordings become labelled windows whose targets mean what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onwrist.readers import write_recording
from onwrist.recording import Label, Recording
from onwrist.simulate import simulate
from onwrist_export.config import DEFAULT, Config, load_config, parse_config
from onwrist_export.windows.damage import with_missing
from onwrist_export.windows.examples import Examples
from onwrist_export.windows.grids import cut_windows, load_grids, of_subjects, to_grid
from onwrist_runtime.baseline import Baseline
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal

STEP = "samples = 32\ncontext = 256\nsteps = 9000\n"


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config()


def steady(beat: float, seconds: float = 60.0) -> Recording:
    """A recording whose every beat takes `beat` seconds, at rest and then under stress."""
    t = np.arange(0, seconds, 1 / 64)
    beats = np.arange(0, seconds - beat, beat)
    labels = [Label("heart_rate", b, b + beat, 60 / beat) for b in beats]
    labels += [Label("stress", 0, 30, "rest"), Label("stress", 30, seconds, "stress")]
    ppg = Signal.regular(np.sin(2 * np.pi * t / beat).astype(np.float32), 64.0)
    return Recording("r", "S1", {"ppg": ppg}, tuple(labels))


def test_targets_follow_the_label_spans(config: Config) -> None:
    windows = cut_windows([to_grid(steady(0.75), config)], config, hop=64)
    known = windows.labelled("heart_rate")
    assert len(known) == len(windows)
    np.testing.assert_allclose(known.targets["heart_rate"], 80.0)
    stress = windows.targets["stress"]
    ends = windows.elapsed + 10.24
    np.testing.assert_array_equal(stress[ends <= 30], 0)
    np.testing.assert_array_equal(stress[windows.elapsed >= 30], 1)
    assert np.isnan(stress[(windows.elapsed < 30) & (ends > 30)]).all()


def test_windows_with_too_few_beats_have_no_rate(config: Config) -> None:
    full = steady(0.75)
    beats = [x for x in full.labels if x.task == "heart_rate"]
    few = Recording("r", "S1", full.signals, tuple(beats[:9]))  # 6.75 s, 7 are asked for
    enough = Recording("r", "S1", full.signals, tuple(beats[:10]))
    assert not len(cut_windows([to_grid(few, config)], config, 64).labelled("heart_rate"))
    assert len(cut_windows([to_grid(enough, config)], config, 64).labelled("heart_rate"))


def test_absent_channels_are_unobserved_and_zero(config: Config) -> None:
    grid = to_grid(steady(0.8), config)
    assert grid.observed[0].all()
    assert not grid.observed[1:].any()
    assert (grid.values[1:] == 0).all()


def test_an_unknown_class_or_subject_is_named(config: Config, tmp_path: Path) -> None:
    odd = Recording("r", "S1", steady(1.0).signals, (Label("stress", 0, 60, "angry"),))
    with pytest.raises(InputError, match="angry"):
        cut_windows([to_grid(odd, config)], config, 64)
    with pytest.raises(InputError, match="S99"):
        of_subjects([to_grid(steady(1.0), config)], ["S99"])
    write_recording(Recording("r", None, steady(1.0).signals), tmp_path)
    with pytest.raises(InputError, match="names no subject"):
        load_grids(tmp_path, config)


def test_a_rate_label_that_is_text_is_named(config: Config) -> None:
    odd = Recording("r", "S1", steady(1.0).signals, (Label("heart_rate", 0, 5, "fast"),))
    with pytest.raises(InputError, match="subject S1: label 'fast' of task 'heart_rate'"):
        cut_windows([to_grid(odd, config)], config, 64)


def test_channels_on_two_clocks_are_refused(config: Config) -> None:
    eda = Signal.regular(np.zeros(8, np.float32), 4.0, start=1.7e9)
    with pytest.raises(InputError, match=r"'r' spans .* one clock"):
        to_grid(Recording("r", "S1", {**steady(1.0).signals, "eda": eda}), config)


@pytest.mark.parametrize(
    ("recording", "says"),
    [
        (
            Recording("r", "S1", {"ppg": Signal.regular(np.ones(512, np.float32), 64.0)}),
            "as long as a window of 10.24 s; the longest has 8 s",
        ),
        (Recording("r", "S1", steady(1.0).signals), "no window to train on has a heart_rate"),
        (
            Recording("r", "S1", steady(1.0).signals, (Label("heart_rate", 0.0, 30.0, 60.0),)),
            "spans that fit inside a window of 10.24 s must cover 7 s",
        ),
    ],
)
def test_nothing_to_draw_is_said_in_words(
    config: Config, recording: Recording, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        Examples([to_grid(recording, config)], config, 8, config.task("heart_rate"), seed=0)


def test_nobody_to_train_on_is_said_in_words(config: Config) -> None:
    with pytest.raises(InputError, match="no recordings of people to train on"):
        Examples([], config, 8, None, seed=0)


def test_windows_know_the_running_baseline_of_what_ended_by_then(config: Config) -> None:
    grid = to_grid(simulate(seconds=90, seed=1), config)
    settings = config.baseline
    windows = cut_windows([grid], config, hop=50)
    assert (windows.baseline[-1, :, 2] == 1).all()
    for window in (0, 7, len(windows) - 1):
        running = Baseline(len(grid.values), grid.rate, settings.seconds, settings.samples)
        end = window * 50 + config.window.samples
        for start in range(0, end - settings.samples + 1, settings.samples):
            block = slice(start, start + settings.samples)
            running.update(grid.values[:, block], grid.observed[:, block])
        np.testing.assert_array_equal(windows.baseline[window], running.input[0])


def test_what_comes_later_does_not_change_a_baseline(config: Config) -> None:
    grid = to_grid(simulate(seconds=60, seed=1), config)
    end = 700
    later = np.where(np.arange(grid.samples) < end, grid.values, np.float32(9))
    whole, other = (
        cut_windows([replace(grid, values=v)], config, hop=64) for v in (grid.values, later)
    )
    before = whole.elapsed * grid.rate + config.window.samples <= end
    np.testing.assert_array_equal(whole.baseline[before], other.baseline[before])
    assert (whole.baseline[~before] != other.baseline[~before]).any()


def test_damage_leaves_some_absent_channels_without_a_baseline(config: Config) -> None:
    grid = to_grid(simulate(seconds=600, seed=1), config)
    windows = cut_windows([grid], config, hop=32)
    damaged = with_missing(windows, config, seed=0)
    known, was = damaged.baseline[..., 2] == 1, windows.baseline[..., 2] == 1
    absent = ~damaged.observed.any(axis=-1)
    assert known[was & ~absent].all()
    assert 0.2 < known[was & absent].mean() < 0.8
    assert (damaged.baseline[~known] == 0).all()
    np.testing.assert_array_equal(damaged.baseline[known], windows.baseline[known])


def test_a_model_without_baseline_gets_none(config: Config) -> None:
    plain = msgspec.structs.replace(config, baseline=None)
    windows = cut_windows([to_grid(steady(1.0), plain)], plain, 64)
    assert all(inputs.keys() == {"values", "observed"} for inputs in windows.feeds())
    assert with_missing(windows, plain, 0).baseline is None


def test_the_folder_format_trains_like_the_recording_itself(
    config: Config, tmp_path: Path
) -> None:
    recording = simulate(seconds=60, seed=3)
    named = Recording("a", "S1", recording.signals, recording.labels)
    write_recording(named, tmp_path)
    (grid,) = load_grids(tmp_path, config)
    direct = to_grid(named, config)
    np.testing.assert_array_equal(grid.values, direct.values)
    np.testing.assert_array_equal(grid.observed, direct.observed)
    assert grid.labels == direct.labels


def test_stretching_time_stretches_the_rate_along(config: Config) -> None:
    grid = to_grid(steady(0.75, seconds=120), config)
    examples = Examples([grid], config, 64, config.task("heart_rate"), seed=0)
    np.testing.assert_allclose(examples.target, 80.0 * examples.speed, rtol=0.01)
    values, observed, rate = next(iter(examples))
    assert values.shape == observed.shape == (64, 6, 256)
    assert (values[observed == 0] == 0).all()
    full = observed[:, 0].all(dim=1)
    assert 0.2 < full.float().mean() < 0.8
    spectrum = np.abs(np.fft.rfft(values[full, 0].numpy() * np.hanning(256), 4096))
    peak = np.fft.rfftfreq(4096, 1 / 25)[spectrum.argmax(axis=1)] * 60
    # a tenth of the windows has no pulse; a fifth is shaken, some harder than the pulse
    found = ~np.isnan(rate[full].numpy())
    assert found.any()
    right = np.abs(peak / rate[full].numpy() - 1)[found] < 0.03
    assert right.mean() > 0.7


def test_same_seed_same_batches(config: Config) -> None:
    grid = to_grid(steady(0.75), config)
    first, second = (
        next(iter(Examples([grid], config, 8, config.task("heart_rate"), seed=5)))
        for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("samples = 256\n", "missing required field"),
        ("seed = 7\n", "missing required field"),
        ('kind = "rate"', "Invalid enum value 'ratio'"),
    ],
)
def test_a_broken_configuration_says_what_is_wrong(
    change: str, says: str, tmp_path: Path
) -> None:
    broken = tmp_path / "c.toml"
    instead = 'kind = "ratio"' if "kind" in change else ""
    broken.write_text(DEFAULT.read_text().replace(change, instead))
    with pytest.raises(InputError, match=says):
        load_config(broken)
    with pytest.raises(InputError, match="cannot read"):
        load_config(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("said", "instead", "says"),
    [
        ('name = "wrist-himae"', 'name = "../wrist"', "the bundle's name is '../wrist'"),
        ("scale = 2.5", "scale = 0.0", "'eda': scale must be above 0"),
        ("minimum = 15.0", "minimum = 45.0", "minimum 45.0 is not below maximum 45.0"),
        ("rate = 25.0", "rate = 0.0", "rate must be above 0"),
        ("samples = 256", "samples = 0", "at least 1 sample"),
        ("samples = 256", "samples = 32", r"5 stages, .* needs at least 64 samples, not 32"),
        ("widths = [16, 32, 64, 128, 256]", "widths = []", "at least one stage"),
        ("widths = [16,", "widths = [0,", "width 1 must be above 0, not 0"),
        ("patch = 5", "patch = 0", "patch must be above 0"),
        ("steps = 5000", "steps = -3", "train: steps must be above 0, not -3"),
        ("batch = 128", "batch = 0", "train: batch must be above 0"),
        ("mask_ratio = 0.8", "mask_ratio = 1.0", "mask_ratio must be between 0 and 1"),
        ("lowest = 36.0", "lowest = 0.0", "lowest must be above 0 and below highest"),
        ("highest = 205.0", "highest = 30.0", "lowest must be above 0 and below highest"),
        ("tolerance = 5.0", "tolerance = nan", "tolerance must be above 0, not nan"),
        ("label_seconds = 7.0", "label_seconds = 30.0", "the window's 10.24 s, not 30.0"),
        ('["rest", "stress"]', '["rest", "stress", "fun"]', "two labels, not"),
        ('["rest", "stress"]', '["rest", "rest"]', "'rest' appears twice"),
        ('name = "acc_y"', 'name = "acc_x"', "'acc_x' appears twice"),
        ('name = "stress"', 'name = "heart_rate"', "'heart_rate' appears twice"),
        ("any_of = { ppg", "any_of = { ecg", "coverage is asked of 'ecg'"),
        ('"S14"', '"S12"', "S12 in both test and validation"),
        ('normalization = "fixed"\noffset = 32.0', 'normalization = "window"', "come before"),
        ("seconds = 600.0", "seconds = 0.0", "baseline: seconds must be above 0"),
        ("600.0\nsamples = 32", "600.0\nsamples = 512", "baseline: samples must be from 1"),
        (
            'kind = "class"\nlabels = ["rest", "stress"]',
            'kind = "rate"\nunit = "bpm"',
            "baseline: no class task",
        ),
        (
            STEP,
            STEP.replace("= 32", "= 16"),
            "step: samples must be a multiple of 32, .* not 16",
        ),
        (STEP, STEP.replace("= 32", "= 96"), "divide the window's 256, not 96"),
        (STEP, STEP.replace("= 32", "= 0"), "step: samples must be a multiple of 32"),
        (STEP, STEP.replace("= 32", "= 512"), "divide the window's 256, not 512"),
        (STEP, STEP.replace("= 256", "= 100"), "context must be a multiple of the step's 32"),
        (STEP, STEP.replace("= 256", "= -32"), "context must be a multiple .*, not -32"),
        (STEP, STEP.replace("= 9000", "= 0"), "step: steps must be above 0, not 0"),
        (
            "samples = 256",
            "samples = 544",
            "a window of 544 samples .* drift .* have 516 samples",
        ),
        (STEP, "", "missing required field"),
        ('padding = "same"', 'padding = "full"', "Invalid enum value 'full'"),
    ],
)
def test_a_configuration_that_cannot_be_trained_says_why(
    said: str, instead: str, says: str
) -> None:
    text = DEFAULT.read_text()
    assert said in text
    changed = text.replace(said, instead, 1)
    with pytest.raises(InputError, match=says):
        parse_config(changed)


def test_a_configuration_states_only_what_differs_from_one_that_ships() -> None:
    whole = load_config(DEFAULT)
    small = load_config(DEFAULT.with_name("wrist-himae-small.toml"))
    assert small.encoder.widths == (16, 32, 64, 128)
    assert small.encoder.activation == whole.encoder.activation  # of the same table
    assert (small.channels, small.split) == (whole.channels, whole.split)
    twice = parse_config('like = "wrist-himae-small"\nseed = 8')
    assert (twice.seed, twice.encoder) == (8, small.encoder)
    with pytest.raises(InputError, match="like = 'wrist': choose from body-fusion"):
        parse_config('like = "wrist"')
    with pytest.raises(InputError, match="colour"):
        parse_config('like = "wrist-himae"\ncolour = "red"')


def test_a_causal_encoder_needs_a_step() -> None:
    causal = DEFAULT.read_text().replace('padding = "same"', 'padding = "causal"')
    assert parse_config(causal).step_samples == 32
    with pytest.raises(InputError, match=r"causal padding needs a \[step\]"):
        parse_config(causal.replace(f"[step]\n{STEP}", ""))


def test_windows_of_a_causal_encoder_have_their_past(config: Config) -> None:
    """The same windows, with what came before them: nothing before a recording."""
    grid = to_grid(steady(0.75), config)
    plain, causal = (cut_windows([grid], c, config.hop) for c in (config, config.causal))
    assert config.context == 0
    assert causal.context == config.causal.context == config.step.context
    alone = causal.alone()
    np.testing.assert_array_equal(alone.values, plain.values)
    np.testing.assert_array_equal(alone.observed, plain.observed)
    np.testing.assert_array_equal(causal.coverage, plain.coverage)
    np.testing.assert_array_equal(causal.targets["heart_rate"], plain.targets["heart_rate"])
    assert not causal.observed[0, :, : causal.context].any()
    later = causal.context // config.hop
    np.testing.assert_array_equal(
        causal.values[later, :, : causal.context], grid.values[:, : causal.context]
    )


def test_a_configuration_without_steps_has_no_causal_form(config: Config) -> None:
    with pytest.raises(InputError, match=r"has no \[step\]: samples, context and steps"):
        _ = msgspec.structs.replace(config, step=None).causal
    assert config.causal.train.steps == config.step.steps
    assert config.causal.causal == config.causal


def test_a_configuration_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match=r"c\.toml is no text"):
        load_config(path)


def test_configuration_survives_json(config: Config) -> None:
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config
