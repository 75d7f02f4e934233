"""Reports of `onwrist bench`: the file, the quantiles, the verdict, and how two compare."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist.bench import page, quantiles, report, verdict, words
from onwrist.bench.compare import compare
from onwrist.bench.report import Emulation, Load, Outputs, Plan, Report, Series, State
from onwrist_runtime.errors import InputError

PROPERTIES = st.floats(0.1, 1e6).map(lambda x: round(x, 1))


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type that a record's field may have."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = typing.get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{name: values_of(x) for name, x in fields.items()})
    if origin is typing.Annotated:
        inner, meta = arguments
        if inner is float:
            return PROPERTIES
        if inner is int:
            return st.integers(meta.ge, 2**40)
        if inner is str:
            return st.sampled_from(["predict", "engine", "step", "push", "predict with a+b"])
        return st.lists(values_of(typing.get_args(inner)[0]), min_size=1, max_size=3).map(tuple)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(*map(values_of, arguments), max_size=2)
    return {
        type(None): st.none(),
        bool: st.booleans(),
        int: st.integers(0, 2**40),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(max_size=20),
    }[kind]


REPORTS = values_of(Report)


@settings(max_examples=20)  # each is a hundred fields
@given(REPORTS)
def test_a_report_is_what_it_was_after_writing_and_reading(made: Report) -> None:
    raw = report.encode(made)
    assert report.decode(raw) == made
    assert report.encode(report.decode(raw)) == raw


@settings(max_examples=20)  # each is a hundred fields
@given(REPORTS, st.data())
def test_a_report_that_was_cut_short_is_refused(made: Report, data: st.DataObject) -> None:
    raw = report.encode(made)
    cut = data.draw(st.integers(0, len(raw) - 3))  # its end is a brace and a line feed
    with pytest.raises(InputError, match="not a report"):
        report.decode(raw[:cut])


@settings(max_examples=20)  # each is a hundred fields
@given(REPORTS, st.data())
def test_a_field_more_or_less_is_refused(made: Report, data: st.DataObject) -> None:
    fields = json.loads(report.encode(made))
    name = data.draw(st.sampled_from(sorted(fields.keys() - {"schema"})))
    less = {k: v for k, v in fields.items() if k != name}
    for wrong in (less, fields | {"more": 1}):
        with pytest.raises(InputError, match="not a report"):
            report.decode(json.dumps(wrong).encode())


def test_another_schema_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"schema": "onwrist-bench/2", "what": []}')
    with pytest.raises(
        InputError, match=r"other.json is a report of schema 'onwrist-bench/2'; "
    ):
        report.read(path)


def a_series(times: Any, what: Any = "predict", mode: Any = "warm") -> Series:
    return quantiles.series(what, mode, np.asarray(times, np.float64))


@given(st.lists(PROPERTIES, min_size=1, max_size=50))
def test_quantiles_are_in_order_and_within_what_was_seen(times: list[float]) -> None:
    found = a_series(times)
    bounds = [found.least_us, found.p50_low_us, found.p50_high_us, found.most_us]
    assert bounds == sorted(bounds)
    assert (found.least_us, found.most_us) == (min(times), max(times))
    assert found.p50_low_us <= found.p50_us <= found.p50_high_us or len(times) < 10
    assert found.samples_us == tuple(times)


@pytest.mark.parametrize(
    ("calls", "known"), [(29, 0), (30, 1), (299, 1), (300, 2), (2999, 2), (3000, 3)]
)
def test_a_quantile_is_known_where_enough_calls_lie_beyond(calls: int, known: int) -> None:
    found = a_series(np.arange(1, calls + 1))
    given = [found.p90_us, found.p99_us, found.p999_us]
    assert [x is not None for x in given] == [k < known for k in range(3)]


@pytest.mark.parametrize("count", [1, 2, 19, 20, 40, 41, 500])
def test_medians_are_those_of_blocks_drawn_whole(count: int) -> None:
    times = np.random.default_rng(count).lognormal(4, 0.3, count).round(1)
    blocks = np.array_split(times, min(20, count))
    draw, share = np.random.default_rng(7), [1 / len(blocks)] * len(blocks)
    for median in quantiles.resampled_medians(times, seed=7)[:50]:
        often = draw.multinomial(len(blocks), share)
        drawn = [x for k, x in enumerate(blocks) for _ in range(often[k])]
        assert median == pytest.approx(np.median(np.concatenate(drawn)))


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_the_interval_covers_the_median_of_a_long_run_whose_calls_are_alike(
    alike: float,
) -> None:
    draw = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        state = draw.normal(0, 1 / np.sqrt(1 - alike**2))
        times = np.empty(1000)
        for k in range(len(times)):
            state = alike * state + draw.normal()
            times[k] = 100 + state
        low, high = np.percentile(quantiles.resampled_medians(times), [2.5, 97.5])
        covered += low <= 100 <= high
    assert covered >= 85  # calls drawn one by one: about 40 of those that are alike


def test_samples_are_thinned_evenly_and_in_order() -> None:
    times = np.arange(1.0, 10_001.0)
    kept = quantiles.thinned(times)
    assert len(kept) == quantiles.KEPT
    assert set(np.diff(kept)) == {5.0}
    found = a_series(times)
    assert found.calls == 10_000
    assert found.p999_us == pytest.approx(9990, abs=1)  # of all, not of those that are kept


def test_drift_is_of_the_second_half() -> None:
    assert a_series([100.0] * 50 + [110.0] * 50).drift == pytest.approx(0.1)
    assert a_series([100.0] * 50 + [110.0] * 49).drift is None


# A machine at ease, from which each test goes one step away.

CALM = State(
    clocks=(
        report.Clock(
            processor=3,
            governor="performance",
            minimum_hz=600_000_000,
            maximum_hz=1_800_000_000,
            current_hz=1_800_000_000,
        ),
    ),
    temperatures=(report.Zone(name="cpu-thermal", celsius=48.2),),
    throttled=(),
    cooling=(),
    throttle_events=None,
    load_average=0.1,
    batteries=(),
)
OUTPUTS = Outputs(
    role="window",
    graph="model.tflite",
    vectors=18,
    sha256={"embedding": "ab" * 32, "heart_rate": "cd" * 32},
    passed=True,
    differences={"embedding": 0.0, "heart_rate": 1e-6},
)


@contextmanager
def matplotlib_text() -> Iterator[None]:
    """Figures in which text stays text."""
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        yield


@dataclasses.dataclass(frozen=True)
class Case:
    """What `judge` is given."""

    plan: Plan
    emulation: Emulation
    before: State
    after: State
    load: Load
    outputs: tuple[Outputs, ...]
    series: tuple[Series, ...]


def steady(scale: float = 1.0) -> tuple[Series, ...]:
    """Both calls in both modes, without drift."""
    times = scale * (100 + np.random.default_rng(0).gamma(2, 3, 4000))
    return tuple(
        a_series(k * times[:count], what, mode)
        for k, what in enumerate(("step", "predict"), start=1)
        for mode, count in (("warm", 4000), ("after idle", 400))
    )


PLAN = Plan(threads=1, core=3, warm_s=20, idle_s=40, every_s=0.02)
CALM_CASE = Case(
    PLAN,
    Emulation(emulated=False, signs=(), hypervisor=None),
    CALM,
    CALM,
    Load(waited_share=0.001, stolen_share=0.0, other_processors=0.1),
    (OUTPUTS,),
    steady(),
)


def judged(case: Case) -> report.Verdict:
    return verdict.judge(**{x.name: getattr(case, x.name) for x in dataclasses.fields(case)})


def changed(**how: Any) -> Case:
    return dataclasses.replace(CALM_CASE, **how)


def having(**how: Any) -> State:
    return msgspec.structs.replace(CALM, **how)


def loaded(**how: Any) -> Case:
    return changed(load=msgspec.structs.replace(CALM_CASE.load, **how))


def governed(governor: str | None) -> State:
    return having(clocks=(msgspec.structs.replace(CALM.clocks[0], governor=governor),))


def test_a_calm_machine_is_valid() -> None:
    found = judged(CALM_CASE)
    assert found.valid
    assert found.reasons == found.notes == ()


EMULATED = Emulation(emulated=True, signs=("python3.11 is run by qemu-arm",), hypervisor=None)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (changed(emulation=EMULATED), "emulated: python3.11 is run by qemu-arm"),
        (changed(after=having(throttled=("under-voltage now",))), "under-voltage now"),
        (changed(before=having(throttled=("throttled since it started",))), "since it started"),
        (changed(after=having(cooling=("thermal-cpufreq-0",))), "thermal-cpufreq-0 holds"),
        (
            changed(before=having(throttle_events=4), after=having(throttle_events=6)),
            "throttled: 2 times",
        ),
        (changed(before=governed("ondemand")), "governor is ondemand"),
        (loaded(waited_share=0.2), "20% of the time waiting"),
        (loaded(stolen_share=0.03), "3% of the time taken"),
        (loaded(other_processors=1.7), "others kept 1.7 processors busy"),
        (
            changed(
                load=Load(waited_share=None, stolen_share=None, other_processors=None),
                before=having(load_average=1.5),
            ),
            "load average was 1.50",
        ),
        (
            changed(series=(a_series([100.0] * 200 + [107.0] * 200),)),
            "drift from the first half to the second: predict warm +7%",
        ),
        (
            changed(emulation=Emulation(emulated=None, signs=("QEMU's",), hypervisor=None)),
            "emulated is not known: QEMU's",
        ),
        (changed(series=(a_series([100.0] * 99),)), "too few calls warm: predict 99; 100"),
        (
            changed(series=(a_series([100.0] * 29, mode="after idle"),)),
            "too few calls after idle: predict 29; 30",
        ),
        (
            changed(outputs=(msgspec.structs.replace(OUTPUTS, passed=False),)),
            "window: off the golden vectors",
        ),
    ],
)
def test_each_fault_is_a_reason_and_the_only_one(case: Case, reason: str) -> None:
    found = judged(case)
    assert not found.valid
    assert len(found.reasons) == 1
    assert reason in found.reasons[0]


@pytest.mark.parametrize(
    ("case", "note"),
    [
        (changed(before=governed(None), after=governed(None)), "governor is not known"),
        (
            changed(series=(a_series([100.0] * 99, mode="after idle"),)),
            "too few calls to tell a drift: after idle",
        ),
        (
            changed(emulation=Emulation(emulated=False, signs=(), hypervisor=True)),
            "virtual machine",
        ),
        (changed(plan=msgspec.structs.replace(PLAN, core=None)), "not pinned"),
        (changed(plan=msgspec.structs.replace(PLAN, threads=4)), "4 threads shared core 3"),
    ],
)
def test_what_is_not_known_is_a_note_and_no_reason(case: Case, note: str) -> None:
    found = judged(case)
    assert found.valid
    assert any(note in x for x in found.notes)


def a_report(case: Case = CALM_CASE, **model: Any) -> Report:
    start = report.Start(
        import_s=0.31,
        load_s=0.12,
        first_s=0.004,
        resident_before_bytes=10_000_000,
        resident_bytes=58_000_000,
        peak_bytes=60_000_000,
    )
    return Report(
        schema=report.SCHEMA,
        tier=verdict.tier(case.emulation, judged(case)),
        date="2026-01-02T03:04:05+00:00",
        seconds=63.0,
        model=msgspec.structs.replace(
            report.Model(
                name="wrist-himae",
                version="1.0.0",
                sha256="12" * 32,
                engine="litert",
                graphs={"model.tflite": "34" * 32},
            ),
            **model,
        ),
        machine=report.Machine(
            board="Raspberry Pi 4 Model B Rev 1.4",
            kernel="6.6.31+rpt-rpi-v8",
            libc="glibc 2.36",
            machine="aarch64",
            bits=64,
            cores=(
                report.Core(
                    processors=(0, 1, 2, 3),
                    name="Cortex-A72",
                    implementer="0x41",
                    part="0xd08",
                    variant="0x0",
                    revision="3",
                ),
            ),
            features=("asimd",),
            memory_bytes=4_000_000_000,
        ),
        versions={"Python": "3.11.2", "onwrist": "0.1.0", "ai-edge-litert": "2.3.0"},
        cold=report.Cold(starts=(start, start), reason=None),
        counters=report.Counters(per_call={"step": {"cycles": 1.5e6}}, reason=None),
        energy=report.Energy(mean_power_w=None, source=None, readings=0, reason="no meter"),
        verdict=judged(case),
        **{x.name: getattr(case, x.name) for x in dataclasses.fields(case)},
    )


def test_a_report_beside_itself_is_the_same() -> None:
    found = compare(a_report(), a_report())
    assert len(found.ratios) == 4
    for ratio in found.ratios:
        assert ratio.ratio == 1
        assert ratio.low < 1 < ratio.high
        assert ratio.high - ratio.low < 0.1
    assert found.same_outputs == {"window embedding": True, "window heart_rate": True}
    assert found.differences == {}


def test_ratios_are_of_the_second_to_the_first_and_changes_are_named() -> None:
    hashes = OUTPUTS.sha256 | {"heart_rate": "ef" * 32}
    other = changed(
        before=governed("ondemand"),
        outputs=(msgspec.structs.replace(OUTPUTS, sha256=hashes),),
        series=steady(1.5),
    )
    found = compare(a_report(), a_report(other))
    for ratio in found.ratios:
        assert ratio.ratio == pytest.approx(1.5, rel=0.01)
        assert ratio.low < 1.5 < ratio.high
        assert ratio.low > 1.4
    assert found.same_outputs == {"window embedding": True, "window heart_rate": False}
    assert found.differences == {"governor": ("performance", "ondemand, performance")}


def test_different_models_are_not_compared() -> None:
    with pytest.raises(InputError, match=r"different models.*wrist-himae 1.0.0 \(1212"):
        compare(a_report(), a_report(sha256="99" * 32))


def test_reports_without_a_call_in_common_are_not_compared() -> None:
    windows, days = changed(series=steady()[:2]), changed(series=steady()[2:])
    with pytest.raises(InputError, match="no call in common"):
        compare(a_report(windows), a_report(days))


@pytest.mark.parametrize(
    ("case", "tier"),
    [
        (CALM_CASE, "measured"),
        (changed(emulation=EMULATED), "emulated"),
        (changed(before=governed("ondemand")), "not valid"),
    ],
)
def test_measured_is_said_of_nothing_but_a_valid_run(
    tmp_path: Path, case: Case, tier: str
) -> None:
    made = a_report(case)
    assert made.tier == tier
    assert ("measured" in words.summary(made)) == (tier == "measured")
    svg = tmp_path / "page.svg"
    with matplotlib_text():
        page.save(svg, made)
    assert ("measured" in svg.read_text()) == (tier == "measured")


def test_another_cadence_is_a_difference() -> None:
    slow = a_report(changed(plan=msgspec.structs.replace(PLAN, every_s=1.28)))
    assert compare(a_report(), slow).differences == {
        "calls": (
            "20 s warm, 40 s after 0.02 s of idle each",
            "20 s warm, 40 s after 1.28 s of idle each",
        )
    }


def test_a_name_with_brackets_survives() -> None:
    made = a_report(name="wrist [1, 2]")
    assert report.decode(report.encode(made)) == made


def test_the_summary_says_what_matters() -> None:
    said = words.summary(a_report())
    for part in (
        "wrist-himae 1.0.0 in litert 2.3.0 on Raspberry Pi 4 Model B Rev 1.4",
        "valid: yes",
        "20 s warm, 40 s after 0.02 s of idle each",
        "measured",
        "4 x Cortex-A72",
        "48.0 MB added",
        "no meter",
        "1,500,000 cycles",
    ):
        assert part in said


def test_a_strangers_report_cannot_steer_a_terminal() -> None:
    case = changed(emulation=Emulation(emulated=True, signs=("\x1b[2Jgone",), hypervisor=None))
    said = words.printable(words.summary(a_report(case)))
    assert "\x1b" not in said
    assert "[2Jgone" in said


@pytest.mark.parametrize(
    "case",
    [
        changed(emulation=EMULATED, before=governed("$x_{1$"), series=steady(300)),
        changed(series=(a_series([5.0]),)),
        changed(series=(a_series([5.0, 9.0]), a_series([7.0], "step", "after idle"))),
    ],
    ids=["slow", "one call", "other calls after idle"],
)
def test_a_page_is_drawn_for_any_verdict(tmp_path: Path, case: Case) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "page.png"
    page.save(out, a_report(case))
    assert out.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [out]
