"""Predictions and models in; what the service says of them out, as JSON.

A row is, to the letter, what `onwrist stream --json` prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from onwrist.commands import output
from onwrist_runtime import manifest_json
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction

LONGEST, LONGEST_NAME = 1000, 40  # characters of an error, and of a name in it


def text(value: Any) -> str:
    """JSON; what it cannot hold (NaN) is an error, not a surprise."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def brief(words: str, most: int = LONGEST_NAME) -> str:
    """What a client sent, as an error may repeat it."""
    return words if len(words) <= most else f"{words[:most]} ..."


def failure(words: str, at: dict[str, int | None] | None = None) -> str:
    """What is wrong, with which message of a stream, or with none."""
    return text({"error": brief(words, LONGEST), "at": at})


def row(prediction: Prediction, manifest: Manifest) -> str:
    """A prediction."""
    return text(output.as_json(prediction, manifest))


def predicted(model: Model, rows: Iterable[str]) -> str:
    """The answer to windows, of rows that are text already."""
    return f'{{"model": {text(identity(model))}, "predictions": [{", ".join(rows)}]}}'


def identity(model: Model) -> dict[str, str]:
    """Which bundle answers."""
    return {"name": model.name, "version": model.version, "hash": model.hash}


def described(model: Model) -> dict[str, Any]:
    """What a caller must know of a model."""
    manifest = model.manifest
    return identity(model) | {
        "description": manifest.description,
        "engine": model.engine.name,
        "rate": model.rate,
        "window_samples": model.window_samples,
        "channels": [
            {"name": x.name, "sensor": x.sensor, "rate": x.rate, "unit": x.unit}
            for x in manifest.channels
        ],
        "tasks": list(model.tasks),
    }


def in_full(model: Model) -> dict[str, Any]:
    """The same, with the whole manifest."""
    manifest: dict[str, Any] = json.loads(manifest_json.encode(model.manifest))
    return described(model) | {"manifest": manifest}
