"""Graphs of a day that are small enough to calculate by hand, in ONNX and in TFLite.

With whole numbers in, every result but the confidence is exact
in float32, whatever order an engine adds in, as that of an integer layer is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from toy_nodes import Node, onnx_of, tflite_of

from onwrist_runtime.manifest import Manifest, Role, Shapes

Array = NDArray[np.float32]

# Sums of steps, intensity and heart rate, then how many of each were observed, to the four
# numbers of the tokens `activity` and `heart`.
MIX = np.zeros((6, 8), np.float32)
MIX[[0, 1, 3, 4], [0, 1, 2, 3]] = 1.0
MIX[[2, 5, 2, 5], [4, 5, 6, 7]] = [1.0, 1.0, -1.0, 2.0]


def day_tokens(values: Array, observed: NDArray[np.bool_], patch: int) -> Array:
    """What embed must give for one window (3, S): (patches * 2, 4)."""
    seen = np.where(observed, values, 0).reshape(3, -1, patch).sum(axis=2)
    count = observed.reshape(3, -1, patch).sum(axis=2)
    tokens = np.concatenate([seen, count]).T @ MIX
    return tokens.reshape(-1, 4).astype(np.float32)


def day_outputs(
    values: Array, observed: NDArray[np.bool_], clock: float, patch: int = 120
) -> dict[str, Array]:
    """What a bundle must give for one window (3, S), with everything said in plain numpy."""
    tokens = day_tokens(values, observed, patch)
    by_patch = observed.reshape(3, -1, patch)
    activity = (by_patch[0] | by_patch[1]).sum(axis=1) >= 1
    present = np.stack([activity, by_patch[2].sum(axis=1) >= 30], axis=1).ravel()
    slots = np.flatnonzero(present)
    weighted = (slots[:, None] + 1) * tokens[slots]
    count = max(len(slots), 1)
    embedding = np.concatenate(
        [tokens[slots].sum(axis=0), weighted.sum(axis=0) + clock * count]
    )
    points = np.arange(values.shape[1])
    heart = np.flatnonzero(observed[2])
    before = [max(heart[heart <= k], default=-1) for k in points]
    after = [min(heart[heart >= k], default=len(points)) for k in points]
    base = np.array(before) + 2 * np.array(after) + clock + 1000 * present.sum()
    imputed = base + weighted.sum() + 3 * np.where(observed, values, 0) + observed
    return {
        "embedding": (embedding / count)[None].astype(np.float32),
        "active_minutes": np.array([[len(slots), 1 / (1 + np.exp(-clock))]], np.float32),
        "imputed": imputed[None].astype(np.float32),
    }


CONSTANTS = {
    "mix": MIX,
    "zero": np.float32([0]),
    "one": np.float32([1]),
    "two": np.float32([2]),
    "three": np.float32([3]),
    "thousand": np.float32([1000]),
}


def nodes_of(role: Role, patch: int, points: int) -> list[Node]:
    """The graph of a role."""
    if role == "embed":
        return [
            Node("mul", ("values", "observed"), "seen"),
            Node("reshape", ("seen",), "cut", (3, -1, patch)),
            Node("reshape", ("observed",), "cut_observed", (3, -1, patch)),
            Node("sum", ("cut",), "sums", (2,)),
            Node("sum", ("cut_observed",), "counts", (2,)),
            Node("concat", ("sums", "counts"), "both", (0,)),
            Node("transpose", ("both",), "rows", (1, 0)),
            Node("matmul", ("rows", "mix"), "mixed"),
            Node("reshape", ("mixed",), "tokens", (1, -1, 4)),
        ]
    if role == "encode":
        return [
            Node("add", ("slots", "one"), "after_slots"),
            Node("min", ("after_slots", "one"), "valid"),
            Node("reshape", ("after_slots",), "weights", (1, -1, 1)),
            Node("reshape", ("valid",), "valids", (1, -1, 1)),
            Node("mul", ("tokens", "weights"), "encoded"),
            Node("mul", ("tokens", "valids"), "used"),
            Node("sum", ("used",), "day", (1,)),
            Node("sum", ("encoded",), "recent", (1,)),
            Node("sum", ("valid",), "few", (1,)),
            Node("reshape", ("few",), "count", (1, 1)),
            Node("max", ("count", "one"), "least"),
            Node("div", ("day", "least"), "mean"),
            Node("div", ("recent", "least"), "recent_mean"),
            Node("add", ("recent_mean", "clock"), "recent_clock"),
            Node("concat", ("mean", "recent_clock"), "embedding", (1,)),
            Node("sigmoid", ("clock",), "sure"),
            Node("concat", ("count", "sure"), "active_minutes", (1,)),
        ]
    return [
        Node("sum", ("encoded",), "by_width", (1,)),
        Node("sum", ("by_width",), "total", (1,)),
        Node("sum", ("present",), "few", (1,)),
        Node("mul", ("few", "thousand"), "thousands"),
        Node("add", ("total", "thousands"), "sum"),
        Node("mul", ("after", "two"), "twice"),
        Node("add", ("before", "twice"), "between"),
        Node("add", ("between", "sum"), "based"),
        Node("add", ("based", "clock"), "timed"),
        Node("reshape", ("timed",), "row", (1, 1, points)),
        Node("mul", ("values", "three"), "thrice"),
        Node("add", ("thrice", "observed"), "known"),
        Node("add", ("known", "row"), "imputed"),
    ]


def onnx_day(manifest: Manifest, role: Role) -> bytes:
    """The graph of a role, with a symbolic dimension where it has several sizes."""
    return onnx_of(*_parts(manifest, role))


def tflite_day(manifest: Manifest, role: Role) -> bytes:
    """The graph of a role: a subgraph and a signature for each size, if there are several."""
    return tflite_of(*_parts(manifest, role), [*map(str, manifest.sizes(role))])


def _parts(
    manifest: Manifest, role: Role
) -> tuple[list[Node], dict[str, Array], list[Shapes], list[Shapes]]:
    assert manifest.tokens is not None
    nodes = nodes_of(role, manifest.tokens.patch, manifest.samples)
    takes = [manifest.inputs(role, size) for size in manifest.sizes(role)]
    gives = [manifest.gives(role, size) for size in manifest.sizes(role)]
    return nodes, CONSTANTS, takes, gives
