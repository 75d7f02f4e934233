"""Random graphs and windows, small enough that a test takes a second."""

from __future__ import annotations

import numpy as np
import torch

from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.heads import ClassHead, RateHead
from onwrist_export.model.himae import HiMAE, HiMAEConfig
from onwrist_export.model.normalize import Scaling
from onwrist_export.windows.grids import Windows
from onwrist_runtime.manifest import Channel, Task

CHANNELS = ("ppg", "eda", "temp")
RATE = 25.0
STEP, WIDTHS = 16, (8, 12, 16)
# Samples before a window of `causal` that its outputs depend on: those that its first
# outputs look back on, and the rest of the windows that scale them.
CONTEXT = 144
TASKS = (
    Task(
        name="heart_rate",
        kind="regression",
        unit="bpm",
        required={"ppg": 0.15},
        minimum_confidence=0.2,
    ),
    Task(
        name="stress",
        kind="classification",
        labels=("rest", "stress"),
        required={},
        any_of=dict.fromkeys(CHANNELS, 0.15),
        minimum_confidence=0.5,
    ),
)


def windows(
    count: int, channels: int = 3, samples: int = 64, seed: int = 0, baseline: bool = False
) -> Windows:
    """Pulses with noise, spans and whole channels missing, and labels by chance.

    With `baseline` one that is known of every second channel, at random.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    beats = rng.uniform(0.8, 2.4, (count, 1, 1))
    values = np.sin(2 * np.pi * (beats * time + rng.random((count, channels, 1))))
    values += 0.2 * rng.normal(size=values.shape)
    observed = np.ones(values.shape, bool)
    for row in observed.reshape(-1, samples)[::2]:
        start = rng.integers(samples)
        row[start : start + samples // 4] = False
    observed[::7, 1:] = False
    values = np.where(observed, values, 0).astype(np.float32)
    targets = {
        "heart_rate": 60 * beats[:, 0, 0],
        "stress": rng.integers(0, 2, count).astype(np.float64),
    }
    people = np.array([f"S{i % 3}" for i in range(count)])
    known = None
    if baseline:
        spread = rng.normal(size=(count, channels)), rng.uniform(0, 2, (count, channels))
        known = np.stack([*spread, np.ones((count, channels))], axis=2).astype(np.float32)
        known *= rng.random((count, channels, 1)) < 0.5
    return Windows(values, observed, np.arange(count) * 1.0, people, targets, baseline=known)


def graph(
    activation: str = "relu",
    padding: str = "same",
    samples: int = 64,
    heads: bool = True,
    observed_input: bool = True,
    widths: tuple[int, ...] = (8, 12),
    baseline: bool = False,
    step: int | None = None,
) -> DeployGraph:
    """An untrained graph over `CHANNELS` whose batch norms have seen some windows."""
    torch.manual_seed(0)
    channels = len(CHANNELS)
    config = HiMAEConfig(
        inputs=channels * (2 if observed_input else 1),
        outputs=channels,
        widths=widths,
        rate=RATE,
        samples=samples,
        activation=activation,
        padding=padding,
    )
    scalings = [Scaling("window"), Scaling("fixed", 0.1, 1.5), Scaling("fixed", 0.0, 1.2)]
    rates = {"heart_rate": RateHead(2 * sum(widths), hidden=8)} if heads else {}
    made = DeployGraph(
        HiMAE(config),
        scalings,
        rates,
        observed_input=observed_input,
        baseline=baseline,
        step=step,
    )
    if heads:
        made.classes["stress"] = ClassHead(made.context_size, 8, 2)
    made.train()
    with torch.no_grad():
        for seed in range(10):
            (inputs,) = windows(16, channels, samples, seed, baseline).batches()
            made(*inputs)
    return made.eval()


def causal(baseline: bool = False) -> DeployGraph:
    """A graph of three stages that runs in steps of `STEP` samples, four to a window."""
    return graph(padding="causal", widths=WIDTHS, step=STEP, baseline=baseline)


def stream(steps: int, seed: int = 0, baseline: bool = False) -> Windows:
    """One stream as the steps that it comes in, with missing samples and channels.

    Each channel is absent for some of it, and the first is stuck for a while.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(steps * STEP) / RATE
    values = np.sin(2 * np.pi * time * rng.uniform(0.8, 2.4, (3, 1)) + rng.random((3, 1)))
    values += 0.2 * rng.normal(size=values.shape)
    observed = rng.random(values.shape) < 0.9
    for _ in range(max(3, steps // 4)):
        start = rng.integers(len(time))
        observed[rng.integers(3), start : start + rng.integers(4 * STEP)] = False
    start = rng.integers(len(time) - STEP)
    values[0, start : start + STEP] = 0.5
    values = np.where(observed, values, 0).astype(np.float32)
    known = None
    if baseline:
        known = rng.uniform(0.1, 2, (steps, 3, 3)).astype(np.float32)
        known[..., 2] = 1
        known *= rng.random((steps, 3, 1)) < 0.7
    return Windows(
        values.reshape(3, steps, STEP).swapaxes(0, 1),
        observed.reshape(3, steps, STEP).swapaxes(0, 1),
        np.arange(steps) * STEP / RATE,
        np.full(steps, "S0"),
        {},
        baseline=known,
    )


def in_contexts(steps: Windows, every: int = 3) -> Windows:
    """The windows of a stream, given as its steps, with the context that they depend on."""
    length = (64 + CONTEXT) // STEP
    index = np.arange(0, len(steps) - length + 1, every)[:, None] + np.arange(length)
    values, observed = (
        x[index].swapaxes(1, 2).reshape(len(index), x.shape[1], -1)
        for x in (steps.values, steps.observed)
    )
    last = index[:, -1]
    baseline = None if steps.baseline is None else steps.baseline[last]
    people = steps.subjects[last]
    return Windows(values, observed, steps.elapsed[last], people, {}, CONTEXT, baseline)


def described_channels() -> tuple[Channel, ...]:
    return tuple(
        Channel(
            name=name,
            sensor=name,
            rate=RATE,
            unit="a.u.",
            polarity="up",
            minimum=-10.0,
            maximum=10.0,
            normalization="window" if name == "ppg" else "fixed",
        )
        for name in CHANNELS
    )
