"""Checkpoints of the official HiMAE code in, `HiMAE` out.

They are Lightning dictionaries, or bare weights, whose keys may be prefixed `model.`;
sizes are read from the weights. No pickle code is ever run.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onwrist_export.model.himae import KERNEL, HiMAE, HiMAEConfig
from onwrist_runtime.errors import CheckpointError

LIGHTNING_PREFIX = "model."
STAGE_WEIGHT = re.compile(r"encoder_layers\.(\d+)\.main_path\.0\.weight")
LONGEST_WINDOW = 2**20  # samples
NAMED = 4  # how many keys or shapes an error lists


def load(path: Path, rate: float | None = None, seconds: float | None = None) -> HiMAE:
    """The model in a checkpoint of the official HiMAE code.

    Parameters
    ----------
    rate, seconds : sampling rate in Hz and window length in seconds; where not given,
        `f_s` and `T` of the checkpoint's `hyper_parameters`.

    Raises
    ------
    CheckpointError
        The file cannot be read without running code, or does not hold a HiMAE.
    """
    content = _read_tensors(path)
    state, given = content, {}
    if "state_dict" in content:
        state = content["state_dict"]
        given = content.get("hyper_parameters") or {}
    if not isinstance(state, Mapping) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise CheckpointError(f"{path} holds no dictionary of weights by name")
    if not isinstance(given, Mapping):
        raise CheckpointError(
            f"{path}: hyper_parameters is a {type(given).__name__}, not a dictionary"
        )
    if state and all(key.startswith(LIGHTNING_PREFIX) for key in state):
        state = {key.removeprefix(LIGHTNING_PREFIX): value for key, value in state.items()}
    rate = _number(path, "rate", rate, given, "f_s")
    seconds = _number(path, "seconds", seconds, given, "T")
    if not 1 <= rate * seconds <= LONGEST_WINDOW:
        raise CheckpointError(
            f"{path}: a window of {seconds:g} s at {rate:g} Hz has {rate * seconds:g} samples; "
            f"it must have 1 to {LONGEST_WINDOW}"
        )
    model = HiMAE(_sizes(path, state, rate, round(rate * seconds)))
    _fill(path, model, state)
    return model.eval()


def _read_tensors(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} is not a file of plain weights: loading it would need pickle code, "
            "which could do anything and is never run. Save its state_dict with torch.save"
        ) from None
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except Exception as error:  # the unpickler raises anything at all for damaged bytes
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {reason}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def _number(
    path: Path, name: str, value: float | None, given: Mapping[str, Any], key: str
) -> float:
    value = given.get(key) if value is None else value
    if value is None:
        raise CheckpointError(f"{path} does not say its {name} ({key}): give --{name}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{path}: {name} is {value!r}, not a number")
    if not 0 < value <= sys.float_info.max:
        raise CheckpointError(f"{path}: {name} is {value}, not a number above 0")
    return float(value)


def _sizes(path: Path, state: Mapping[str, Tensor], rate: float, samples: int) -> HiMAEConfig:
    """Inputs, outputs, widths and depth, read from the weights."""
    found = {int(m[1]): state[k] for k in state if (m := STAGE_WEIGHT.fullmatch(k))}
    last = state.get("final_deconv.weight")
    if not found or sorted(found) != list(range(len(found))) or last is None:
        raise CheckpointError(
            f"{path} is not a HiMAE: it has no {LIGHTNING_PREFIX}encoder_layers... and "
            f"final_deconv.weight, but {_some(state) or 'nothing'}"
        )
    for stage, weight in found.items():
        if weight.ndim != 3 or weight.shape[2] != KERNEL:
            raise CheckpointError(
                f"{path}: stage {stage + 1} has a convolution of shape {tuple(weight.shape)}; "
                f"HiMAE's are (width, inputs, {KERNEL})"
            )
    if last.ndim != 3:
        raise CheckpointError(f"{path}: final_deconv.weight has shape {tuple(last.shape)}")
    return HiMAEConfig(
        inputs=found[0].shape[1],
        outputs=last.shape[1],
        widths=tuple(found[k].shape[0] for k in sorted(found)),
        rate=rate,
        samples=samples,
        activation="gelu",
        padding="same",
    )


def _fill(path: Path, model: HiMAE, state: Mapping[str, Tensor]) -> None:
    """Load `state`; every key must be there, none may be foreign, all must be finite."""
    expected = model.state_dict()
    foreign, missing = state.keys() - expected.keys(), expected.keys() - state.keys()
    if foreign or missing:
        lacks = f"lacks {_some(missing)}" if missing else ""
        has = f"has the foreign {_some(foreign)}" if foreign else ""
        raise CheckpointError(
            f"{path} is not a HiMAE: it {' and '.join(filter(None, (lacks, has)))}"
        )
    for key, value in state.items():
        shape, right = tuple(value.shape), tuple(expected[key].shape)
        if shape != right:
            raise CheckpointError(f"{path}: {key} has shape {shape}, not {right}")
        kind = expected[key].dtype
        if value.is_floating_point() != kind.is_floating_point or value.is_complex():
            raise CheckpointError(f"{path}: {key} holds {value.dtype}, not {kind}")
        if value.layout != torch.strided:
            raise CheckpointError(f"{path}: {key} is {value.layout}, not a plain array")
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinity")
    model.load_state_dict(dict(state))


def _some(keys: Any) -> str:
    names = sorted(map(str, keys))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
