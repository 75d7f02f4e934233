"""What fusion methods gave for every case, kept in one file; from it all tables are made.

A file is a .safetensors: tensors named `truth/TASK`, `logits/METHOD/CONDITION/TASK` and
`weights/METHOD`, and `available`; names and subjects are JSON in its header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from onwrist.files import written_beside
from onwrist_runtime.errors import InputError

AS_RECORDED = "as recorded"
PARTIAL = ("25 % missing", "50 % missing", "75 % missing")
FORMAT = "onwrist fusion evidence 1"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What several methods gave for every case, each by models that never saw its subject.

    W cases, S sensors, K labels of a task.

    Attributes
    ----------
    sensors : S names.
    labels : by task.
    subjects : (W,) who.
    cases : (W,) name of the trial.
    available : (W, S) which sensors really recorded, bool.
    truth : by task, (W,) index of the label.
    logits : method, condition, task to (W, K), float32; a row of NaN where the case was not
        asked. A condition is a subset as `named` writes it, of which every sensor must be
        available, or `AS_RECORDED`, or one of `PARTIAL`.
    weights : method to (W, S, S), attention from sensor (row) to sensor; NaN where not live.
    """

    sensors: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    subjects: NDArray[np.str_]
    cases: NDArray[np.str_]
    available: NDArray[np.bool_]
    truth: dict[str, NDArray[np.int64]]
    logits: dict[str, dict[str, dict[str, NDArray[np.float32]]]]
    weights: dict[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        count, width = len(self.subjects), len(self.sensors)
        shapes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
            ("cases", self.cases.shape, (count,)),
            ("available", self.available.shape, (count, width)),
        ]
        shapes += [(f"truth of {t}", x.shape, (count,)) for t, x in self.truth.items()]
        shapes += [
            (f"logits of {m}, {c}, {t}", x.shape, (count, len(self.labels[t])))
            for m, conditions in self.logits.items()
            for c, tasks in conditions.items()
            for t, x in tasks.items()
        ]
        square = (count, width, width)
        shapes += [(f"weights of {m}", x.shape, square) for m, x in self.weights.items()]
        for what, found, wanted in shapes:
            if found != wanted:
                raise InputError(f"{what} have the shape {found}, not {wanted}")
        for method, conditions in self.logits.items():
            for condition, tasks in conditions.items():
                for task, x in tasks.items():
                    finite = np.isfinite(x)
                    if (finite.any(axis=1) & ~finite.all(axis=1)).any():
                        raise InputError(
                            f"logits of {method}, {condition}, {task} have rows that are "
                            "partly not finite: a row is numbers, or NaN throughout"
                        )

    def save(self, path: Path) -> None:
        """Write one file, whole or not at all."""
        tensors: dict[str, NDArray[np.generic]] = {"available": self.available}
        tensors |= {f"truth/{task}": x for task, x in self.truth.items()}
        tensors |= {
            f"logits/{method}/{condition}/{task}": x
            for method, conditions in self.logits.items()
            for condition, tasks in conditions.items()
            for task, x in tasks.items()
        }
        tensors |= {f"weights/{method}": x for method, x in self.weights.items()}
        header = {
            "format": FORMAT,
            "sensors": json.dumps(self.sensors),
            "labels": json.dumps(self.labels),
            "subjects": json.dumps(self.subjects.tolist()),
            "cases": json.dumps(self.cases.tolist()),
            # The header sorts tensors; tables keep the order in which methods were given.
            "methods": json.dumps(list(self.logits)),
            "conditions": json.dumps({m: list(c) for m, c in self.logits.items()}),
        }
        with written_beside(path) as beside:
            # safetensors writes memory as it lies, whatever the order of its axes.
            save_file({k: np.ascontiguousarray(x) for k, x in tensors.items()}, beside, header)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            The file is absent, or not such a file.
        """
        try:
            with safe_open(path, "numpy") as file:
                header: Mapping[str, str] = file.metadata() or {}
                if header.get("format") != FORMAT:
                    raise InputError(f"{path} holds no evidence of fusion methods")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read as evidence: {error}") from error
        labels = {task: tuple(names) for task, names in json.loads(header["labels"]).items()}
        conditions = json.loads(header["conditions"])
        return cls(
            sensors=tuple(json.loads(header["sensors"])),
            labels=labels,
            subjects=np.array(json.loads(header["subjects"]), str),
            cases=np.array(json.loads(header["cases"]), str),
            available=tensors["available"],
            truth={task: tensors[f"truth/{task}"] for task in labels},
            logits={
                method: {
                    condition: {
                        task: tensors[name]
                        for task in labels
                        if (name := f"logits/{method}/{condition}/{task}") in tensors
                    }
                    for condition in conditions[method]
                }
                for method in json.loads(header["methods"])
            },
            weights={
                name.removeprefix("weights/"): tensor
                for name, tensor in tensors.items()
                if name.startswith("weights/")
            },
        )


def named(sensors: Sequence[str]) -> str:
    """The condition in which just these sensors are given: `wrist+ankle`."""
    return "+".join(sensors)


def subsets(sensors: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset that is not empty, small ones first, each in the order of `sensors`."""
    return [x for n in range(1, len(sensors) + 1) for x in combinations(sensors, n)]
