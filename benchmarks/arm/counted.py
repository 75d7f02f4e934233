"""The committed counts: a file in, records out, and what has become dearer since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_runtime.errors import InputError

COMMITTED = Path(__file__).parents[1] / "results/arm_counts.json"
SCHEMA: Literal["onwrist-arm-counts/1"] = "onwrist-arm-counts/1"
TOLERATED = 0.02  # of a count
UPDATE = "make counts, and say in the commit why they rose"


@dataclass(frozen=True)
class Count:
    """What one call executes on a core, all of it the median of calls.

    Attributes
    ----------
    role : of a graph, and of which size of several; or "predict" or "push".
    calls : that were counted in each run, a process of its own.
    instructions : the median of runs; `least` and `most` are the smallest and largest run.
    empty : instructions of a region whose call does nothing, left out of the others.
    loads, stores : accesses; a pair or a vector of 16 bytes is two.
    l1d_misses, l1i_misses, l2_misses : of that core's caches.
    """

    bundle: str
    role: str
    precision: Literal["int8", "fp32"]
    engine: Literal["litert", "onnxruntime"]
    core: str
    calls: int
    runs: int
    instructions: int
    least: int
    most: int
    empty: int
    loads: int
    stores: int
    l1d_misses: int
    l1i_misses: int
    l2_misses: int

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What was counted, and where."""
        return self.bundle, self.role, self.precision, self.engine, self.core

    @property
    def is_engine(self) -> bool:
        """Whether it is a graph alone."""
        return self.role not in ("predict", "push")


@dataclass(frozen=True)
class Counted:
    """A file of counts, and the conditions of all of them."""

    schema: Literal["onwrist-arm-counts/1"]
    conditions: dict[str, str]
    counts: tuple[Count, ...]


def read(path: Path) -> Counted:
    """Read a file of counts.

    Raises
    ------
    InputError
        There is none, or it is not one of this schema.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Counted)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is not a file of counts ({SCHEMA}): {error}") from None


def committed() -> tuple[Count, ...]:
    """The committed counts; none before the first.

    Raises
    ------
    InputError
        As in `read`.
    """
    return read(COMMITTED).counts if COMMITTED.exists() else ()


def dearer(before: Sequence[Count], now: Sequence[Count]) -> list[str]:
    """What executes more than is tolerated, or was never counted, in words."""
    known = {count.key: count for count in before}
    found = []
    for count in now:
        if count.key not in known:
            found.append(f"{_words(count)}: no count of it is committed")
        elif count.instructions > known[count.key].instructions * (1 + TOLERATED):
            found.append(_change(known[count.key], count))
    return found


def cheaper(before: Sequence[Count], now: Sequence[Count]) -> list[str]:
    """What executes less by more than is tolerated, in words."""
    known = {count.key: count for count in before}
    return [
        _change(known[count.key], count)
        for count in now
        if count.key in known
        and count.instructions < known[count.key].instructions * (1 - TOLERATED)
    ]


def _words(count: Count) -> str:
    return f"{count.bundle} {count.role}, {count.precision}, {count.engine}, {count.core}"


def _change(before: Count, now: Count) -> str:
    share = now.instructions / before.instructions - 1
    return (
        f"{_words(now)}: {before.instructions} instructions before, "
        f"{now.instructions} now ({share:+.1%})"
    )
