"""Run wearable foundation encoders on whatever sensor samples really arrived.

>>> model = onwrist.load()
>>> model.predict({"ppg": (ppg, 64.0), "acc": (acc, 32.0)})["heart_rate"].value
"""

from __future__ import annotations

import os

from onwrist.bundles import find
from onwrist.recording import Label, Recording
from onwrist_runtime import model as _model
from onwrist_runtime.errors import (
    BundleError,
    CheckpointError,
    EngineError,
    InputError,
    OnwristError,
    ParityError,
    RecordingError,
)
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import ModelIdentity, Prediction, TaskResult
from onwrist_runtime.signals import Signal
from onwrist_runtime.stream import Counters, Stream

__all__ = [
    "BundleError",
    "CheckpointError",
    "Counters",
    "EngineError",
    "InputError",
    "Label",
    "Model",
    "ModelIdentity",
    "OnwristError",
    "ParityError",
    "Prediction",
    "Recording",
    "RecordingError",
    "Signal",
    "Stream",
    "TaskResult",
    "load",
]


def load(
    name_or_path: str | os.PathLike[str] | None = None,
    engine: str | None = None,
    threads: int = 1,
) -> Model:
    """Load a model and prove its engine on this processor.

    Parameters
    ----------
    name_or_path : a bundle that comes with the package by name, or a `.onwrist` file;
        None for the default, `wrist-himae`.
    engine : "litert", "onnxruntime" or "tflite-runtime"; None for the first of them that
        is installed and can run the bundle.
    threads : how many threads the engine may use.

    Raises
    ------
    BundleError
        There is no such bundle, or it is damaged.
    EngineError
        No engine that can run it is installed.
    ParityError
        The engine does not give the bundle's golden numbers here.
    """
    return _model.load(find(name_or_path), engine, threads)
