"""The networks of several sensors and windows to calibrate on in, their INT8 graphs out.

The encoder of each sensor becomes INT8 as that of a wrist does; of the graphs behind them the
linear layers, while attention, layer norms and softmax stay float. What is in the place of a
sensor that is not live is no token, and no scale is chosen on it.

Shapes: W windows, S sensors, T tokens of each, K = S T.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from onwrist_export.fusion import cases
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import subsets
from onwrist_export.fusion.graphs import (
    FILLED,
    RESTORE,
    SEEN,
    DecodeGraph,
    FromSensed,
    FuseGraph,
    SenseGraph,
)
from onwrist_export.fusion.learn import Merged
from onwrist_export.quantization import network, tflite
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.day import (
    INPUT,
    Run,
    choose_scales,
    export,
    insert,
    sources,
)
from onwrist_export.quantization.quantize import (
    QuantizedModel,
    graph_name,
    quantize_sense,
    to_signed,
)
from onwrist_export.windows.grids import Windows
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import LIVE, SCALE, SENSED, Role

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]

FUSE, DECODE = graph_name("fuse"), graph_name("decode")


@dataclass(frozen=True, eq=False)
class Sensed:
    """What encoders gave: tokens (W, S, T, width), and whose sensors are live (W, S)."""

    tokens: Array
    live: Bools

    def __len__(self) -> int:
        return len(self.tokens)

    def select(self, which: NDArray[np.generic]) -> Sensed:
        return Sensed(self.tokens[which], self.live[which])

    def of(self, live: Bools) -> Sensed:
        """With just these sensors (W, S) or (S,) of those that are live."""
        live = self.live & live
        return Sensed(self.tokens * live[:, :, None, None], live)

    def inputs(self, tasks: Sequence[str]) -> Iterator[dict[str, Array]]:
        """What the graphs of all sensors take, window by window; no task is scaled."""
        scales = {f"{task}{SCALE}": np.ones((1, 1), np.float32) for task in tasks}
        for tokens, live in zip(self.tokens, self.live, strict=True):
            given = tokens.reshape(1, -1, tokens.shape[-1])
            yield {SENSED: given, LIVE: live[None].astype(np.float32)} | scales


def sense(runs: Mapping[str, Run], windows: Windows, config: FusionConfig) -> Sensed:
    """The tokens that encoders, by sensor, make of windows in which their sensor is live."""
    live = cases.live(windows, config)
    found: Array | None = None
    for k, (sensor, rows) in enumerate(zip(config.names, config.rows, strict=True)):
        of_sensor = only(windows, rows)
        for row in np.flatnonzero(live[:, k]):
            (given,) = of_sensor.select(np.array([row])).feeds()
            tokens = runs[sensor](given)[SENSED]
            if found is None:
                found = np.zeros((*live.shape, *tokens.shape[1:]), np.float32)
            found[row, k] = tokens[0]
    if found is None:
        raise InputError(f"no window has {config.fusion.least:.0%} of any sensor")
    return Sensed(found, live)


def only(windows: Windows, rows: slice) -> Windows:
    """The windows of some channels, without targets."""
    return replace(
        windows, values=windows.values[:, rows], observed=windows.observed[:, rows], targets={}
    )


def quantize(
    merged: Merged, config: FusionConfig, windows: Windows, exclude: Sequence[str] = ()
) -> dict[str, QuantizedModel]:
    """Quantize all graphs, by the names that their files begin with.

    Parameters
    ----------
    windows : raw windows to calibrate on, with gaps; sensors are dropped here, in every way.
    exclude : layers to keep in float, such as "sense.wrist.stage1.conv1" or "fuse.seen.embed".

    Raises
    ------
    InputError
        A layer does not exist, or a sensor is live in no window.
    """
    senses = [SenseGraph(encoder).eval() for encoder in merged.encoders.sensors]
    graphs: dict[Role, FromSensed] = {"fuse": FuseGraph(merged, config).eval()}
    if config.fusion.fill == "restored":
        graphs["decode"] = DecodeGraph(merged, config).eval()
    left = _known(senses, graphs, config, exclude)
    live = cases.live(windows, config)
    made: dict[str, QuantizedModel] = {}
    for k, (sensor, rows) in enumerate(zip(config.names, config.rows, strict=True)):
        name = graph_name("sense", sensor)
        if not live[:, k].any():
            raise InputError(f"{sensor} is live in no window to calibrate on")
        of_sensor = only(windows, rows).select(live[:, k])
        made[name] = quantize_sense(senses[k], sensor, of_sensor, left[name])
    runs = {s: onnx_run(made[graph_name("sense", s)].fp32) for s in config.names}
    dropped = every_pattern(sense(runs, windows, config), config)
    for role, graph in graphs.items():
        fp32 = export(graph, 1)
        ranges = calibrate(fp32, dropped, config)
        u8 = insert(fp32, choose_scales(fp32, ranges, exact(fp32)), set(left[role]))
        s8 = to_signed(u8)
        made[role] = QuantizedModel(role, fp32, u8, s8, tflite.convert(s8))
    return made


def _known(
    senses: Sequence[SenseGraph],
    graphs: Mapping[Role, FromSensed],
    config: FusionConfig,
    exclude: Sequence[str],
) -> dict[str, list[str]]:
    """The excluded layers of each graph, by its name."""
    layers: dict[str, Sequence[str]] = {role: g.quantized for role, g in graphs.items()}
    if exclude:
        for sensor, graph in zip(config.names, senses, strict=True):
            layers[graph_name("sense", sensor)] = network.layers(network.export(graph))
    known = [f"{name}.{layer}" for name, each in layers.items() for layer in each]
    unknown = [name for name in exclude if name not in known]
    if unknown:
        raise InputError(f"no layer {', '.join(unknown)}; the layers are {', '.join(known)}")
    names = (*(graph_name("sense", sensor) for sensor in config.names), *graphs)
    return {
        name: [e.removeprefix(f"{name}.") for e in exclude if e.startswith(f"{name}.")]
        for name in names
    }


def exact(model: ModelProto) -> str:
    """What is made of `sensed` by products with 0 and 1, and is the same in every engine."""
    return next(name for name in sources(model) if name.endswith(f"embed{INPUT}"))


def every_pattern(found: Sensed, config: FusionConfig) -> Sensed:
    """Each window as it is, and once more with a subset of its sensors, all in turn."""
    which = [[name in subset for name in config.names] for subset in subsets(config.names)]
    turns = np.array(which)[np.arange(len(found)) % len(which)]
    left = found.of(turns)
    some = left.live.any(axis=1)
    return Sensed(
        np.concatenate([found.tokens, left.tokens[some]]),
        np.concatenate([found.live, left.live[some]]),
    )


def calibrate(
    model: ModelProto, found: Sensed, config: FusionConfig
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of what layers read and give, of tokens that count."""
    names = sources(model)
    run = onnx_run(network.expose(model, names))
    low, high = dict.fromkeys(names, np.inf), dict.fromkeys(names, -np.inf)
    wanted = {value.name for value in model.graph.input}
    tasks = [task.name for task in config.classes]
    for given, live in zip(found.inputs(tasks), found.live, strict=True):
        outputs = run({name: x for name, x in given.items() if name in wanted})
        for name in names:
            value = counted(name, outputs[name], live)
            low[name] = min(low[name], float(value.min(initial=np.inf)))
            high[name] = max(high[name], float(value.max(initial=-np.inf)))
    unseen = [name for name in names if np.isinf(low[name])]
    if unseen:
        raise InputError("calibration needs windows in which every sensor is dropped")
    return {name: (low[name], high[name]) for name in names}


def counted(tensor: str, value: NDArray[np.generic], live: Bools) -> NDArray[np.generic]:
    """The rows of a tensor (.., rows, width) of a layer that stand for something.

    Of what attends to live sensors, theirs; of what is restored, that of the others.
    """
    layer = tensor.split(".")
    if layer[0] == RESTORE and layer[1] == "out":
        return value if not live[int(layer[2])] else value[..., :0, :]
    if layer[0] == SEEN or layer[:2] == [RESTORE, "mixed"]:
        which = live
    elif layer[0] == RESTORE:
        which = ~live
    else:
        assert layer[0] in (FILLED, "signals"), tensor
        return value
    return value[..., np.repeat(which, value.shape[-2] // len(live)), :]
