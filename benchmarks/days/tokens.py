"""Windows in; what the decoder makes of tokens it has and of tokens it must guess out.

Three kinds of heart-rate patches: seen (data tokens), hidden by us although there was a
heart rate, and naturally missing (both mask tokens). Each is followed to the decoder's last
layer. Two numbers go with the picture: how well a hyperplane separates two kinds, on windows
that it was not fitted to, and how alike they are by cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onwrist.readers.fitbit_grid import Person

from .contestants import Trained
from .tasks import DAY, HEART, PATCH, Gap, shown, window

KINDS = ("data token", "mask token, hidden by us", "mask token, naturally missing")
PAIRS = ((0, 1), (0, 2), (1, 2))
EACH = 1500  # tokens of a kind, at most
WINDOWS = 60


@dataclass(frozen=True)
class Tokens:
    """Vectors (n, D) at the decoder's last layer, kind and window of each."""

    vectors: NDArray[np.float64]
    kind: NDArray[np.intp]
    window: NDArray[np.intp]


@dataclass(frozen=True)
class Likeness:
    """Two kinds compared.

    Attributes
    ----------
    auc : area under the ROC curve of a logistic regression, on windows left out; 0.5 where
        nothing tells the kinds apart, 1 where everything does.
    within, between : mean cosine of centred vectors of one kind (mean of both), of the two.
    """

    first: str
    second: str
    auc: float
    within: float
    between: float


def collect(trained: Trained, person: Person, gaps: Sequence[Gap], seed: int = 0) -> Tokens:
    """Heart-rate tokens of some windows of a person the model never saw."""
    draw = np.random.default_rng(seed)
    chosen = [gaps[k] for k in np.sort(draw.permutation(len(gaps))[:WINDOWS])]
    values = np.stack([shown(person, gap, activity=True) for gap in chosen])
    minute = np.array([gap.start % DAY for gap in chosen])
    caught: list[torch.Tensor] = []
    handle = trained.model.decoder_norm.register_forward_hook(
        lambda _module, _inputs, output: caught.append(output.detach())
    )
    try:
        trained.impute(values, minute, np.isnan(values))
    finally:
        handle.remove()
    groups = trained.model.config.groups
    heart = next(g for g, channels in enumerate(groups) if HEART in channels)
    vectors = torch.cat(caught)[:, heart :: len(groups)].double().numpy()
    seen = _patches(values[:, HEART])
    real = _patches(np.stack([window(person.values, gap.start)[HEART] for gap in chosen]))
    kind = np.where(seen, 0, np.where(real, 1, 2))
    owner = np.repeat(np.arange(len(chosen)), kind.shape[1])
    flat, kinds = vectors.reshape(-1, vectors.shape[-1]), kind.reshape(-1)
    kept = np.sort(
        np.concatenate([draw.permutation(np.flatnonzero(kinds == k))[:EACH] for k in range(3)])
    )
    return Tokens(flat[kept], kinds[kept], owner[kept])


def _patches(heart: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which patches have any heart rate, (B, patches)."""
    return np.isfinite(heart).reshape(len(heart), -1, PATCH).any(axis=2)


def likeness(tokens: Tokens) -> list[Likeness]:
    """Every pair of kinds of which there are enough."""
    centred = tokens.vectors - tokens.vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    found = []
    for first, second in PAIRS:
        two = np.isin(tokens.kind, (first, second))
        y, groups = tokens.kind[two] == second, tokens.window[two]
        if min(y.sum(), (~y).sum()) < 50 or len(set(groups)) < 5:
            continue
        a, b = unit[tokens.kind == first], unit[tokens.kind == second]
        within = (_cosine(a, a) + _cosine(b, b)) / 2
        auc = _separability(tokens.vectors[two], y, groups)
        found.append(Likeness(KINDS[first], KINDS[second], auc, within, _cosine(a, b)))
    return found


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean over all pairs of unit vectors: the product of their means."""
    return float(a.mean(axis=0) @ b.mean(axis=0))


def _separability(
    vectors: NDArray[np.float64], y: NDArray[np.bool_], groups: NDArray[np.intp]
) -> float:
    scores = np.zeros(len(y))
    for train, test in GroupKFold(5).split(vectors, y, groups):
        line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        scores[test] = line.fit(vectors[train], y[train]).decision_function(vectors[test])
    return float(roc_auc_score(y, scores))


def projected(tokens: Tokens) -> NDArray[np.float64]:
    """The two directions of most variance, (n, 2)."""
    centred = tokens.vectors - tokens.vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[:2].T
