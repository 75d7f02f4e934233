"""A bundle of days in; calls of `predict` with parts of the day missing, and of hops, out.

All of it in every engine that is installed. A hop is one new patch of a day that is observed
throughout: by the graphs alone, and by a stream that gets the samples of its 20 minutes in
one push of each channel. Beside it stands the whole window, computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import onwrist
from onwrist.simulate_days import START
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.chain import Chain
from onwrist_runtime.engines import Engine, open_engine, usable
from onwrist_runtime.interpreters import Array

Call = Callable[[], object]

MISSING = (0, 25, 50, 75)  # per cent of the patches of a day
HOP_GRAPHS, WINDOW_GRAPHS = "hop, graphs alone", "window, graphs alone"
HOP_STREAM, HOP_ANEW = "hop of a stream", "hop of a stream that embeds anew"


@dataclass(frozen=True)
class Predict:
    """A call of `predict` on a day of which so many per cent of the patches are missing."""

    engine: str
    impute: bool
    missing: int


@dataclass(frozen=True)
class Hop:
    """One new patch, or the whole window for comparison."""

    engine: str
    what: str


@dataclass(frozen=True)
class Embeds:
    """What a day of hops embeds: runs of the graph, and patches in them."""

    hops: int
    runs: int
    patches: int


class Counted:
    """An engine that counts how often it runs, and on how many grid points."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads
        self._run = engine.run
        self.runs = self.points = 0

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        self.runs += 1
        self.points += inputs["values"].shape[2]
        return self._run(inputs)


class Wearer:
    """A stream that gets a patch of the same day with every call, and predicts with each."""

    def __init__(self, model: onwrist.Model, day: Array) -> None:
        cut = model.engine.cut
        self._names, self._period, self._day = model.channels, cut.period, day
        self._points = np.arange(cut.patch)
        self._time = START
        # Channels come one after the other, a whole patch each: none of them is late.
        self._stream = model.stream(lateness=cut.patch * cut.period, impute=False)
        for _ in range(cut.patches + 2):
            self._push()
        self.hop()
        assert all(share == 1.0 for share in self._stream.coverage.values())

    def hop(self) -> None:
        """Push a patch, and get the prediction that has come due."""
        given = self._push()
        assert given == 1, f"{given} predictions in a hop"

    def anew(self) -> None:
        """The same without the tokens of the patches before, as after a restore."""
        rolling = self._stream._rolling
        rolling.grid = rolling.grid
        self.hop()

    def _push(self) -> int:
        first = round((self._time - START) / self._period) % self._day.shape[1]
        times = self._time + self._points * self._period
        given = 0
        for row, name in enumerate(self._names):
            samples = self._day[row, first : first + len(times)]
            given += sum(1 for _ in self._stream.push(name, times, samples))
        self._time += len(times) * self._period
        return given


def calls_of(bundle: Bundle, day: Array) -> dict[object, Call]:
    """Everything that races."""
    calls: dict[object, Call] = {}
    for engine in usable(bundle):
        model = onwrist.Model(bundle, open_engine(bundle, engine))
        for missing in MISSING:
            values = without(day, missing, model.engine.cut.patch)
            for impute in (False, True):
                calls[Predict(engine, impute, missing)] = _predicting(model, values, impute)
        calls |= _hops(model, engine, day)
    return calls


def _predicting(model: onwrist.Model, values: Array, impute: bool) -> Call:
    return lambda: model.predict(values, start=START, impute=impute)


def _hops(model: onwrist.Model, engine: str, day: Array) -> dict[object, Call]:
    chain = model.engine
    patch, seen = chain.cut.patch, np.ones(day.shape, np.bool_)
    tokens, present = chain.embed(day, seen), chain.cut.present(seen)
    fresh, seen_now = day[:, -patch:], seen[:, -patch:]
    kept = tokens[len(chain.cut.rows) :]

    def hop() -> object:
        whole = np.concatenate([kept, chain.embed(fresh, seen_now)])
        return chain.answer(whole, present, day, seen, 0, False)

    return {
        Hop(engine, HOP_GRAPHS): hop,
        Hop(engine, WINDOW_GRAPHS): lambda: chain.window(day, seen, 0, False),
        Hop(engine, HOP_STREAM): Wearer(model, day).hop,
        Hop(engine, HOP_ANEW): Wearer(model, day).anew,
    }


def without(day: Array, per_cent: int, patch: int) -> Array:
    """The day with so many per cent of its patches missing in all channels, at random."""
    patches = day.shape[1] // patch
    gone = np.zeros(patches, np.bool_)
    gone[np.random.default_rng(0).permutation(patches)[: patches * per_cent // 100]] = True
    missing: NDArray[np.bool_] = np.repeat(gone, patch)
    return np.where(missing, np.float32(np.nan), day)


def embeds(bundle: Bundle, day: Array) -> Embeds:
    """What the embed graph does in a stream over the hops of a day."""
    engine = usable(bundle)[0]
    roles = {role: open_engine(bundle, engine, 1, role) for role in ("embed", "encode")}
    counted = Counted(roles["embed"])
    chain = Chain(bundle.manifest, counted, roles["encode"], None)
    wearer = Wearer(onwrist.Model(bundle, chain), day)
    counted.runs = counted.points = 0
    for _ in range(chain.cut.patches):
        wearer.hop()
    return Embeds(chain.cut.patches, counted.runs, counted.points // chain.cut.patch)
