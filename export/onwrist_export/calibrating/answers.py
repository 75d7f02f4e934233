"""Windows and a bundle in, what its graphs say of each pattern of live sensors out.

A window is given just the sensors of a pattern, whole and with shares of their samples gone
in spans. It counts for the pattern if just these sensors are then live, and for a task if it
is labelled and covered as the task asks. Arrays: W windows, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onwrist_export.calibrating.scaled import subsets
from onwrist_export.quantization.check import answerable
from onwrist_export.quantization.stepwise import IN_TIME, NEXT_STATE, STATE
from onwrist_export.windows.damage import spans
from onwrist_export.windows.grids import Run, Windows, run_all
from onwrist_runtime.availability import Patterns
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import open_engine, steps, usable
from onwrist_runtime.errors import EngineError
from onwrist_runtime.manifest import Manifest, Role

Array = NDArray[np.float64]
Told = tuple[tuple[str, ...], "dict[str, Answers]"]  # a pattern, and what is said by task

SHARES = (0.0, 0.25, 0.5, 0.75)  # of every sensor, independently
# Logits are read at a scale at which float32 does not round a probability to 1.
READ = 0.125
ARRAYS = ("logits", "truth", "subjects", "missing", "value", "target")


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of one task in one pattern, before any temperature.

    Attributes
    ----------
    logits : (W, K); of a rate (0, log-odds of its confidence), so that the probability of
        the second is its confidence.
    truth : (W,) the true label; of a rate 1 where the value is within the tolerance, else 0.
    subjects, missing : (W,) the person, and the share of samples that was taken away.
    value, target : (W,) of a rate, what was said and what is true.
    rate : whether it is a rate.
    """

    logits: Array
    truth: NDArray[np.int64]
    subjects: NDArray[np.str_]
    missing: Array
    value: Array
    target: Array
    rate: bool

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def people(self) -> tuple[str, ...]:
        return tuple(np.unique(self.subjects).tolist())

    def select(self, which: NDArray[np.bool_]) -> Answers:
        """Those at `which`."""
        return Answers(*(getattr(self, name)[which] for name in ARRAYS), self.rate)


class Teller:
    """A prepared bundle in the engine at hand, with all scales alike.

    Attributes
    ----------
    roles : the graphs that answer: of windows, and of steps if there are any.
    """

    def __init__(self, prepared: Bundle, tolerances: Mapping[str, float]) -> None:
        names = usable(prepared)
        if not names:
            raise EngineError("no engine that can run this bundle is installed")
        self.manifest, self._tolerances = prepared.manifest, tolerances
        self._patterns = Patterns(self.manifest)
        self._runs: dict[Role, Run] = {"window": open_engine(prepared, names[0]).run}
        if steps(prepared, names[0]):
            step = open_engine(prepared, names[0], role="step").run
            self._runs["step"] = _last_step(step, self.manifest)
        self.roles = tuple(self._runs)

    def answers(self, windows: Mapping[Role, Windows]) -> Iterator[Told]:
        """What is said of each task in each pattern of live sensors, the fullest first."""
        masks = {
            (role, share): lost(whole, self.manifest, share)
            for role, whole in windows.items()
            for share in SHARES
        }
        for sensors in subsets(self.manifest):
            found: dict[str, list[Answers]] = {task.name: [] for task in self.manifest.tasks}
            for (role, share), kept in masks.items():
                cases = self._given(windows[role], kept, sensors)
                if len(cases):
                    outputs = run_all(self._runs[role], cases)
                    for task, answers in self._read(cases, outputs, share):
                        found[task].append(answers)
            yield sensors, {task: _together(parts) for task, parts in found.items() if parts}

    def _given(
        self, windows: Windows, kept: NDArray[np.bool_], sensors: Sequence[str]
    ) -> Windows:
        """The windows of which just these sensors are given, where just these are live.

        Of every second window nothing is known of what came before it.
        """
        kept = kept.copy()
        for sensor in set(self.manifest.sensors) - set(sensors):
            kept[:, list(self.manifest.rows(sensor))] = False
        damaged = windows.without(kept)
        wanted = tuple(sensor in sensors for sensor in self._patterns.sensors)
        own = damaged.alone().observed
        which = [self._patterns.of(observed).live == wanted for observed in own]
        if windows.baseline is not None:
            known = windows.baseline.copy()
            known[1::2] = 0
            damaged = replace(damaged, baseline=known)
        chosen = damaged.select(np.array(which, bool))
        scale = np.full((len(chosen), 1), READ, np.float32)
        return replace(chosen, scales=dict.fromkeys(self.manifest.scales, scale))

    def _read(
        self, windows: Windows, outputs: Mapping[str, Array], share: float
    ) -> Iterator[tuple[str, Answers]]:
        names = [channel.name for channel in self.manifest.channels]
        for task in self.manifest.tasks:
            target = windows.targets[task.name]
            known = ~np.isnan(target) & answerable(task, windows, names)
            output = outputs[task.name]
            rate = task.kind == "regression"
            logits = _log_odds(output[:, 1]) if rate else _logs(output)
            logits /= READ
            truth = (
                np.abs(output[:, 0] - target) <= self._tolerances[task.name] if rate else target
            )
            # A rate of a signal that holds none has no confidence at any temperature.
            known &= np.isfinite(logits).all(axis=1)
            arrays = (
                logits,
                np.where(known, truth, 0).astype(np.int64),
                windows.subjects,
                np.full(len(windows), share),
                output[:, 0],
                target,
            )
            yield task.name, Answers(*arrays, rate).select(known)


def _logs(probabilities: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probabilities))


def _log_odds(confidence: Array) -> Array:
    """(W, 2): zeros beside the log-odds."""
    with np.errstate(divide="ignore"):
        odds = np.log(confidence) - np.log1p(-confidence)
    return np.column_stack([np.zeros(len(odds)), odds])


def lost(windows: Windows, manifest: Manifest, share: float) -> NDArray[np.bool_]:
    """Which samples (W, C, N) stay where each sensor loses this share of them, in spans."""
    rng = np.random.default_rng(round(share * 100))
    kept = np.ones(windows.observed.shape, bool)
    for sensor in manifest.sensors if share else ():
        own = spans(rng, np.full(len(windows), share), windows, manifest.rate)
        kept[:, list(manifest.rows(sensor))] = own[:, np.newaxis]
    return kept


def _last_step(run: Run, manifest: Manifest) -> Run:
    """The outputs of the last step, as a function of a window with its context."""
    step = manifest.step
    assert step is not None

    def last(inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.generic]]:
        outputs: Mapping[str, NDArray[np.generic]] = {}
        state = np.zeros((1, step.state), np.float32)
        for start in range(0, inputs["values"].shape[-1], step.samples):
            part = slice(start, start + step.samples)
            cut = {name: np.ascontiguousarray(inputs[name][..., part]) for name in IN_TIME}
            outputs = run({**inputs, **cut, STATE: state})
            state = outputs[NEXT_STATE].astype(np.float32)
        return {name: x for name, x in outputs.items() if name != NEXT_STATE}

    return last


def _together(parts: Sequence[Answers]) -> Answers:
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS)
    return Answers(*arrays, parts[0].rate)
