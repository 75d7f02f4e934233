"""A simulated wrist in; what a watch sends each second, and what must come back, out."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

import onwrist
from onwrist.commands import output
from onwrist.simulate import simulate

START = 1_700_000_000.0  # a time of day, whose float64 stamps are as coarse as real ones


@dataclass(frozen=True)
class Script:
    """One wearer's recording.

    Attributes
    ----------
    seconds : the messages of each second, a push for each sensor, numbered from 1 on.
    rows : every prediction that they must give, as the service writes them.
    """

    seconds: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]

    @classmethod
    def of(cls, model: onwrist.Model, seconds: int, seed: int) -> Script:
        """Whoever it is that a seed stands for, with a hole in ppg."""
        signals = simulate(seconds, seed, dropout=(10.0, 14.0), dies={}).signals
        sensors: dict[str, list[str]] = {}
        for channel in model.manifest.channels:
            sensors.setdefault(channel.sensor, []).append(channel.name)
        live = model.stream()
        sent, rows, number = [], [], 0
        for second in range(seconds):
            messages = []
            for sensor, names in sensors.items():
                times = signals[names[0]].times
                part = slice(*times.searchsorted([second, second + 1]))
                values = np.stack([signals[name].values[part] for name in names], axis=1)
                if not len(values):
                    continue
                number += 1
                stamps = START + times[part]
                messages.append(_message(sensor, stamps, values, number))
                for prediction in live.push(sensor, stamps, values):
                    made = output.as_json(prediction, model.manifest)
                    rows.append(json.dumps(made, ensure_ascii=False))
            sent.append(tuple(messages))
        return cls(tuple(sent), tuple(rows))


def _message(sensor: str, times: np.ndarray, values: np.ndarray, number: int) -> str:
    # With as many digits as a sensor has: what float32 needs to come back the same.
    samples = [[float(str(x)) for x in row] for row in values]
    flat = [row[0] for row in samples] if values.shape[1] == 1 else samples
    push = {"sensor": sensor, "timestamps": times.tolist(), "samples": flat}
    return json.dumps({"push": push, "id": number}, separators=(",", ":"))
