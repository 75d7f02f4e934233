"""The manifest of a bundle: what a host must know besides the graph itself.

Frozen records only; `manifest_json` reads, checks and writes them, and BUNDLE.md
states the rules.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT_VERSION = 1
PARITY_FILE = "parity.json"
CARD_FILE = "CARD.md"
EMBEDDING = "embedding"
STATE, NEXT_STATE = "state", "next_state"

Role = Literal["window", "step"]
Shapes = dict[str, tuple[int, ...]]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all manifest records."""


class Channel(Record, frozen=True, kw_only=True):
    """One row of a window, with the scaling that the graph applies to it.

    `normalization` is "window" (minimum and maximum of what is observed go to -1 and
    1) or "fixed" ((x - offset) / scale, clipped to [-1, 1]). `rate` is the nominal
    native sampling rate in Hz.
    """

    name: str
    sensor: str
    rate: float
    unit: str
    polarity: str
    minimum: float
    maximum: float
    normalization: Literal["window", "fixed"]
    offset: float = 0.0
    scale: float = 1.0


class Stage(Record, frozen=True, kw_only=True):
    """Where the mean of one encoder stage lies in the embedding: [start, stop)."""

    name: str
    start: int
    stop: int
    stride: int
    receptive_field: int


class Task(Record, frozen=True, kw_only=True):
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


class Graph(Record, frozen=True, kw_only=True):
    """One model file: its format, the integer type of its activations, and its role.

    A "window" graph takes a whole window; a "step" graph takes what is new since the last
    step and a state, and gives the outputs of the window that ends there.
    """

    file: str
    format: Literal["onnx", "tflite"]
    activations: Literal["u8", "s8"]
    role: Role = "window"


class Baseline(Record, frozen=True, kw_only=True):
    """The running mean and scale of each channel that the graphs take as an input.

    `seconds` is the time constant, `samples` the grid points of one update.
    """

    seconds: float
    samples: int


class Step(Record, frozen=True, kw_only=True):
    """The grid points of one step, and the floats of the state between two of them."""

    samples: int
    state: int


class Member(Record, frozen=True, kw_only=True):
    """Size and SHA-256 (lower-case hex) of one file in the bundle."""

    bytes: int
    sha256: str


class Golden(Record, frozen=True, kw_only=True):
    """The golden vectors and how far an engine may be from them.

    `tolerance` is the largest absolute difference by output, for an engine of the
    format that made the vector; `loose` is the same for engines that round otherwise.
    `steps` counts the steps of one stream, from its first state on.
    """

    file: str
    windows: int
    steps: int = 0
    tolerance: dict[str, float]
    loose: dict[str, float]


class Manifest(Record, frozen=True, kw_only=True):
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
    baseline: Baseline | None = None
    step: Step | None = None
    golden: Golden
    members: dict[str, Member]

    def inputs(self, role: Role = "window") -> Shapes:
        """Shape of each input of a graph by its name."""
        channels, samples = len(self.channels), self.samples
        if role == "step" and self.step is not None:
            samples = self.step.samples
        shapes: Shapes = dict.fromkeys(("values", "observed"), (1, channels, samples))
        if self.baseline is not None:
            shapes["baseline"] = (1, channels, 3)
        if role == "step" and self.step is not None:
            shapes[STATE] = (1, self.step.state)
        return shapes

    @property
    def outputs(self) -> dict[str, tuple[int, int]]:
        """Shape of each output of a window by its name, the embedding first.

        A step graph gives `next_state` besides, of the shape of `state`.
        """
        shapes = {EMBEDDING: (1, self.embedding[-1].stop)}
        for task in self.tasks:
            shapes[task.name] = (1, 2 if task.kind == "regression" else len(task.labels))
        return shapes

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the bundle besides the manifest, in the order of the zip."""
        graphs = (graph.file for graph in self.graphs)
        return tuple(sorted({*graphs, self.golden.file, PARITY_FILE, CARD_FILE}))
