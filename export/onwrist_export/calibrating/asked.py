"""Windows and a calibrated bundle in, what is asked of each by its live sensors out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onwrist_export.windows.grids import Windows
from onwrist_runtime.availability import Patterns
from onwrist_runtime.manifest import Manifest


def scaled(windows: Windows, manifest: Manifest) -> Windows:
    """The windows with the scales that their live sensors ask for, as a host gives them."""
    patterns = Patterns(manifest)
    situations = [patterns.of(observed) for observed in windows.alone().observed]
    scales = {
        name: np.concatenate([situation.scales[name] for situation in situations])
        for name in patterns.scales
    }
    return replace(windows, scales=scales)


def least_confidence(windows: Windows, manifest: Manifest, task: str) -> NDArray[np.float64]:
    """The least confidence (W,) of an answer; infinite where the task abstains."""
    stated = next(each for each in manifest.tasks if each.name == task)
    patterns = Patterns(manifest)
    found = []
    for observed in windows.alone().observed:
        pattern = patterns.of(observed).pattern
        if pattern is None:
            found.append(stated.minimum_confidence)
        else:
            found.append(pattern.minimum_confidence.get(task, np.inf))
    return np.array(found, np.float64)
