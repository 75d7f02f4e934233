"""Training on minutes of simulated people: it learns, repeats, and survives its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export.config import Config, load_config
from onwrist_export.judging import probe, tables
from onwrist_export.judging.evaluate import class_table, graph_predictor, rate_table
from onwrist_export.learning import calibrate, classify, store
from onwrist_export.learning.calibrate import Evidence
from onwrist_export.learning.loops import pretrain
from onwrist_export.learning.train import Trained, train, train_heads
from onwrist_export.model.heads import RateHead
from onwrist_export.model.himae import HiMAE
from onwrist_export.windows.grids import Grid, cut_windows, to_grid
from onwrist_runtime.errors import CheckpointError, InputError

PEOPLE = ("P1", "P2", "P3", "P4", "P5", "P6")


@pytest.fixture(scope="module")
def config() -> Config:
    """The shipped configuration, small: a few seconds of training on six people."""
    replace = msgspec.structs.replace
    shipped = load_config()
    return replace(
        shipped,
        encoder=replace(shipped.encoder, widths=(8, 16)),
        split=replace(shipped.split, test=("P5", "P6"), validation=("P4",)),
        pretrain=replace(shipped.pretrain, steps=30, batch=32),
        train=replace(shipped.train, steps=250, batch=64, learning_rate=5e-3),
        classify=replace(shipped.classify, steps=60),
    )


@pytest.fixture(scope="module")
def grids(config: Config) -> list[Grid]:
    made = []
    for seed, name in enumerate(PEOPLE):
        found = simulate(seconds=240, seed=seed)
        made.append(to_grid(Recording(name, name, found.signals, found.labels), config))
    return made


@pytest.fixture(scope="module")
def trained(config: Config, grids: list[Grid]) -> Trained:
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    return train(HiMAE(config.himae), grids, config, say=lambda _: None)


def test_pretraining_learns_to_reconstruct(config: Config, grids: list[Grid]) -> None:
    _, losses = pretrain(grids[:3], config)
    assert len(losses) == config.pretrain.steps
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_same_seed_same_course(config: Config, grids: list[Grid]) -> None:
    replace = msgspec.structs.replace
    short = replace(config, pretrain=replace(config.pretrain, steps=5))
    (first, course), (second, again) = (pretrain(grids[:2], short) for _ in range(2))
    _, other = pretrain(grids[:2], replace(short, seed=short.seed + 1))
    # the last bits depend on where in memory a batch lies, and no more than they may
    assert course == pytest.approx(again, rel=1e-4)
    assert course != pytest.approx(other, rel=1e-2)
    weights = second.state_dict()
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=2e-3, rtol=1e-2)


def test_training_beats_a_constant_and_abstains_without_ppg(
    config: Config, grids: list[Grid], trained: Trained
) -> None:
    windows = cut_windows(grids[4:], config, 64)
    table = rate_table(
        {"onwrist": graph_predictor(trained.graph)},
        windows,
        config.task("heart_rate"),
        trained.rules["heart_rate"],
        trained.constants["heart_rate"],
        config.window.rate,
        shares=(0.0, 1.0),
    )
    found = {(row.missing, row.method): row for row in table}
    model, constant = found[0.0, "onwrist"], found[0.0, "mean of training"]
    assert model.every.pooled < 0.7 * constant.every.pooled
    assert model.every.by_subject.keys() == {"P5", "P6"}
    assert found[1.0, "onwrist"].abstained == 1.0
    assert "abstained" in tables.rates(table, "bpm")


def test_a_trained_checkpoint_gives_the_same_outputs_after_reading(
    config: Config, grids: list[Grid], trained: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "t.safetensors"
    store.save_trained(path, trained, ["onwrist-export train"])
    again, commands = store.load_trained(path)
    assert (again.config, again.rules) == (config, trained.rules)
    assert commands == ["onwrist-export train"]
    windows = cut_windows(grids[4:5], config, 256)
    before, after = (graph_predictor(t.graph)(windows) for t in (trained, again))
    assert before.keys() == {"embedding", "heart_rate", "stress"}
    for name, out in before.items():
        np.testing.assert_array_equal(out, after[name])


def test_heads_trained_alone_leave_the_rest_as_it_was(
    config: Config, grids: list[Grid], trained: Trained
) -> None:
    plain = msgspec.structs.replace(config, baseline=None)
    made = train_heads(trained, grids, plain, say=lambda _: None)
    assert (made.rules, made.constants) == (trained.rules, trained.constants)
    before = graph_predictor(trained.graph)(cut_windows(grids[4:5], config, 256))
    after = graph_predictor(made.graph)(cut_windows(grids[4:5], plain, 256))
    for name in ("embedding", "heart_rate"):
        np.testing.assert_array_equal(after[name], before[name])
    assert (after["stress"] != before["stress"]).any()
    assert after["stress"].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_checkpoints_of_another_kind_or_damaged_are_refused(
    trained: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "t.safetensors"
    store.save_trained(path, trained, ["c"])
    with pytest.raises(CheckpointError, match="'trained' checkpoint"):
        store.load_pretrained(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert store.kind(path) is None
    with pytest.raises(CheckpointError, match="cannot read"):
        store.load_trained(path)
    with pytest.raises(CheckpointError, match="cannot read"):
        store.load_trained(tmp_path / "absent.safetensors")


def test_class_table_judges_every_labelled_person_once(
    config: Config, grids: list[Grid], trained: Trained
) -> None:
    windows = cut_windows(grids, config, 64)
    rows = class_table(trained.graph, windows, config, config.task("stress"))
    assert {row.method for row in rows} == {
        "onwrist, running baseline",
        "onwrist, one window",
        "logistic regression, running baseline",
        "logistic regression, one window",
        "time only",
    }
    assert all(row.whole.windows == len(windows.labelled("stress")) for row in rows)
    assert all(0 <= row.whole.mean <= 1 for row in rows)
    judged = {row.method: row.whole.by_subject for row in rows}
    assert judged["onwrist, running baseline"] != judged["onwrist, one window"]


def test_contexts_of_absent_channels_are_zero(
    config: Config, grids: list[Grid], trained: Trained
) -> None:
    windows = cut_windows(grids[:1], config, 256)
    kept = np.ones(windows.values.shape, bool)
    kept[:, 1:] = False
    alone = windows.without(kept).without_baseline()
    context = classify.contexts(trained.graph, alone)
    fixed, every = len(config.channels) - 1, len(config.channels)
    ppg = [fixed, 2 * fixed + every, 2 * fixed + 2 * every]  # slope, deviation and jerk
    rate = [context.shape[1] - 2, context.shape[1] - 1]
    gone = [k for k in range(context.shape[1]) if k not in (*ppg, *rate)]
    assert (context[:, gone] == 0).all()
    assert (context[:, ppg] != 0).any(dim=0).all()


def test_probe_covers_every_stage_task_and_number_of_people(
    config: Config, grids: list[Grid], trained: Trained
) -> None:
    encoders = {"tuned": trained.graph.encoder, "random": probe.random_encoder(grids, config)}
    rows = probe.probe(encoders, grids, config)
    assert {(r.encoder, r.task, r.stage, r.people) for r in rows} == {
        (encoder, task, stage, people)
        for encoder in encoders
        for task in ("heart_rate", "stress")
        for stage in (1, 2)
        for people in (3, 1)
    }
    assert "stage 2" in tables.probes(rows, config)


def test_few_people_are_drawn_from_training_subjects_only(
    config: Config, grids: list[Grid]
) -> None:
    for people, _, subjects in probe.draws(grids, config):
        assert len(subjects) == people
        assert not {"P4", "P5", "P6"} & set(subjects)


def test_a_split_that_leaves_nobody_is_refused(config: Config, grids: list[Grid]) -> None:
    everyone = msgspec.structs.replace(config.split, test=PEOPLE[:5], validation=PEOPLE[5:])
    with pytest.raises(InputError, match="no subject to train on"):
        train(
            HiMAE(config.himae),
            grids,
            msgspec.structs.replace(config, split=everyone),
            say=lambda _: None,
        )


@pytest.mark.parametrize(("person", "whose"), [("P4", "validation"), ("P1", "training")])
def test_people_with_one_class_only_are_refused_before_training(
    config: Config, grids: list[Grid], person: str, whose: str
) -> None:
    split = msgspec.structs.replace(config.split, test=(), validation=("P4",))
    few = [g for g in grids if g.subject in ("P1", "P4")]
    calm = [
        dataclasses.replace(
            g, labels=tuple(x for x in g.labels if g.subject != person or x.value != "stress")
        )
        for g in few
    ]
    with pytest.raises(InputError, match=f"{whose} subjects .* label 'stress'"):
        train(
            HiMAE(config.himae),
            calm,
            msgspec.structs.replace(config, split=split),
            say=lambda _: None,
        )


@pytest.mark.parametrize(("beside", "says"), [(0.0, "every rate"), (500.0, "no rate")])
def test_confidence_needs_right_and_wrong_rates(beside: float, says: str) -> None:
    torch.manual_seed(0)
    head = RateHead(4, hidden=8)
    some = Evidence(0.0, head.mlp(torch.zeros(5, 4)).detach(), np.ones(5), np.zeros(5))
    true = some.values(head)[0] + beside
    with pytest.raises(InputError, match=f"{says} of the validation subjects"):
        calibrate._fit_trust(head, [dataclasses.replace(some, true=true)])
