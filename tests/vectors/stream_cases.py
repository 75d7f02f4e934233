"""Cases of streams for `streams.json`: what is pushed, in which order, on which clock.

Each case is whole: a manifest of what a stream looks at, its settings (the hop in grid
points), what stands in for the graphs, and the actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from stream_replay import replay

EPOCH = 1_644_226_061.37
Case = dict[str, Any]
Samples = tuple[np.ndarray, np.ndarray]

PPG: Case = {"name": "ppg", "sensor": "ppg", "rate": 32.0}
TEMPERATURE: Case = {"name": "temperature", "sensor": "temperature", "rate": 4.0}
ACC: list[Case] = [{"name": f"acc_{axis}", "sensor": "acc", "rate": 25.0} for axis in "xyz"]
FLUSH: Case = {"at_least_one": False}


def streams() -> list[Case]:
    """All cases of instants on a grid."""
    return [_with(case) for part in (_arrivals, _clocks, _sensors, _hops) for case in part()]


def case_of(
    name: str, manifest: Case, actions: Sequence[Case], *, hop: int = 13, **other: Any
) -> Case:
    """A case in window mode, if nothing else is said."""
    settings = {"mode": "window", "hop": hop, "lateness": 0.5, "rates": {}, "midnight": 0.0}
    outputs = other.pop("outputs", {"embedding": [0.5]})
    return {
        "name": name,
        "manifest": manifest,
        "settings": settings | other,
        "outputs": outputs,
        "actions": list(actions),
    }


def manifest(*channels: Case, rate: float = 25.0, samples: int = 25, **other: Any) -> Case:
    """What a stream looks at."""
    return {
        "rate": rate,
        "samples": samples,
        "channels": [{"aggregation": "resample"} | channel for channel in channels],
        "tasks": [],
    } | other


def push(name: str, times: Any, samples: Any) -> Case:
    """One push; NaN becomes null."""
    stamps = np.asarray(times, np.float64).tolist()
    numbers = np.asarray(samples, np.float64).round(3)
    return {
        "push": name,
        "times": stamps,
        "samples": np.where(np.isnan(numbers), None, numbers).tolist(),
    }


def pushes(name: str, recorded: Samples, size: int | Sequence[int] = 16) -> list[Case]:
    """Samples in bursts of a size, or of these sizes and the rest."""
    times, samples = recorded
    if isinstance(size, int):
        edges = list(range(size, len(times), size))
    else:
        edges = np.cumsum(size).tolist()
    parts = zip(np.split(times, edges), np.split(samples, edges), strict=True)
    return [push(name, *part) for part in parts if len(part[0])]


def merged(*several: list[Case]) -> list[Case]:
    """Pushes in the order of their last stamps, as from sensors that run together."""
    return sorted((one for each in several for one in each), key=lambda x: max(x["times"]))


def recorded(
    rate: float, seconds: float, start: float = 0.0, seed: int = 0, axes: int = 0
) -> Samples:
    """Samples of a steady clock: a sine in noise."""
    draw = np.random.default_rng(seed)
    times = (start + np.arange(round(seconds * rate)) / rate).round(6)
    shape = (times.size, axes) if axes else times.shape
    wave = np.sin(2 * np.pi * 1.3 * (times - start))
    wave = wave[:, np.newaxis] if axes else wave
    return times, wave + 0.2 * draw.normal(size=shape)


def _arrivals() -> Iterator[Case]:
    one = manifest(PPG)
    whole = recorded(32.0, 4.0)
    times, samples = whole
    yield case_of("regular", one, [*pushes("ppg", whole), FLUSH])
    yield case_of("the same in bursts", one, [*pushes("ppg", whole, [70, 1, 2, 40]), FLUSH])
    mixed = np.arange(times.size).reshape(-1, 16)[:, ::-1].ravel()
    mixed = mixed.reshape(-1, 8)[[1, 0, 3, 2, 4, 5, 6, 8, 7, 9, 11, 10, 13, 12, 15, 14]].ravel()
    shuffled = times[mixed], samples[mixed]
    yield case_of(
        "the same out of order within the lateness",
        one,
        [*pushes("ppg", shuffled, 12), FLUSH],
        lateness=1.0,
    )
    short = recorded(32.0, 1.5)
    yield case_of("the same one by one", one, [*pushes("ppg", short, 1), FLUSH], hop=5)
    yield case_of("without a flush", one, pushes("ppg", whole))
    blocks = pushes("ppg", whole)
    late = [*blocks[:3], blocks[4], blocks[5], blocks[3], *blocks[6:], FLUSH]
    yield case_of("late samples are dropped", one, late, lateness=0.6)
    yield case_of("no lateness", one, [*late[:3], blocks[0], *late[3:]], lateness=0.0)
    yield case_of("just as old as the lateness", one, _just_as_old(), lateness=0.5)
    backward = push("ppg", times[40:56][::-1], samples[40:56][::-1])
    yield case_of(
        "late within a push",
        one,
        [*blocks[:2], push("ppg", times[32:40], samples[32:40]), backward, FLUSH],
        lateness=0.25,
    )
    again = np.where(np.arange(times.size) % 3, samples + 0.5, samples - 0.5)
    twice = [*blocks[:3], *pushes("ppg", (times[24:48], again[24:48])), *blocks[3:], FLUSH]
    yield case_of("the smaller of two at one stamp", one, twice, lateness=1.0)
    both = np.repeat(times[:48], 2), np.stack([again[:48], samples[:48]], axis=1).ravel()
    both[1][[4, 9, 20, 21]] = np.nan
    yield case_of("twice in one push, and missing", one, [*pushes("ppg", both, 32), FLUSH])
    holes = times.copy(), samples.copy()
    holes[1][[3, 40, 41, 42, 43, 44, 45, 46, 90]] = np.nan
    yield case_of("samples that are missing", one, [*pushes("ppg", holes), FLUSH])
    nothing = push("ppg", times[:8] + 50.0, np.full(8, np.nan))
    yield case_of(
        "nothing but missing samples is no news",
        one,
        [nothing, push("ppg", [], []), *blocks[:4], nothing, *blocks[4:], FLUSH],
    )
    yield case_of("no sample at all", one, [push("ppg", [], []), {"at_least_one": True}])


def _just_as_old() -> list[Case]:
    """Stamps on a grid of 1/32 s, exact: the first is just as old as the lateness, not late."""
    ticks = np.arange(64) / 32
    waves = np.sin(8 * ticks)
    return [
        push("ppg", ticks[:32], waves[:32]),
        push("ppg", ticks[33:49], waves[33:49]),
        push("ppg", ticks[32:33], waves[32:33]),
        push("ppg", [0.999], [2.0]),
        push("ppg", ticks[49:], waves[49:]),
        FLUSH,
    ]


def _clocks() -> Iterator[Case]:
    one = manifest(PPG)
    draw = np.random.default_rng(1)
    times, samples = recorded(32.0, 4.0, seed=2)
    jittered = (times + draw.uniform(-0.2, 0.2, times.size) / 32).round(6)
    yield case_of("jitter", one, [*pushes("ppg", (jittered, samples)), FLUSH])
    stray = times.copy()
    stray[[20, 47, 80]] += np.array([0.012, -0.014, 0.0145])
    yield case_of("stray stamps", one, [*pushes("ppg", (stray, samples), 5), FLUSH])
    drifted = (times * (1 + 200e-6)).round(6)
    yield case_of("drift of 200 ppm", one, [*pushes("ppg", (drifted, samples), 40), FLUSH])
    back = times.copy()
    back[64:] -= 0.9
    yield case_of("a clock that steps back", one, [*pushes("ppg", (back, samples)), FLUSH])
    forward = times.copy()
    forward[50:] += 1.7
    yield case_of(
        "a clock that steps forward", one, [*pushes("ppg", (forward, samples)), FLUSH]
    )
    kept = (times < 1.3) | (times > 2.1)
    yield case_of("a gap", one, [*pushes("ppg", (times[kept], samples[kept])), FLUSH])
    kept = (jittered < 1.3) | (jittered > 1.7)
    burst = jittered[kept], samples[kept]
    yield case_of("jitter and a gap", one, [*pushes("ppg", burst, 7), FLUSH], hop=25)
    epoch = recorded(32.0, 3.0, EPOCH, seed=3)
    yield case_of("on the Unix epoch", one, [*pushes("ppg", epoch), FLUSH])
    yield from _edges()
    negative = recorded(32.0, 3.0, -1.71, seed=4)
    yield case_of("before and after time 0", one, [*pushes("ppg", negative), FLUSH])
    fast = np.arange(96) / 57.0 + 1.0
    faster = np.concatenate([np.arange(32) / 32.0, fast]).round(6)
    wave = np.sin(7 * faster)
    yield case_of("a sensor that becomes faster", one, [*pushes("ppg", (faster, wave)), FLUSH])
    slower = np.concatenate([np.arange(32) / 32.0, 1.0 + np.arange(24) / 11.0]).round(6)
    wave = np.sin(7 * slower)
    yield case_of("a sensor that becomes slower", one, [*pushes("ppg", (slower, wave)), FLUSH])


def _edges() -> Iterator[Case]:
    """Where the last bit of a difference decides."""
    draw = np.random.default_rng(21)
    times, samples = recorded(25.6, 2.6, EPOCH, seed=22)
    times = (times + draw.uniform(-0.3, 0.3, times.size) / 25.6).round(6)
    kept = draw.random(times.size) < 0.7
    own = pushes("ppg", (times[kept], samples[kept]), 12)
    odd = PPG | {"rate": 25.6}
    yield case_of("the kernel's edge, with holes, on the epoch", manifest(odd), [*own, FLUSH])
    dense = pushes("ppg", recorded(64.0, 1.7, seed=23), 25)
    coarse = manifest(PPG | {"rate": 64.0}, rate=20.0, samples=20)
    yield case_of("the kernel's edge, of a dense sensor", coarse, [*dense, FLUSH])
    ticks = (2.0 + np.arange(150) / 100).round(6)
    ticks[40:] += draw.choice([-0.000625, 0.000625, 0.0], ticks[40:].size)
    just = pushes("ppg", (ticks.round(6), np.sin(5 * ticks)), 30)
    fast = manifest(PPG | {"rate": 100.0})
    yield case_of("stamps just as far off as they may be", fast, [*just, FLUSH])


def _sensors() -> Iterator[Case]:
    two = manifest(PPG, *ACC)
    ppg = recorded(32.0, 3.5, seed=5)
    acc = recorded(25.0, 3.5, 0.013, seed=6, axes=3)
    regular = merged(pushes("ppg", ppg), pushes("acc", acc, 11))
    yield case_of("two sensors", two, [*regular, FLUSH])
    tail = acc[0][40:], acc[1][40:]
    late = merged(pushes("ppg", ppg), pushes("acc", tail, 11))
    yield case_of("a sensor that appears late", two, [*late, FLUSH])
    yield case_of("sensors that never appear", two, [*pushes("ppg", ppg), FLUSH])
    ahead = merged(pushes("acc", (acc[0] + 1.0, acc[1]), 11), pushes("ppg", ppg))
    ahead = [
        *ahead[:2],
        *pushes("acc", (acc[0][:40] + 3.0, acc[1][:40]), 40),
        *ahead[2:],
        FLUSH,
    ]
    yield case_of("a sensor that runs ahead", two, ahead)
    first = [*pushes("acc", (acc[0] + 0.9, acc[1]), 5)[:2], *pushes("ppg", ppg)[:2]]
    yield case_of(
        "the first sample comes second", two, [*first, *regular[4:], FLUSH], lateness=1.0
    )
    three = manifest(*ACC)
    missing = acc[1].copy()
    missing[10:30, 1] = np.nan
    missing[50] = np.nan
    missing[60, 2] = np.nan
    whole = pushes("acc", (acc[0], missing), 20)
    yield case_of("an axis with missing samples", three, [*whole, FLUSH])
    axes = merged(
        *(pushes(f"acc_{x}", (acc[0], acc[1][:, k]), 20) for k, x in enumerate("xyz"))
    )
    yield case_of("axes that come one by one", three, [*axes, FLUSH], lateness=1.0)
    yield case_of("an axis alone", three, [*pushes("acc_y", (acc[0], acc[1][:, 1])), FLUSH])
    parts = [
        push("acc_x", acc[0][:30], acc[1][:30, 0]),
        push("acc", acc[0][10:50], acc[1][10:50] + 0.25),
        push("acc_z", acc[0][40:70], acc[1][40:70, 2]),
        push("acc", acc[0][60:], acc[1][60:]),
        FLUSH,
    ]
    yield case_of("an axis, then all of them", three, parts, lateness=2.0)
    jittered = acc[0] + np.random.default_rng(7).uniform(-0.2, 0.2, acc[0].size) / 25.0
    strayed = pushes("acc", (jittered.round(6), missing), 9)
    yield case_of("jitter on three axes", three, [*strayed, FLUSH])
    slow = manifest(PPG, TEMPERATURE)
    degrees = recorded(4.0, 3.5, 0.1, seed=8)
    kept = np.r_[0:6, 9:14]
    both = merged(
        pushes("ppg", ppg), pushes("temperature", (degrees[0][kept], degrees[1][kept]), 1)
    )
    yield case_of("a slow channel with a gap", slow, [*both, FLUSH])
    alone = manifest(TEMPERATURE)
    wobbled = recorded(4.0, 6.0, 0.1, seed=9)
    wobbled[0][[5, 9, 17]] += np.array([0.09, -0.1, 0.02])
    yield case_of(
        "a slow channel alone, stray", alone, [*pushes("temperature", wobbled, 3), FLUSH]
    )
    fast = recorded(100.0, 1.6, 0.003, seed=10)
    yield case_of(
        "another native rate",
        manifest(PPG),
        [*pushes("ppg", fast, 30), FLUSH],
        rates={"ppg": 100.0},
    )
    own = recorded(25.0, 3.0, seed=11, axes=3)
    rates = {"acc": 20.0}
    slower = recorded(20.0, 3.0, 0.01, seed=11, axes=3)
    yield case_of("on the grid's own points", three, [*pushes("acc", own, 10), FLUSH])
    yield case_of("a rate by sensor", three, [*pushes("acc", slower, 10), FLUSH], rates=rates)
    apart = manifest(ACC[0], PPG, ACC[1])
    pair = pushes("acc", (acc[0], acc[1][:, :2]), 11)
    yield case_of(
        "rows that are not together", apart, [*merged(pushes("ppg", ppg), pair), FLUSH]
    )


def _hops() -> Iterator[Case]:
    one = manifest(PPG)
    ppg = recorded(32.0, 3.0, seed=12)
    yield case_of("hops of few grid points", one, [*pushes("ppg", ppg, 20), FLUSH], hop=3)
    longer = recorded(32.0, 5.0, seed=12)
    yield case_of("hops longer than a window", one, [*pushes("ppg", longer), FLUSH], hop=40)
    short = recorded(32.0, 0.5, 0.3, seed=13)
    some = pushes("ppg", short)
    yield case_of("too short for a window", one, [*some, FLUSH])
    yield case_of("at least one window", one, [*some, {"at_least_one": True}])
    yield case_of(
        "no more than one is needed", one, [*pushes("ppg", ppg), {"at_least_one": True}]
    )
    slow = manifest({"name": "eda", "sensor": "eda", "rate": 5.0}, rate=5.0, samples=10)
    before, after = recorded(5.0, 4.0, seed=14), recorded(5.0, 4.0, 1000.1, seed=15)
    away = [*pushes("eda", before), *pushes("eda", after), FLUSH]
    yield case_of("a long time without samples", slow, away, hop=500)
    refused = [
        *some,
        push("pulse", [1.0], [0.0]),
        push("ppg", [1.0], [1e15]),
        push("ppg", [1e11 + 1], [0.0]),
        push("ppg", [4e7], [0.0]),
        push("ppg", [1.0, 1.1], [0.0]),
        push("ppg", [1.0], [[0.0, 1.0]]),
        *pushes("ppg", (ppg[0] + 0.8, ppg[1]), 40),
        FLUSH,
        push("ppg", [5.0], [0.0]),
        FLUSH,
    ]
    yield case_of("what is refused changes nothing", one, refused)
    anew = [*pushes("ppg", longer, 100), {"reset": True}, *pushes("ppg", (ppg[0] - 90, ppg[1]))]
    yield case_of("a reset begins anew", one, anew)
    empty = [*pushes("ppg", longer, 100), {"reset": True}, *some]
    yield case_of("a reset forgets what was told", one, empty)
    yield from _steps()
    yield from _patterns()


def _steps() -> Iterator[Case]:
    step = {"samples": 5, "state": 2}
    mode = {"mode": "step", "hop": 10, "outputs": {"embedding": [0.5]}}
    ppg = recorded(32.0, 3.0, 0.7, seed=16)
    stepped = manifest(PPG, step=step)
    yield case_of("steps", stepped, [*pushes("ppg", ppg), FLUSH], **mode)
    kept = (ppg[0] < 1.2) | (ppg[0] > 2.9)
    gap = [*pushes("ppg", (ppg[0][kept], ppg[1][kept])), FLUSH]
    yield case_of("steps over a gap", stepped, gap, **mode | {"hop": 5})
    one = [*pushes("ppg", (ppg[0][:20], ppg[1][:20])), {"at_least_one": True}]
    yield case_of("steps up to at least one window", stepped, one, **mode)
    slow = {"rate": 5.0, "samples": 20}
    channels = [{"name": x, "sensor": x, "rate": 5.0} for x in ("eda", "pulse")]
    known = manifest(*channels, **slow, baseline={"seconds": 30.0, "samples": 10})
    eda, pulse = recorded(5.0, 24.0, seed=17), recorded(5.0, 14.0, 6.0, seed=18)
    both = merged(pushes("eda", eda, 25), pushes("pulse", pulse, 25))
    yield case_of("windows with a baseline", known, [*both, FLUSH], hop=15, lateness=5.0)
    long = known | {"step": step}
    yield case_of("steps with a baseline", long, [*both, FLUSH], **mode, lateness=5.0)
    small = known | {"baseline": {"seconds": 20.0, "samples": 3}}
    away = [
        *pushes("eda", (eda[0][:80], eda[1][:80] + 30)),
        *pushes("eda", (eda[0] + 60, eda[1])),
    ]
    yield case_of("a baseline that is forgotten", small, [*away, FLUSH], hop=20)


def _patterns() -> Iterator[Case]:
    """Windows of sensors that come and go, and what is asked of their answers."""
    tasks = [
        {
            "name": "stress",
            "kind": "classification",
            "labels": ["rest", "stress"],
            "required": {"ppg": 0.2},
            "minimum_confidence": 0.0,
        },
        {
            "name": "heart_rate",
            "kind": "regression",
            "unit": "bpm",
            "required": {},
            "any_of": {"ppg": 0.75, "acc_x": 0.75},
            "minimum_confidence": 0.0,
        },
    ]
    patterns = [
        {
            "sensors": ["ppg", "acc"],
            "temperatures": {"stress": 1.7, "heart_rate": 0.8},
            "minimum_confidence": {"stress": 0.7, "heart_rate": 0.8},
        },
        {
            "sensors": ["ppg"],
            "temperatures": {"stress": 3.0},
            "minimum_confidence": {"stress": 0.8},
        },
    ]
    asked = manifest(PPG, *ACC, tasks=tasks, availability={"least": 0.5, "patterns": patterns})
    outputs = {"embedding": [0.5], "stress": [0.25, 0.75], "heart_rate": [72.5, 0.75]}
    ppg, acc = recorded(32.0, 4.5, seed=19), recorded(25.0, 4.5, seed=20, axes=3)
    kept = (ppg[0] < 3.2) | (ppg[0] > 4.2)
    coming = merged(
        pushes("ppg", (ppg[0][kept], ppg[1][kept])),
        pushes("acc", (acc[0][45:], acc[1][45:]), 11),
    )
    yield case_of("sensors that come and go", asked, [*coming, FLUSH], outputs=outputs)
    steps = asked | {"step": {"samples": 5, "state": 1}}
    yield case_of(
        "steps of sensors that come and go",
        steps,
        [*coming, FLUSH],
        mode="step",
        hop=10,
        outputs=outputs,
    )


def _with(case: Case) -> Case:
    return case | {"expected": replay(case)}
