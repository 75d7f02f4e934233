"""The forms of all answers, as OpenAPI tells them; tests hold what is answered against them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from onwrist.serve.windows import Windows

_REF = "#/components/schemas/{name}"


class Failure(msgspec.Struct, forbid_unknown_fields=True):
    """Why nothing was done, and what to do."""

    error: str


class Health(msgspec.Struct, forbid_unknown_fields=True):
    """That the service is there, and how many stream."""

    status: str
    streams: int
    most_streams: int


class Identity(msgspec.Struct, forbid_unknown_fields=True):
    """A bundle: its name, version and SHA-256."""

    name: str
    version: str
    hash: str


class Channel(msgspec.Struct, forbid_unknown_fields=True):
    """A row of a window; rate in Hz as the sensor samples it."""

    name: str
    sensor: str
    rate: float
    unit: str


class Model(Identity, forbid_unknown_fields=True):
    """What a caller must know of a model."""

    description: str
    engine: str
    rate: float
    window_samples: int
    channels: list[Channel]
    tasks: list[str]


class Models(msgspec.Struct, forbid_unknown_fields=True):
    """All models of the service."""

    models: list[Model]


class ModelInFull(Model, forbid_unknown_fields=True):
    """A model with the manifest of its bundle."""

    manifest: dict[str, Any]


class Sensor(msgspec.Struct, forbid_unknown_fields=True):
    """What became of a sensor in a window."""

    coverage: float
    used: bool
    weight: float | None
    reason: str | None


class Task(msgspec.Struct, forbid_unknown_fields=True):
    """The outcome of a task: `value` and `unit`, or `label` and `probabilities`."""

    confidence: float | None
    abstained: bool
    reason: str | None
    value: float | UnsetType | None = UNSET
    unit: str | UnsetType | None = UNSET
    label: str | UnsetType | None = UNSET
    probabilities: dict[str, float] | UnsetType | None = UNSET


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """The prediction on a window."""

    start: float | None
    end: float | None
    coverage: dict[str, float]
    sensors: dict[str, Sensor]
    tasks: dict[str, Task]


class Predicted(msgspec.Struct, forbid_unknown_fields=True):
    """The predictions on the windows of a request, in their order."""

    model: Identity
    predictions: list[Row]


_ALL = (Failure, Health, Models, ModelInFull, Predicted, Windows)
_FAILURES = {
    "400": "no JSON",
    "401": "no token, or a wrong one",
    "403": "a page elsewhere asks",
    "404": "no such model",
    "408": "the body did not come",
    "413": "too large",
    "415": "another type of body",
    "421": "not a name of this machine",
    "422": "it cannot be used",
    "500": "the engine failed",
    "503": "busy: try again",
}


POST_FAILURES = (400, 401, 403, 404, 408, 413, 415, 421, 422, 500, 503)


def components() -> dict[str, Any]:
    """JSON Schema of every form by its name."""
    return msgspec.json.schema_components(_ALL, ref_template=_REF)[1]


def gives(form: type[msgspec.Struct], words: str, *failures: int) -> dict[int | str, Any]:
    """FastAPI's `responses`: a form for 200, and failures by their status."""
    found: dict[str, tuple[type[msgspec.Struct], str]] = {"200": (form, words)}
    found |= {str(status): (Failure, _FAILURES[str(status)]) for status in failures}
    return {
        status: {
            "description": told,
            "content": {"application/json": {"schema": _ref(each)}},
        }
        for status, (each, told) in found.items()
    }


def takes_windows() -> dict[str, Any]:
    """FastAPI's `openapi_extra` of a request that takes windows."""
    binary = {"type": "string", "format": "binary"}
    query = [
        {
            "name": name,
            "in": "query",
            "description": f"with a binary body: as in JSON, {words}",
            "schema": form,
        }
        for name, words, form in (
            ("start", "once for each window", {"type": "array", "items": {"type": "number"}}),
            ("midnight", "once", {"type": "number"}),
        )
    ]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _ref(Windows)},
                "application/octet-stream": {"schema": binary},
            },
        },
        "parameters": query,
    }


def _ref(form: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=form.__name__)}
