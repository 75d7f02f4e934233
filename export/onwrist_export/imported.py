"""An official HiMAE checkpoint in, a bundle out whose one output is the embedding.

Normalization is the official one, by the minimum and maximum of each window, with what
is missing at zero; the embedding is the mean over time of every stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from onwrist.readers import read_all
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export import checkpoints
from onwrist_export.check import check, sample
from onwrist_export.data import Windows
from onwrist_export.graph import DeployGraph
from onwrist_export.himae import HiMAE
from onwrist_export.normalize import Scaling
from onwrist_export.pack import Description, pack, stages
from onwrist_export.parity import IMPORTED, Parity
from onwrist_export.quantize import quantize
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel
from onwrist_runtime.timeline import cut

SIMULATED_SECONDS, SIMULATED_PEOPLE = 300.0, 8
MOST_WINDOWS = 400  # for calibration, and again for checking
PLAUSIBLE = 1e6  # device units differ, and the normalization undoes them


def import_encoder(
    checkpoint: Path,
    out: Path,
    recordings: Path | None = None,
    channels: Sequence[str] = ("ppg",),
    rate: float | None = None,
    seconds: float | None = None,
    exclude: Sequence[str] = (),
) -> Parity:
    """Quantize, check and pack the encoder of a checkpoint.

    Parameters
    ----------
    recordings : what to calibrate and check on; simulated signals where not given.
    channels : names of the encoder's inputs, in order.
    rate, seconds : sampling rate in Hz and window in seconds, where the checkpoint does
        not say.
    exclude : layers to keep in float.

    Raises
    ------
    CheckpointError, RecordingError, InputError
        What is given cannot be used.
    ParityError
        The quantized encoder is too far from the float one; nothing is written.
    """
    model = checkpoints.load(checkpoint, rate, seconds)
    if len(channels) != model.config.inputs:
        raise InputError(
            f"{checkpoint} has {model.config.inputs} inputs, but {len(channels)} channels are "
            f"named: {', '.join(channels)}"
        )
    known = [simulate(SIMULATED_SECONDS, seed) for seed in range(SIMULATED_PEOPLE)]
    if recordings is not None:
        known = read_all(recordings)
    windows = _windows(known, channels, model)
    graph = DeployGraph(model, [Scaling("window")] * model.config.inputs)
    even = np.arange(len(windows)) % 2 == 0
    quantized = quantize(graph, sample(windows.select(even), MOST_WINDOWS), exclude)
    held_out = sample(windows.select(~even), MOST_WINDOWS)
    parity = check(quantized, held_out, channels, model.config.rate, (), IMPORTED)
    description = describe(checkpoint.stem, model, channels)
    source = "simulated signals" if recordings is None else f"recordings of {recordings.name}"
    pack(out, quantized, parity, description, held_out, _card(model, parity, source, exclude))
    return parity


def _windows(recordings: Sequence[Recording], channels: Sequence[str], model: HiMAE) -> Windows:
    """Windows every half window, those with nothing observed left out."""
    rate, samples = model.config.rate, model.config.samples
    found = [
        (window, recording.subject or recording.name)
        for recording in recordings
        if any(name in recording.signals for name in channels)
        for window in cut(recording.signals, channels, rate, samples, samples // 2)
        if window.observed.any()
    ]
    if len(found) < 4:
        raise InputError(
            f"calibration needs at least 4 windows of {samples / rate:g} s with "
            f"{', '.join(channels)}; these recordings give {len(found)}"
        )
    return Windows(
        values=np.stack([w.values for w, _ in found]),
        observed=np.stack([w.observed for w, _ in found]),
        elapsed=np.zeros(len(found)),
        subjects=np.array([subject for _, subject in found]),
        targets={},
    )


def describe(name: str, model: HiMAE, channels: Sequence[str]) -> Description:
    """A manifest's description of an encoder without tasks."""
    config = model.config
    return Description(
        name=name,
        version="1.0.0",
        description="HiMAE encoder, imported: embedding of every stage, no tasks",
        licence="that of the checkpoint",
        rate=config.rate,
        samples=config.samples,
        channels=tuple(
            Channel(
                name=channel,
                sensor=channel,
                unit="device units",
                polarity="as in the data that the encoder was trained on",
                minimum=-PLAUSIBLE,
                maximum=PLAUSIBLE,
                normalization="window",
            )
            for channel in channels
        ),
        embedding=stages(config),
    )


def _card(model: HiMAE, parity: Parity, source: str, exclude: Sequence[str]) -> str:
    config = model.config
    whole = parity.conditions[0]
    slices = "\n".join(
        f"| {s.name} | {s.start} to {s.stop - 1} | {s.stride} | {s.receptive_field} |"
        for s in stages(config)
    )
    rows = "\n".join(
        f"| {c.name} | {c.sqnr:.1f} dB | {c.centred_cosine:.4f} | {c.centred_cosine_p5:.4f} |"
        for c in parity.conditions
    )
    kept = f" Kept in float: {', '.join(exclude)}." if exclude else ""
    return f"""# HiMAE encoder, imported
An encoder from a checkpoint of the official HiMAE code: {len(config.widths)} stages,
{config.inputs} input channel(s) at {config.rate:g} Hz, windows of {config.samples} samples.
It has no tasks. Its output is the embedding: the mean over time of every stage.

| stage | numbers | stride | receptive field (samples) |
|---|---|---|---|
{slices}

## Quantization
INT8, calibrated on {source} ({whole.windows} further windows for checking).{kept}
{_simulated_note(source)}
| windows | SQNR | centred cosine, mean | 5th percentile |
|---|---|---|---|
{rows}

## Engines
{_engines(config.activation)}

## Before you trust it
The licence and the training data are those of the checkpoint. Polarity, wavelength and
filtering of your sensor must be those it was trained on. Not a medical device.
"""


def _simulated_note(source: str) -> str:
    if source != "simulated signals":
        return ""
    return (
        "No recordings were given: scales were chosen on simulated signals and may clip "
        "real ones. Calibrate with `--calibrate RECORDINGS` before you rely on it.\n"
    )


def _engines(activation: str) -> str:
    if activation == "relu":
        return "LiteRT, ONNX Runtime, tflite-runtime and TFLite-Micro."
    return (
        "LiteRT, ONNX Runtime and tflite-runtime. Not TFLite-Micro, which has no GELU; "
        "GELU runs in float between the int8 convolutions."
    )
