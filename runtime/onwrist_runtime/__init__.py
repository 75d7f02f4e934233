"""The lean runtime of onwrist: what runs on the device.

Needs NumPy, msgspec and safetensors; an engine is imported when a model is loaded.
"""

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import (
    BundleError,
    CheckpointError,
    EngineError,
    InputError,
    OnwristError,
    ParityError,
    RecordingError,
)
from onwrist_runtime.model import Model, load
from onwrist_runtime.prediction import (
    Imputed,
    ModelIdentity,
    Prediction,
    SensorState,
    TaskResult,
)
from onwrist_runtime.signals import Signal
from onwrist_runtime.stream import Counters, Stream

__all__ = [
    "Bundle",
    "BundleError",
    "CheckpointError",
    "Counters",
    "EngineError",
    "Imputed",
    "InputError",
    "Model",
    "ModelIdentity",
    "OnwristError",
    "ParityError",
    "Prediction",
    "RecordingError",
    "SensorState",
    "Signal",
    "Stream",
    "TaskResult",
    "load",
]
