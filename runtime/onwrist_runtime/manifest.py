"""The manifest of a bundle: what a host must know besides the graph itself.

Frozen records only; `manifest_json` reads, checks and writes them, and BUNDLE.md
states the rules.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from onwrist_runtime.manifest_plausible import Plausible

FORMAT_VERSION = 1
PARITY_FILE = "parity.json"
CARD_FILE = "CARD.md"
EMBEDDING, IMPUTED = "embedding", "imputed"
STATE, NEXT_STATE = "state", "next_state"
TOKENS, SLOTS, ENCODED, PRESENT = "tokens", "slots", "encoded", "present"
BEFORE, AFTER, CLOCK = "before", "after", "clock"
SENSED, LIVE, WEIGHTS = "sensed", "live", "weights"
SCALE = "_scale"  # after a task's name

Role = Literal["window", "step", "embed", "encode", "decode", "sense", "fuse"]
Shapes = dict[str, tuple[int, ...]]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all manifest records."""


class Channel(Record, frozen=True, kw_only=True):
    """One row of a window, with the scaling that the graph applies to it.

    `aggregation` says what the samples become on the grid: "resample" to its points, or the
    "mean" or "sum" of those from one grid point to the next. `normalization` is "window"
    (minimum and maximum of what is observed go to -1 and 1), "fixed" ((x - offset) / scale,
    clipped to [-1, 1]), "standard" ((x - offset) / scale) or "log" ((log(1 + max(x, 0)) -
    offset) / scale). What a graph imputes is clipped to [`minimum`, `maximum`]. `rate` is the
    nominal native sampling rate in Hz.
    """

    name: str
    sensor: str
    rate: float
    unit: str
    polarity: str
    minimum: float
    maximum: float
    aggregation: Literal["resample", "mean", "sum"] = "resample"
    normalization: Literal["window", "fixed", "standard", "log"]
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
    Where there is `Manifest.availability`, the minimum confidence is that of its patterns.
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
    step and a state, and gives the outputs of the window that ends there. Where a window is
    a day of tokens, an "embed" graph makes them of its samples, an "encode" graph takes
    those that there are, and a "decode" graph imputes every grid point from them.
    Where sensors are fused, a "sense" graph encodes the window of one `sensor`, a "fuse"
    graph answers from the sensors that are live, and a "decode" graph restores the signals
    of all.
    """

    file: str
    format: Literal["onnx", "tflite"]
    activations: Literal["u8", "s8"]
    role: Role = "window"
    sensor: str | None = None


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


class Group(Record, frozen=True, kw_only=True):
    """Channels that make a token together.

    `least` is at how many grid points of a patch any of them must be observed for the patch
    to be a token.
    """

    name: str
    channels: tuple[str, ...]
    least: int


class Tokens(Record, frozen=True, kw_only=True):
    """How a window of a day is cut into tokens: each group of channels in each patch.

    Token t * len(groups) + g is of group g in patch t. `patch` counts grid points, `width`
    the numbers of a token. `sizes` are the numbers of tokens that the encoder can take, the
    last of them all. `interpolated` is the channel whose nearest observed grid points the
    decoder is told; without it there is no decoder.
    """

    patch: int
    groups: tuple[Group, ...]
    width: int
    sizes: tuple[int, ...]
    interpolated: str | None = None


class Pattern(Record, frozen=True, kw_only=True):
    """What is asked where just these sensors are live.

    By task: the temperature by which its logits are divided, or the log-odds of its
    confidence if it is a regression; and the least confidence of an answer. A task that is
    not named abstains.
    """

    sensors: tuple[str, ...]
    temperatures: dict[str, float]
    minimum_confidence: dict[str, float]


class Availability(Record, frozen=True, kw_only=True):
    """From when on a sensor is live, and the patterns of live sensors that are calibrated.

    `least` is the share of observed grid points of all its channels from which a sensor is
    live. In a pattern that is not listed every task abstains.
    """

    least: float
    patterns: tuple[Pattern, ...]


class Fusion(Record, frozen=True, kw_only=True):
    """What the encoder of each sensor gives, and whether the signals can be restored from it.

    `tokens` tokens of `width` numbers each.
    """

    tokens: int
    width: int
    restores: bool


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
    tokens: Tokens | None = None
    availability: Availability | None = None
    fusion: Fusion | None = None
    plausible: tuple[Plausible, ...] = ()
    golden: Golden
    members: dict[str, Member]

    def sizes(self, role: Role) -> tuple[int, ...]:
        """How many grid points, or tokens, the graphs of a role take: each is a variant."""
        if self.tokens is not None and role == "embed":
            return self.tokens.patch, self.samples
        if self.tokens is not None and role == "encode":
            return self.tokens.sizes
        if self.step is not None and role == "step":
            return (self.step.samples,)
        return (self.samples,)

    def inputs(
        self, role: Role = "window", size: int | None = None, sensor: str | None = None
    ) -> Shapes:
        """Shape of each input of a graph by its name, for its largest size if None is given.

        Of the role "window" in a bundle of several graphs: of all of them together. The role
        "sense" is that of one sensor, which must be named.
        """
        size = self.sizes(role)[-1] if size is None else size
        if self.tokens is not None and role == "encode":
            return {TOKENS: (1, size, self.tokens.width), SLOTS: (1, size), CLOCK: (1, 1)}
        if self.fusion is not None and role in ("fuse", "decode"):
            count = len(self.sensors)
            sensed = (1, count * self.fusion.tokens, self.fusion.width)
            shapes: Shapes = {SENSED: sensed, LIVE: (1, count)}
            return shapes | self.scales if role == "fuse" else shapes
        channels = len(self.rows(sensor)) if role == "sense" else len(self.channels)
        shapes = dict.fromkeys(("values", "observed"), (1, channels, size))
        if self.tokens is not None:
            count = self.tokens.sizes[-1]
            if role == "decode":
                shapes = {ENCODED: (1, count, self.tokens.width), PRESENT: (1, count)} | shapes
                shapes |= {BEFORE: (1, size), AFTER: (1, size)}
            return shapes if role == "embed" else shapes | {CLOCK: (1, 1)}
        if role == "sense":
            return shapes
        if self.baseline is not None:
            shapes["baseline"] = (1, channels, 3)
        if role == "step" and self.step is not None:
            shapes[STATE] = (1, self.step.state)
        return shapes | self.scales

    def gives(
        self, role: Role = "window", size: int | None = None, sensor: str | None = None
    ) -> Shapes:
        """Shape of each output of a graph by its name, as `inputs`."""
        size = self.sizes(role)[-1] if size is None else size
        if self.tokens is not None and role == "embed":
            count = size // self.tokens.patch * len(self.tokens.groups)
            return {TOKENS: (1, count, self.tokens.width)}
        if self.tokens is not None and role == "encode":
            return self._answers | {ENCODED: (1, size, self.tokens.width)}
        if self.fusion is not None and role == "sense":
            return {SENSED: (1, self.fusion.tokens, self.fusion.width)}
        imputed: Shapes = {IMPUTED: (1, len(self.channels), self.samples)}
        if role == "decode":
            return imputed
        if role == "step" and self.step is not None:
            return self._answers | {NEXT_STATE: (1, self.step.state)}
        return self._answers | imputed if role == "window" and self.imputes else self._answers

    @property
    def imputes(self) -> bool:
        """Whether there is a graph that imputes what was not observed."""
        if self.tokens is not None:
            return self.tokens.interpolated is not None
        return self.fusion is not None and self.fusion.restores

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors, in the order of the channels."""
        return tuple(dict.fromkeys(channel.sensor for channel in self.channels))

    def rows(self, sensor: str | None) -> tuple[int, ...]:
        """The rows of a sensor's channels."""
        return tuple(row for row, c in enumerate(self.channels) if c.sensor == sensor)

    @property
    def scales(self) -> Shapes:
        """Shape of the inputs that tell an answering graph 1 / temperature of each task."""
        given = self.tasks if self.availability is not None else ()
        return {f"{task.name}{SCALE}": (1, 1) for task in given}

    @property
    def _answers(self) -> Shapes:
        shapes: Shapes = {EMBEDDING: (1, self.embedding[-1].stop)}
        for task in self.tasks:
            shapes[task.name] = (1, 2 if task.kind == "regression" else len(task.labels))
        if self.fusion is not None:
            shapes[WEIGHTS] = (1, len(self.sensors))
        return shapes

    @property
    def outputs(self) -> Shapes:
        """Shape of each output of a window by its name, the embedding first."""
        return self.gives()

    @property
    def period(self) -> float:
        """Seconds from one grid point to the next in a bundle with tokens: a whole number."""
        return float(round(1 / self.rate))

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the bundle besides the manifest, in the order of the zip."""
        graphs = (graph.file for graph in self.graphs)
        return tuple(sorted({*graphs, self.golden.file, PARITY_FILE, CARD_FILE}))
