"""A seed in, a Recording of a simulated wrist with its truth out: `simulate`.

Beside it `days` of a tracker, and a `body` with four inertial sensors.

The pulse wave, its amplitudes, the noise and the rates are those of an Empatica E4: feet
point down at the beat, a fast rise, a slower fall. The wearer is calm, then stressed (heart
rate and skin conductance rise), then recovers; the arm moves in bursts. One stretch of ppg
never arrives and one sensor dies, as on a real wrist.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onwrist.recording import Label, Recording
from onwrist.simulate_body import body
from onwrist.simulate_days import days
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal

__all__ = ["RATES", "STRESS_FROM", "STRESS_TO", "body", "days", "simulate"]

RATES = {"ppg": 64.0, "acc_x": 32.0, "acc_y": 32.0, "acc_z": 32.0, "eda": 4.0, "temp": 4.0}
STRESS_FROM, STRESS_TO = 0.45, 0.80  # of the duration

# Mean beat of 28 people (Stress-Predict, E4), foot to foot, unit standard deviation:
# amplitude and phase of its first five harmonics.
_BEAT = ((1.276, -2.795), (0.409, -3.115), (0.171, 2.689), (0.067, 2.758), (0.033, 2.770))
_CLOCK = 256.0  # Hz, on which the body runs before the sensors sample it

_Array = NDArray[np.float64]


def simulate(
    seconds: float = 120.0,
    seed: int = 0,
    *,
    dropout: tuple[float, float] | None = (22.0, 42.0),
    dies: Mapping[str, float] | None = None,
) -> Recording:
    """Simulate a wrist from time 0.

    Parameters
    ----------
    seconds : how long, at least 1.
    seed : chooses the person as well as the noise; equal seeds give equal recordings.
    dropout : from when to when (s) no ppg arrives; None for none.
    dies : when (s) a channel stops for good, by name; default: temp at 75 s.

    Returns
    -------
    Recording
        Channels and native rates as in `RATES`, and true labels over all of it, also where
        a sensor is silent: "heart_rate" (bpm) from beat to beat, "stress" spans.
    """
    if not 1.0 <= seconds <= 86400.0:
        raise InputError(f"cannot simulate {seconds} s; give 1 s to one day (86400)")
    dies = {"temp": 75.0} if dies is None else dies
    if unknown := dies.keys() - RATES.keys():
        raise InputError(f"no simulated channel {', '.join(sorted(unknown))}; {list(RATES)}")
    random = np.random.default_rng(seed)
    clock = np.arange(int(seconds * _CLOCK)) / _CLOCK
    stress = (STRESS_FROM * seconds, STRESS_TO * seconds)
    # How stressed the body is, 0 to 1: it follows the episode with some inertia.
    episode = ((clock >= stress[0]) & (clock < stress[1])).astype(np.float64)
    arousal = _follow(clock, episode, 6.0, 15.0)
    breaths_per_second = 0.24 + 0.06 * arousal + 0.02 * _noise(random, clock, 0, 0.05)
    breath = 2 * np.pi * np.cumsum(breaths_per_second) / _CLOCK

    heart_rate = random.uniform(60, 90) + random.uniform(18, 26) * arousal
    heart_rate += 2.5 * _noise(random, clock, 0, 0.03)
    heart_rate += 2.5 * (1 - 0.6 * arousal) * np.sin(breath)
    beats = np.cumsum(heart_rate / 60.0) / _CLOCK
    acc, motion = _acceleration(random, clock, breath)
    body = {
        "ppg": _pulse(random, clock, beats, breath, arousal, motion),
        **acc,
        "eda": _skin_conductance(random, clock, arousal),
        "temp": _temperature(random, clock, arousal),
    }

    signals = {}
    for channel, rate in RATES.items():
        times = np.arange(int(seconds * rate)) / rate
        values = np.interp(times, clock, body[channel]).astype(np.float32)
        arrived = times < dies.get(channel, np.inf)
        if channel == "ppg" and dropout is not None:
            arrived &= (times < dropout[0]) | (times >= dropout[1])
        if arrived.any():
            signals[channel] = Signal(values[arrived], times[arrived], rate)

    feet = np.interp(np.arange(np.ceil(beats[0]), beats[-1]), beats, clock).tolist()
    labels = [
        Label("heart_rate", begin, end, 60.0 / (end - begin))
        for begin, end in itertools.pairwise(feet)
    ]
    labels += [
        Label("stress", 0.0, stress[0], "rest"),
        Label("stress", *stress, "stress"),
        Label("stress", stress[1], seconds, "rest"),
    ]
    return Recording(f"simulated-{seed}", f"simulated-{seed}", signals, tuple(labels))


def _pulse(
    random: np.random.Generator,
    clock: _Array,
    beats: _Array,
    breath: _Array,
    arousal: _Array,
    motion: _Array,
) -> _Array:
    """BVP in E4 units: beats, breathing, wander, the arm's motion and sensor noise."""
    wave = np.zeros_like(clock)
    for harmonic, (amplitude, phase) in enumerate(_BEAT, start=1):
        # No two beats of a person, and no two persons, have quite the same shape.
        size = amplitude * (1 + 0.12 * random.standard_normal())
        turn = phase + 0.08 * random.standard_normal() + 0.1 * _noise(random, clock, 0, 0.4)
        wave += size * np.cos(2 * np.pi * harmonic * beats + turn)
    # Peak to peak 20 to 120 units by person; vessels narrow under stress.
    strength = np.exp(random.normal(np.log(20.0), 0.45)) * (1 - 0.3 * arousal)
    envelope = 1 + 0.12 * np.sin(breath - 0.8) + 0.1 * _noise(random, clock, 0, 0.4)
    wander = 0.16 * np.sin(breath - 0.4) + 0.16 * _noise(random, clock, 0.05, 0.5)
    noise = 0.05 * _noise(random, clock, 0.5, 12.0)
    artefact = 60.0 * motion * _noise(random, clock, 0.4, 4.0)
    return np.asarray(strength * (envelope * wave + wander + noise) + artefact)


def _acceleration(
    random: np.random.Generator, clock: _Array, breath: _Array
) -> tuple[dict[str, _Array], _Array]:
    """Acceleration in g by channel in steps of 1/64 g, and how much the arm moves, in g."""
    motion = np.zeros_like(clock)
    for _ in range(1 + random.poisson(clock[-1] / 60.0)):
        middle, length = random.uniform(0, clock[-1]), random.uniform(1.0, 3.0)
        motion += random.uniform(0.1, 0.5) * np.exp(-(((clock - middle) / length) ** 2))
    # The forearm rests, and turns a little each time that it has moved.
    tilt = random.normal(0, 0.3, 2)[:, None] + 0.4 * np.cumsum(
        motion * random.standard_normal((2, 1)), axis=1
    ) / (_CLOCK * 3.0)
    gravity = np.stack([-0.5 + tilt[0], -0.1 + tilt[1], np.full_like(clock, 0.75)])
    gravity /= np.linalg.norm(gravity, axis=0)
    axes = {}
    for axis, channel in enumerate(("acc_x", "acc_y", "acc_z")):
        moving = motion * _noise(random, clock, 0.4, 4.0)
        resting = 0.002 * np.sin(breath + axis) + 0.006 * _noise(random, clock, 0.3, 14.0)
        axes[channel] = (
            np.clip(np.round(64 * (gravity[axis] + moving + resting)), -128, 127) / 64
        )
    return axes, motion


def _skin_conductance(random: np.random.Generator, clock: _Array, arousal: _Array) -> _Array:
    """Skin conductance in uS: a level that rises under stress, and single responses."""
    level = np.exp(random.normal(np.log(0.4), 0.8))
    responses = np.zeros_like(clock)
    # About 2 a minute at rest and 12 under stress, each 0.7 s up and 4 s down.
    per_second = (2.0 + 10.0 * arousal) / 60.0
    for index in np.flatnonzero(random.random(len(clock)) < per_second / _CLOCK):
        response = slice(index, index + int(40 * _CLOCK))  # gone after ten time constants
        after = clock[response] - clock[index]
        shape = np.exp(-after / 4.0) - np.exp(-after / 0.7)
        responses[response] += level * random.uniform(0.05, 0.2) * shape
    tonic = level * (1 + 0.7 * _follow(clock, arousal, 12.0, 40.0))
    return np.asarray(tonic + responses + 0.004 * level * _noise(random, clock, 0.1, 2.0))


def _temperature(random: np.random.Generator, clock: _Array, arousal: _Array) -> _Array:
    """Skin temperature in degC, in the sensor's steps of 0.02."""
    drift = 0.1 * _noise(random, clock, 0, 0.01) - 0.25 * _follow(clock, arousal, 30.0, 60.0)
    return np.asarray(np.round((random.uniform(28.5, 34.5) + drift) / 0.02) * 0.02)


def _follow(clock: _Array, target: _Array, up: float, down: float) -> _Array:
    """A first-order lag of `target`: time constants in s towards more and towards less."""
    # A tenth of a second is fine enough for constants of seconds, and quick in Python.
    coarse = np.arange(0.0, clock[-1] + 0.1, 0.1)
    wanted = np.interp(coarse, clock, target)
    reached, out = float(wanted[0]), np.empty_like(coarse)
    for index, want in enumerate(wanted.tolist()):
        reached += (want - reached) * 0.1 / (up if want > reached else down)
        out[index] = reached
    return np.interp(clock, coarse, out)


def _noise(random: np.random.Generator, clock: _Array, low: float, high: float) -> _Array:
    """Gaussian noise of unit variance between two frequencies (Hz), pink inside."""
    frequencies = np.fft.rfftfreq(len(clock), 1 / _CLOCK)
    inside = (frequencies > low) & (frequencies <= max(high, frequencies[1]))
    spectrum = np.zeros(len(frequencies), dtype=np.complex128)
    count = int(inside.sum())
    spectrum[inside] = random.standard_normal(count) + 1j * random.standard_normal(count)
    spectrum[inside] /= np.sqrt(frequencies[inside])
    noise = np.fft.irfft(spectrum, len(clock))
    return np.asarray(noise / noise.std())
