"""The probe of a day model, its checkpoints and the commands that make them."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from onwrist.readers.fitbit_grid import Person
from onwrist_export.cli import main
from onwrist_export.days import probe, run, store
from onwrist_export.days.config import load_day_config
from onwrist_export.days.fill import filled
from onwrist_export.model.lsm2 import LSM2
from onwrist_runtime.errors import CheckpointError, InputError

CONFIG = load_day_config()
QUICK = msgspec.structs.replace(
    CONFIG, probe=msgspec.structs.replace(CONFIG.probe, steps=250, batch=64)
)


@pytest.fixture(scope="module")
def model() -> LSM2:
    torch.manual_seed(3)
    return LSM2(CONFIG.lsm2, CONFIG.scales).eval()


def person(subject: str, days: int = 2) -> Person:
    """Active in every other three hours, so that the hour before tells the next."""
    minutes = np.arange(1440 * days)
    active = (minutes // 180 + int(subject)) % 2
    draw = np.random.default_rng(int(subject))
    values = np.stack(
        [active * draw.integers(1, 100, len(minutes)), 2.0 * active, 70 + 30 * active]
    ).astype(np.float32)
    if int(subject) % 2:
        values[2] = np.nan
    return Person(subject, "none" if int(subject) % 2 else "raw", 0.0, values)


def test_the_truth_of_the_probe_is_the_hour_after(model: LSM2) -> None:
    one = person("4", days=2)
    one.values[:, 2000:2010] = np.nan
    given = probe.examples([one], model, CONFIG, 0)
    intensity = one.values[1]
    ends = [e for e in range(120, 2880 - 59, 120) if not np.isnan(intensity[e : e + 60]).any()]
    truth = [(intensity[e : e + 60] > 0).sum() for e in ends]
    assert given.truth[: len(ends), 0].tolist() == truth
    assert len(given.truth) == 2 * len(ends)  # whole, and masked
    day = np.full((1, 3, 1440), np.nan, np.float32)
    day[0, :, -ends[0] :] = one.values[:, : ends[0]]
    expected = run.embed(model, day, np.array([ends[0]]))
    np.testing.assert_allclose(given.embeddings[:1], expected, atol=1e-5)


def test_a_probe_learns_and_is_calibrated_on_other_people(model: LSM2) -> None:
    given = probe.examples([person(str(k)) for k in range(6)], model, QUICK, 0)
    head, reached = probe.fit(given, QUICK)
    assert reached["people"] == 6
    assert reached["mae"] < 0.7 * reached["mae_median"]
    assert abs(reached["confidence"] - reached["right"]) < 0.05
    with torch.no_grad():
        answer = head(given.embeddings)
    assert answer.shape == (len(given.truth), 2)
    assert 0 <= float(answer[:, 0].min()) <= float(answer[:, 0].max()) <= 60
    assert 0 <= float(answer[:, 1].min()) <= float(answer[:, 1].max()) <= 1


def test_a_probe_needs_people(model: LSM2) -> None:
    given = probe.examples([person("1"), person("2")], model, QUICK, 0)
    with pytest.raises(InputError, match="needs 5 people"):
        probe.fit(given, QUICK)
    idle = dataclasses.replace(person("1"), values=np.full((3, 2880), np.nan, np.float32))
    with pytest.raises(InputError, match="intensity is known"):
        probe.examples([idle], model, QUICK, 0)


def drawn(people: int = 5) -> probe.Examples:
    """Examples whose embedding tells the active minutes, of people whose noise differs."""
    draw = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 60, (40 * people, 1), generator=draw).float()
    subjects = np.repeat([str(k) for k in range(people)], 40)
    noise = torch.from_numpy(subjects == "0")[:, None] * 40
    embeddings = truth + noise * torch.randn(truth.shape, generator=draw)
    embeddings = embeddings.repeat(1, 8) / 60 + 0.01 * torch.randn(
        (len(truth), 8), generator=draw
    )
    return probe.Examples(embeddings, truth, subjects, np.zeros(len(truth), bool))


def test_reported_confidence_is_of_people_that_it_was_not_calibrated_on() -> None:
    """On the answers that it was fitted on its mean would be the share that was right."""
    given = drawn()
    given = dataclasses.replace(given, masked=np.arange(len(given.truth)) % 2 == 0)
    _, reached = probe.fit(given, QUICK)
    assert 1e-4 < abs(reached["confidence"] - reached["right"]) < 0.2


@pytest.mark.parametrize(
    ("tolerance", "same", "words"),
    [(60.0, False, "every answer is within 60"), (10.0, True, "the same active minutes")],
)
def test_a_probe_that_nothing_can_be_learned_for(
    tolerance: float, same: bool, words: str
) -> None:
    given = drawn()
    if same:
        given = dataclasses.replace(given, truth=torch.zeros_like(given.truth))
    config = msgspec.structs.replace(
        QUICK, probe=msgspec.structs.replace(QUICK.probe, tolerance=tolerance, steps=5)
    )
    with pytest.raises(InputError, match=words):
        probe.fit(given, config)


def test_checkpoints_come_back_as_they_were(model: LSM2, tmp_path: Path) -> None:
    head = probe.ProbeHead(2 * CONFIG.lsm2.width, CONFIG.probe)
    head.trust = torch.tensor([0.7, -0.2])
    heads = nn.ModuleDict({CONFIG.probe.name: head}).eval()
    trained = store.Trained(CONFIG, model, heads, {"active_minutes": 0.5}, {})
    store.save(tmp_path / "day.safetensors", trained, ["command"])
    again, commands = store.load(tmp_path / "day.safetensors")
    assert commands == ["command"]
    assert again.config == CONFIG
    assert again.least_confidence == {"active_minutes": 0.5}
    for one, other in ((model, again.model), (heads, again.heads)):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
    with pytest.raises(CheckpointError, match="'day' checkpoint; this needs a 'pre"):
        store.load_pretrained(tmp_path / "day.safetensors")


@pytest.mark.parametrize("how", ["linear", "zero"])
def test_gaps_are_filled(model: LSM2, how: str) -> None:
    values = torch.tensor([[[0.0, float("nan"), 4.0]], [[float("nan")] * 3]])
    found = filled(values, how, torch.tensor([[9.0]]))
    assert found.flatten().tolist() == [0, 2 if how == "linear" else 9, 4, 9, 9, 9]


def grid(path: Path, people: list[Person]) -> Path:
    """The people as the minute grid that the reader takes."""
    rows, users, dates = [], [], []
    for one in people:
        days = one.values.reshape(3, -1, 1440).transpose(1, 2, 0)
        rows.append(np.concatenate([days, np.full((*days.shape[:2], 2), np.nan)], 2))
        users += [int(one.subject)] * len(days)
        dates += [f"2016-04-{12 + k}" for k in range(len(days))]
    status = ["raw" if int(user) % 2 == 0 else "no_hr_sensor" for user in users]
    np.savez(
        path,
        x=np.concatenate(rows).astype(np.float32),
        channels=np.array(["steps", "intensity", "hr_mean_bpm", "hr_std_bpm", "hr_count"]),
        user=np.array(users),
        date=np.array(dates),
        hr_status=np.array(status),
    )
    return path


def test_commands_pretrain_and_fit_the_probe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(grid(tmp_path / "grid.npz", [person(str(k)) for k in range(1, 7)]))
    encoder, done = str(tmp_path / "encoder.safetensors"), str(tmp_path / "day.safetensors")
    common = [data, "--config", "day-lsm2", "--json"]
    assert main(["pretrain", *common, "--steps", "2", "-o", encoder]) == 0
    assert len(json.loads(capsys.readouterr().out)["subjects"]) == 6
    assert main(["train", *common, "--steps", "50", "--encoder", encoder, "-o", done]) == 0
    assert json.loads(capsys.readouterr().out)["active_minutes"]["people"] == 6
    trained, commands = store.load(Path(done))
    assert len(commands) == 2
    assert trained.config.pretrain.steps == 2

    assert main(["train", *common, "--from-scratch", "-o", done]) == 2
    assert "need a pretrained encoder" in capsys.readouterr().err
    assert main(["pretrain", *common, "--step", "-o", encoder]) == 2
    assert "no causal form" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('size = "nano"', 'size = "tiny"'), "no size 'tiny'"),
        (('channels = ["heart_rate"]', 'channels = ["steps"]'), "the groups hold"),
        (("dropout = 0.5", "dropout = 1.5"), "dropout must be from 0 to 1"),
        (("weights = [0.25, 0.25, 1.0]", "weights = [1.0]"), "must be 3 numbers"),
        (("patch = 20", "patch = 7"), "patch"),
        (('"heart_rate"]\nleast = 1', '"heart_rate"]\nleast = 21'), "heart must be from 1 to"),
        (("108, 144]", "108]"), "ascend to all 144 tokens"),
        (("36, 72,", "72, 36,"), "ascend to all 144 tokens"),
        (("{ steps = 0.25 }", "{ stepz = 0.25 }"), "no channel 'stepz'"),
        (("[pretrain]", "[pretrain]\nspeed = 3"), "speed"),
    ],
)
def test_a_configuration_that_contradicts_itself(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    text = (Path(probe.__file__).parents[1] / "day-lsm2.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(InputError, match=words):
        load_day_config(path)
