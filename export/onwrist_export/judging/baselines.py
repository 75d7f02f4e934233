"""What a sceptic would use instead of a network: spectra of PPG, and the protocol's clock.

All take windows with what is missing marked, so that they stand beside the model on the
same samples. Shapes: W windows, N samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 40.0, 200.0  # bpm that a spectral peak may lie at
FFT_SAMPLES = 4096
PERIODOGRAM_STEP = 0.5  # bpm


def fft_rate(
    ppg: NDArray[np.float32], observed: NDArray[np.bool_], rate: float
) -> NDArray[np.float64]:
    """Heart rate in bpm (W,) at the highest spectral peak, missing samples set to the mean."""
    centred = _centred(ppg, observed) * np.hanning(ppg.shape[1])
    bpm = np.fft.rfftfreq(FFT_SAMPLES, 1 / rate) * 60
    power = np.abs(np.fft.rfft(centred, FFT_SAMPLES, axis=1))
    band = (bpm >= LOWEST) & (bpm <= HIGHEST)
    return np.asarray(bpm[band][power[:, band].argmax(axis=1)])


def lomb_scargle_rate(
    ppg: NDArray[np.float32], observed: NDArray[np.bool_], rate: float
) -> NDArray[np.float64]:
    """Heart rate in bpm (W,) at the highest peak of the periodogram of observed samples.

    The generalized Lomb-Scargle periodogram (Zechmeister and Kuerster, A&A 496:577,
    2009), with a floating mean and Hann weights.
    """
    bpm = np.arange(LOWEST, HIGHEST + PERIODOGRAM_STEP / 2, PERIODOGRAM_STEP)
    samples = ppg.shape[1]
    time = (np.arange(samples) - samples / 2) / rate
    phase = 2 * np.pi * bpm[:, None] / 60 * time
    cos, sin = np.cos(phase), np.sin(phase)
    weights = observed * np.sqrt(np.hanning(samples))
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    y = np.asarray(ppg, np.float64) - (weights * ppg).sum(axis=1, keepdims=True)
    mean_cos, mean_sin = weights @ cos.T, weights @ sin.T
    y_cos, y_sin = (weights * y) @ cos.T, (weights * y) @ sin.T
    cos_cos = weights @ (cos * cos).T - mean_cos**2
    sin_sin = weights @ (sin * sin).T - mean_sin**2
    cos_sin = weights @ (cos * sin).T - mean_cos * mean_sin
    determinant = np.maximum(cos_cos * sin_sin - cos_sin**2, 1e-9)
    power = (
        sin_sin * y_cos**2 + cos_cos * y_sin**2 - 2 * cos_sin * y_cos * y_sin
    ) / determinant
    return bpm[power.argmax(axis=1)]


def elapsed_scores(
    elapsed: NDArray[np.float64],
    target: NDArray[np.float64],
    test_elapsed: NDArray[np.float64],
    width: float = 30.0,
) -> NDArray[np.float64]:
    """Share of positives at each time since start, seen in training: a test of leakage.

    A Gaussian kernel of `width` seconds over `elapsed` (n,) with `target` 0 or 1, read
    at `test_elapsed` (m,) seconds.
    """
    grid = np.arange(0.0, max(elapsed.max(), test_elapsed.max()) + 10.0, 10.0)
    weight = np.exp(-0.5 * ((grid[:, None] - elapsed) / width) ** 2)
    share = (weight @ target + 1e-9) / (weight.sum(axis=1) + 1e-6)
    return np.interp(test_elapsed, grid, share)


def summary_features(
    values: NDArray[np.float32],
    observed: NDArray[np.bool_],
    rate: float,
    baseline: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Statistics of windows (W, C, N) for a logistic regression: (W, 4 C + 1).

    Mean, log deviation, slope and log jerk of each channel over what is observed, and
    the FFT heart rate of the first channel. With a `baseline` (W, C, 3) there are 2 C more:
    mean and log deviation relative to it, zero where it is unknown.
    """
    count = np.maximum(observed.sum(axis=-1, keepdims=True), 1)
    mean = (values * observed).sum(axis=-1, keepdims=True) / count
    centred = (values - mean) * observed
    time = np.linspace(-1, 1, values.shape[-1])
    slope = (centred * time).sum(axis=-1) / np.maximum((observed * time**2).sum(axis=-1), 1e-9)
    jerk = np.abs(np.diff(centred, axis=-1)).mean(axis=-1)
    deviation = np.sqrt((centred**2).sum(axis=-1) / count[..., 0])
    bpm = fft_rate(values[:, 0], observed[:, 0], rate)
    parts = [mean[..., 0], np.log(deviation + 1e-4), slope, np.log(jerk + 1e-4), bpm[:, None]]
    if baseline is not None:
        usual, scale, known = np.moveaxis(baseline.astype(np.float64), -1, 0)
        known = known * observed.any(axis=-1)
        risen = np.clip((mean[..., 0] - usual) / (scale + 1e-3), -6, 6)
        parts += [risen * known, np.log((deviation + 1e-3) / (scale + 1e-3)) * known]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _centred(ppg: NDArray[np.float32], observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    mean = (ppg * observed).sum(axis=1, keepdims=True, dtype=np.float64) / count
    return np.where(observed, ppg - mean, 0.0)
