"""A report: records that say what was measured on what, and REPORT.json in and out.

REPORT.md is the specification. Names end in the unit of what they hold; None is always
"not known here", never 0.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from onwrist.files import written_beside
from onwrist_runtime.errors import InputError

SCHEMA: Literal["onwrist-bench/1"] = "onwrist-bench/1"

Mode = Literal["warm", "after idle"]
# "predict with" names the only sensors that were live, of a bundle that fuses several.
What = Annotated[
    str, Meta(pattern=r"^(predict|engine|step|push|predict with [A-Za-z0-9_.+-]{1,9999})$")
]
Tier = Literal["measured", "emulated", "not valid"]
Microseconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all records of a report."""


class Plan(Record, frozen=True, kw_only=True):
    """What was asked for."""

    threads: Count
    core: int | None
    warm_s: float
    idle_s: float
    every_s: float


class Model(Record, frozen=True, kw_only=True):
    """What ran: SHA-256 of the bundle's manifest, and of each graph's file by its name."""

    name: str
    version: str
    sha256: str
    engine: str
    graphs: dict[str, str]


class Core(Record, frozen=True, kw_only=True):
    """Processors of one kind, as /proc/cpuinfo numbers and describes them."""

    processors: tuple[int, ...]
    name: str | None
    implementer: str | None
    part: str | None
    variant: str | None
    revision: str | None


class Machine(Record, frozen=True, kw_only=True):
    """What it ran on; `machine` is the kernel's, `bits` are Python's."""

    board: str | None
    kernel: str
    libc: str | None
    machine: str
    bits: int
    cores: tuple[Core, ...]
    features: tuple[str, ...]
    memory_bytes: int | None


class Emulation(Record, frozen=True, kw_only=True):
    """Whether the processor is imitated by software, and what says so."""

    emulated: bool | None
    signs: tuple[str, ...]
    hypervisor: bool | None


class Clock(Record, frozen=True, kw_only=True):
    """Of one processor."""

    processor: int
    governor: str | None
    minimum_hz: int | None
    maximum_hz: int | None
    current_hz: int | None


class Zone(Record, frozen=True, kw_only=True):
    """One thermal zone."""

    name: str
    celsius: float


class Battery(Record, frozen=True, kw_only=True):
    """One battery; its current is as the driver signs it."""

    name: str
    status: str | None
    current_a: float | None
    voltage_v: float | None


class State(Record, frozen=True, kw_only=True):
    """What changes while a machine works.

    `throttled` has what `vcgencmd get_throttled` says in words, () for nothing; `cooling`
    the devices that hold a clock down at this moment; `throttle_events` what x86 counted
    since it started.
    """

    clocks: tuple[Clock, ...]
    temperatures: tuple[Zone, ...]
    throttled: tuple[str, ...] | None
    cooling: tuple[str, ...] | None
    throttle_events: int | None
    load_average: float | None
    batteries: tuple[Battery, ...]


class Load(Record, frozen=True, kw_only=True):
    """What others took while the warm calls ran.

    `waited_share` is the time that this process could have run but was not let, `stolen_share`
    what a hypervisor took of all processors, `other_processors` how many of them other
    processes kept busy.
    """

    waited_share: float | None
    stolen_share: float | None
    other_processors: float | None


class Start(Record, frozen=True, kw_only=True):
    """A cold start: the seconds of its parts, and the memory that was resident."""

    import_s: float | None
    load_s: float
    first_s: float
    resident_before_bytes: int | None
    resident_bytes: int | None
    peak_bytes: int | None


class Cold(Record, frozen=True, kw_only=True):
    """Cold starts, each in a process of its own unless `reason` says why not."""

    starts: Annotated[tuple[Start, ...], Meta(min_length=1)]
    reason: str | None


class Outputs(Record, frozen=True, kw_only=True):
    """SHA-256 of each output over the golden vectors of one graph, and how `verify` went."""

    role: str
    graph: str
    vectors: int
    sha256: dict[str, str]
    passed: bool
    differences: dict[str, float | None]


class Series(Record, frozen=True, kw_only=True):
    """Latencies of one call in one mode, in microseconds.

    A quantile that fewer than three calls lie beyond is None. `samples` are `calls` of them,
    or evenly thinned ones in the order of time.
    """

    what: What
    mode: Mode
    calls: Count
    least_us: Microseconds
    p50_us: Microseconds
    p50_low_us: Microseconds
    p50_high_us: Microseconds
    p90_us: Microseconds | None
    p99_us: Microseconds | None
    p999_us: Microseconds | None
    most_us: Microseconds
    drift: float | None
    engine_p50_us: Microseconds | None
    samples_us: Annotated[tuple[Microseconds, ...], Meta(min_length=1)]


class Counters(Record, frozen=True, kw_only=True):
    """Mean events of a warm call in user space, by call and event; or why there are none.

    A push is not counted: the samples that it takes are made in between.
    """

    per_call: dict[What, dict[str, float]]
    reason: str | None


class Energy(Record, frozen=True, kw_only=True):
    """Mean power of the whole device while it measured, from a meter; or why there is none."""

    mean_power_w: float | None
    source: str | None
    readings: int
    reason: str | None


class Verdict(Record, frozen=True, kw_only=True):
    """Whether the latencies can be quoted; `notes` do not make them invalid."""

    valid: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


class Report(Record, frozen=True, kw_only=True):
    """Everything that a benchmark found."""

    schema: Literal["onwrist-bench/1"]
    tier: Tier
    date: str
    seconds: float
    plan: Plan
    model: Model
    machine: Machine
    versions: dict[str, str]
    emulation: Emulation
    before: State
    after: State
    load: Load
    cold: Cold
    outputs: tuple[Outputs, ...]
    series: Annotated[tuple[Series, ...], Meta(min_length=1)]
    counters: Counters
    energy: Energy
    verdict: Verdict


class _Named(msgspec.Struct):
    schema: str


def encode(report: Report) -> bytes:
    """The bytes of a report; lists of numbers take one line."""
    text = msgspec.json.format(msgspec.json.encode(report), indent=1).decode()
    # A string has no line feed in it, so that none is taken for a list.
    one_line = re.sub(r"\[\n[\d\s.,eE+-]+\]", lambda found: re.sub(r"\s+", "", found[0]), text)
    return one_line.encode() + b"\n"


def decode(raw: bytes) -> Report:
    """Read the bytes of a report.

    Raises
    ------
    InputError
        They are no JSON, of another schema, or not what the schema describes.
    """
    try:
        schema = msgspec.json.decode(raw, type=_Named).schema
        if schema != SCHEMA:
            raise InputError(f"a report of schema {schema!r}; this version reads {SCHEMA!r}")
        return msgspec.json.decode(raw, type=Report)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a report of `onwrist bench`: {error}") from None


def read(path: str | os.PathLike[str]) -> Report:
    """Read a report from a file.

    Raises
    ------
    InputError
        It is missing, or no report of this schema.
    """
    try:
        return decode(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path} is {error}") from None


def write(path: Path, report: Report) -> None:
    """Write a report whole or not at all.

    Raises
    ------
    OSError
        It cannot be written.
    """
    with written_beside(path) as beside:
        beside.write_bytes(encode(report))
