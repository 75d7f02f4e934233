"""What the scripts share: a window to measure with, the conditions, and tables."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import onwrist
from onwrist.bench.machine import features, processor_name
from onwrist.bundles import SUFFIX, find
from onwrist.files import written_beside
from onwrist.simulate import simulate
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.signals import resample

PACKAGES = ("onwrist", "numpy", "onnxruntime", "ai-edge-litert", "tflite-runtime")


def pin() -> int:
    """Keep this process, and every thread it will start, on one core; which one it is."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def conditions() -> dict[str, str]:
    """Processor, versions and how busy the machine is, in words."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor_name(),
        "instructions": ", ".join(features()) or "none that matter to INT8 are known",
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "load average": load_average(),
    }


def versions() -> dict[str, str]:
    """Python and the packages that decide a figure, as far as they are installed."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load_average() -> str:
    """How many processes wanted a core over the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def window(model: onwrist.Model) -> NDArray[np.float32]:
    """One window (C, N) of a simulated wrist, observed throughout.

    A channel that is not simulated, as an imported encoder may have, gets the pulse.
    """
    signals = simulate(seconds=60, dropout=None, dies={}).signals
    named = [signals.get(channel, signals["ppg"]) for channel in model.channels]
    first = math.ceil(max(signal.times[0] for signal in named) * model.rate)
    rows = [resample(signal, model.rate, first, model.window_samples) for signal in named]
    assert all(observed.all() for _, observed in rows)
    return np.stack([values for values, _ in rows])


def inputs(model: onwrist.Model) -> dict[str, NDArray[np.float32]]:
    """That window as the engine takes it, without a baseline."""
    zeros = {
        name: np.zeros(shape, np.float32) for name, shape in model.manifest.inputs().items()
    }
    values = window(model)[np.newaxis]
    scales = {name: np.ones(shape, np.float32) for name, shape in model.manifest.scales.items()}
    return zeros | scales | {"values": values, "observed": np.ones_like(values)}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shipped() -> list[Path]:
    """The paths of all bundles that come with the package."""
    return sorted(find().parent.glob(f"*{SUFFIX}"))


def identity(opened: Bundle) -> str:
    """Which bundle was measured."""
    manifest = opened.manifest
    return f"{manifest.name} {manifest.version}, sha256 {opened.hash[:12]}"


def listed(what: Mapping[str, str]) -> str:
    """A Markdown list of names and values."""
    return "".join(f"- {name}: {value}\n" for name, value in what.items())


def save(output: Path, text: str, record: object) -> None:
    """Write `OUTPUT.md` for people and `OUTPUT.json` for programs."""
    record_text = json.dumps(record, indent=1) + "\n"
    for suffix, content in ((".md", text), (".json", record_text)):
        with written_beside(output.with_suffix(suffix)) as beside:
            beside.write_text(content)
