"""Graphs of four sensors that are small enough to calculate by hand, in ONNX and in TFLite.

A token of a sensor is of half a window: the sum of all its samples, the sum of those of its
first channel, and how many were observed. With S the tokens of a sensor added up, the embedding
is the mean of S over the live sensors, the k-th of which counts k times.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from toy_nodes import Node, onnx_of, tflite_of

from onwrist_runtime.manifest import (
    FORMAT_VERSION,
    Availability,
    Channel,
    Fusion,
    Golden,
    Graph,
    Manifest,
    Pattern,
    Role,
    Stage,
    Task,
)

Array = NDArray[np.float32]
Parts = tuple[Manifest, dict[str, bytes]]

SENSORS = ("wrist", "chest", "waist", "ankle")
# Sensor of each channel; those of the waist do not lie together.
CHANNELS = {
    "wrist_x": "wrist",
    "wrist_y": "wrist",
    "chest": "chest",
    "waist_x": "waist",
    "ankle": "ankle",
    "waist_y": "waist",
}
SAMPLES = 40
SUBSETS = [subset for count in range(1, 5) for subset in combinations(SENSORS, count)]
LOGITS = np.float32([[1, -1, 2], [3, 1, -2], [0, 1, 0]]) / 128
CONSTANTS = {
    "by_logit": LOGITS,
    "first": np.float32([[1], [0], [0]]),
    "second": np.float32([[0], [1 / 64], [0]]),
    "importance": np.float32([[1, 2, 3, 4]]),
    "places": np.arange(6 * SAMPLES, dtype=np.float32).reshape(1, 6, SAMPLES),
}


def fusion_manifest() -> Manifest:
    """Two tasks; every subset of sensors is calibrated but that of wrist, waist and ankle.

    The ankle alone is calibrated for the activity only.
    """
    patterns = []
    for number, subset in enumerate(SUBSETS):
        if subset == ("wrist", "waist", "ankle"):
            continue
        temperatures = {"activity": 1.0 + number / 10, "effort": 2.0 - number / 10}
        minimum = {"activity": 0.4, "effort": 0.3}
        if subset == ("ankle",):
            del temperatures["effort"], minimum["effort"]
        patterns.append(
            Pattern(sensors=subset, temperatures=temperatures, minimum_confidence=minimum)
        )
    graphs = [
        Graph(
            file=f"sense.{sensor}.s8.onnx",
            format="onnx",
            activations="s8",
            role="sense",
            sensor=sensor,
        )
        for sensor in SENSORS
    ]
    graphs.append(Graph(file="fuse.s8.onnx", format="onnx", activations="s8", role="fuse"))
    graphs.append(Graph(file="decode.s8.onnx", format="onnx", activations="s8", role="decode"))
    outputs = ("embedding", "activity", "effort", "weights", "imputed")
    return Manifest(
        format=FORMAT_VERSION,
        name="toy-fusion",
        version="1.0",
        description="Graphs of four sensors that are small enough to calculate by hand.",
        licence="Apache-2.0",
        rate=20.0,
        samples=SAMPLES,
        channels=tuple(
            Channel(
                name=name,
                sensor=sensor,
                rate=20.0,
                unit="g",
                polarity="up",
                minimum=-100.0,
                maximum=100.0,
                normalization="fixed",
            )
            for name, sensor in CHANNELS.items()
        ),
        embedding=(Stage(name="fused", start=0, stop=3, stride=20, receptive_field=40),),
        tasks=(
            Task(
                name="activity",
                kind="classification",
                labels=("walking", "sitting", "falling"),
                required={},
                minimum_confidence=0.0,
            ),
            Task(
                name="effort", kind="regression", unit="W", required={}, minimum_confidence=0.0
            ),
        ),
        graphs=tuple(graphs),
        availability=Availability(least=0.5, patterns=tuple(patterns)),
        fusion=Fusion(tokens=2, width=3, restores=True),
        golden=Golden(
            file="golden.safetensors",
            windows=len(SUBSETS),
            tolerance=dict.fromkeys(outputs, 1e-4),
            loose=dict.fromkeys(outputs, 1e-3),
        ),
        members={},
    )


def fusion_outputs(
    values: Array, observed: NDArray[np.bool_], temperatures: Mapping[str, float]
) -> dict[str, Array]:
    """What a bundle must give for one window (6, N), some sensor of which is live."""
    summed, weights, live = np.zeros(3), np.zeros(4), 0
    total = 0.0
    for k, sensor in enumerate(SENSORS):
        rows = [row for row, of in enumerate(CHANNELS.values()) if of == sensor]
        if observed[rows].mean() < 0.5:
            continue
        seen = np.where(observed[rows], values[rows], 0).astype(np.float64)
        of_sensor = np.array([seen.sum(), seen[0].sum(), observed[rows].sum()])
        weights[k] = k + 1
        summed += (k + 1) * of_sensor
        total += of_sensor.sum()
        live += 1
    embedding = summed / weights.sum()
    logits = embedding @ LOGITS / temperatures.get("activity", 1.0)
    odds = np.exp(logits - logits.max())
    sure = embedding[1] / 64 / temperatures.get("effort", 1.0)
    found = {
        "embedding": embedding,
        "activity": odds / odds.sum(),
        "effort": np.array([embedding[0], 1 / (1 + np.exp(-sure))]),
        "weights": weights / weights.sum(),
        "imputed": CONSTANTS["places"][0] + total + live,
    }
    return {name: output[np.newaxis].astype(np.float32) for name, output in found.items()}


def nodes_of(role: Role, channels: int) -> list[Node]:
    """The graph of a role; of a sensor with so many channels."""
    if role == "sense":
        halves = (channels, 2, SAMPLES // 2)
        return [
            Node("mul", ("values", "observed"), "seen"),
            Node("reshape", ("seen",), "cut", halves),
            Node("reshape", ("observed",), "cut_observed", halves),
            Node("sum", ("cut",), "sums", (2,)),
            Node("sum", ("sums",), "all", (0,)),
            Node("transpose", ("sums",), "by_half", (1, 0)),
            Node("matmul", ("by_half", "first_channel"), "one_channel"),
            Node("sum", ("cut_observed",), "counts", (2,)),
            Node("sum", ("counts",), "count", (0,)),
            Node("reshape", ("all",), "all_rows", (2, 1)),
            Node("reshape", ("count",), "count_rows", (2, 1)),
            Node("concat", ("all_rows", "one_channel", "count_rows"), "rows", (1,)),
            Node("reshape", ("rows",), "sensed", (1, 2, 3)),
        ]
    if role == "fuse":
        return [
            Node("reshape", ("sensed",), "by_sensor", (4, 2, 3)),
            Node("sum", ("by_sensor",), "sums", (1,)),
            Node("mul", ("live", "importance"), "counted"),
            Node("sum", ("counted",), "total", (1,)),
            Node("reshape", ("total",), "divisor", (1, 1)),
            Node("div", ("counted", "divisor"), "weights"),
            Node("matmul", ("weights", "sums"), "embedding"),
            Node("matmul", ("embedding", "by_logit"), "logits"),
            Node("mul", ("logits", "activity_scale"), "scaled"),
            Node("softmax", ("scaled",), "activity"),
            Node("matmul", ("embedding", "first"), "watts"),
            Node("matmul", ("embedding", "second"), "log_odds"),
            Node("mul", ("log_odds", "effort_scale"), "scaled_odds"),
            Node("sigmoid", ("scaled_odds",), "sure"),
            Node("concat", ("watts", "sure"), "effort", (1,)),
        ]
    return [
        Node("sum", ("sensed",), "by_width", (1,)),
        Node("sum", ("by_width",), "total", (1,)),
        Node("sum", ("live",), "count", (1,)),
        Node("add", ("total", "count"), "both"),
        Node("reshape", ("both",), "level", (1, 1, 1)),
        Node("add", ("places", "level"), "imputed"),
    ]


def fusion_graph(manifest: Manifest, graph: Graph) -> bytes:
    """One of its graphs, in the format that it asks for."""
    channels = len(manifest.rows(graph.sensor))
    nodes = nodes_of(graph.role, channels)
    constants = dict(CONSTANTS)
    if graph.role == "sense":
        constants["first_channel"] = np.eye(channels, 1, dtype=np.float32)
    used = {name for node in nodes for name in node.inputs}
    constants = {name: value for name, value in constants.items() if name in used}
    takes = [manifest.inputs(graph.role, sensor=graph.sensor)]
    gives = [manifest.gives(graph.role, sensor=graph.sensor)]
    if graph.format == "onnx":
        return onnx_of(nodes, constants, takes, gives)
    return tflite_of(nodes, constants, takes, gives, ["all"])


def fusion_window(
    sensors: tuple[str, ...], seed: int = 0, share: float = 0.9
) -> tuple[Array, NDArray[np.bool_]]:
    """Whole numbers (6, N), observed to about that share where the sensor is among these."""
    draw = np.random.default_rng(seed)
    observed = draw.random((6, SAMPLES)) < share
    for row, sensor in enumerate(CHANNELS.values()):
        # A dead sensor may still have sent some samples.
        observed[row] &= sensor in sensors or draw.random(SAMPLES) < 0.2
    values = draw.integers(-3, 4, (6, SAMPLES)).astype(np.float32) * observed
    return values, observed
