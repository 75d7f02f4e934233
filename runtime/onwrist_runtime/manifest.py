"""The manifest of a bundle: what a host must know besides the graph itself.

JSON in, frozen records out; unknown, missing or mistyped fields are refused.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT_VERSION = 1


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all manifest records."""


class Channel(Record):
    """One row of a window, with the scaling that the graph applies to it.

    `normalization` is "window" (minimum and maximum of what is observed go to -1 and
    1) or "fixed" ((x - offset) / scale, clipped to [-1, 1]).
    """

    name: str
    sensor: str
    unit: str
    polarity: str
    minimum: float
    maximum: float
    normalization: Literal["window", "fixed"]
    offset: float = 0.0
    scale: float = 1.0


class Stage(Record):
    """Where the mean of one encoder stage lies in the embedding: [start, stop)."""

    name: str
    start: int
    stop: int
    stride: int
    receptive_field: int


class Task(Record):
    """One output of the graph and when it may be believed.

    A regression output is float32 (1, 2): value, confidence. A classification output
    is float32 (1, labels): calibrated probabilities. `required` is the least coverage
    by channel; `any_of` names channels of which at least one must reach its coverage.
    """

    name: str
    kind: Literal["regression", "classification"]
    unit: str | None = None
    labels: tuple[str, ...] = ()
    required: dict[str, float]
    any_of: dict[str, float] = {}
    minimum_confidence: float


class Graph(Record):
    """One model file: its format and the integer type of its activations."""

    file: str
    format: Literal["onnx", "tflite"]
    activations: Literal["u8", "s8"]


class Member(Record):
    """Size and SHA-256 (lower-case hex) of one file in the bundle."""

    bytes: int
    sha256: str


class Golden(Record):
    """The golden vectors and how far an engine may be from them.

    `tolerance` is the largest absolute difference by output, for an engine of the
    format that made the vector; `loose` is the same for engines that round otherwise.
    """

    file: str
    windows: int
    tolerance: dict[str, float]
    loose: dict[str, float]


class Manifest(Record):
    """Everything that a host needs to run the graphs of a bundle."""

    format: int
    name: str
    version: str
    description: str
    licence: str
    rate: float
    samples: int
    channels: tuple[Channel, ...]
    embedding: tuple[Stage, ...]
    tasks: tuple[Task, ...]
    graphs: tuple[Graph, ...]
    golden: Golden
    members: dict[str, Member]
