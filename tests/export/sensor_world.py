"""A world in which the best answer and its probability are known for every set of sensors.

Each sensor gives one noisy number a label, larger for the true one. The sum of these numbers
over sensors, times the sensor's strength, is the logarithm of the exact posterior.
"""

import numpy as np

from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets

SENSORS = ("wrist", "chest", "waist", "ankle")
STRENGTHS = (1.2, 1.0, 1.6, 0.6)


def world(
    cases: int = 600,
    sharpness: dict[str, float] | None = None,
    sensors: tuple[str, ...] = SENSORS,
    tasks: dict[str, tuple[str, ...]] | None = None,
    seed: int = 0,
) -> Evidence:
    """Methods whose logits are the exact ones times `sharpness`; 1 is calibrated."""
    rng = np.random.default_rng(seed)
    sharpness = {"hybrid": 1.0} if sharpness is None else sharpness
    tasks = {"activity": ("walk", "run", "sit", "lie", "fall")} if tasks is None else tasks
    # One subject has a third of the cases, and most of the missing last sensors.
    people = np.array([f"s{n:02}" for n in range(1, 14)])
    subjects = rng.choice(people, cases, p=[1 / 3] + [2 / 3 / 12] * 12)
    available = np.ones((cases, len(sensors)), bool)
    available[:, -1] = rng.random(cases) > np.where(subjects == "s01", 0.8, 0.05)
    strengths = np.resize(STRENGTHS, len(sensors))
    truth, seen = {}, {}
    for task, labels in tasks.items():
        truth[task] = rng.integers(0, len(labels), cases)
        noise = rng.normal(size=(cases, len(sensors), len(labels)))
        exact = strengths[:, np.newaxis] * np.eye(len(labels))[truth[task]][:, np.newaxis]
        seen[task] = strengths[:, np.newaxis] * (exact + noise)

    def logits(method: str, task: str, given: np.ndarray) -> np.ndarray:
        found = (seen[task] * given[:, :, np.newaxis]).sum(axis=1) * sharpness[method]
        return found.astype(np.float32)

    outcome: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for method in sharpness:
        outcome[method] = {}
        for subset in subsets(sensors):
            chosen = np.isin(sensors, subset)
            given = np.broadcast_to(chosen, available.shape)
            asked = available[:, chosen].all(axis=1)
            outcome[method][named(subset)] = {
                task: np.where(asked[:, np.newaxis], logits(method, task, given), np.nan)
                for task in tasks
            }
        outcome[method][AS_RECORDED] = {t: logits(method, t, available) for t in tasks}
        for share, condition in zip((0.25, 0.5, 0.75), PARTIAL, strict=True):
            given = available * np.sqrt(1 - share)
            outcome[method][condition] = {t: logits(method, t, given) for t in tasks}
    attention = np.where(
        available[:, :, np.newaxis] & available[:, np.newaxis],
        strengths[np.newaxis, np.newaxis] * available[:, np.newaxis],
        np.nan,
    )
    attention = attention / np.nansum(attention, axis=2, keepdims=True)
    return Evidence(
        sensors=sensors,
        labels=tasks,
        subjects=subjects,
        cases=np.array([f"trial {n}" for n in range(cases)]),
        available=available,
        truth=truth,
        logits=outcome,
        weights={m: attention.astype(np.float32) for m in sharpness if m.startswith("hybrid")},
    )
