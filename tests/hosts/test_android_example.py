"""The Android example: its shared parts on a JVM, and that its files fit each other.

Its apps are compiled with the Kotlin host, against declarations of what they use of Android.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import kotlin_host
import numpy as np
import pytest

from onwrist.bundles import shipped
from onwrist.embed import embed, kotlin
from onwrist.readers.histories.minutes import split

EXAMPLE = kotlin_host.REPOSITORY / "examples" / "android"
NAME = "{http://schemas.android.com/apk/res/android}name"
REASON = kotlin_host.missing()
compiles = pytest.mark.skipif(REASON is not None, reason=str(REASON))
SECOND = 1_000_000_000


def ask(tmp_path: Path, **asked: Any) -> dict[str, Any]:
    path = tmp_path / "asked.json"
    path.write_text(json.dumps(asked), encoding="utf-8")
    answer: dict[str, Any] = kotlin_host.ask("examples", path)
    return answer


def reading(boot: float, epoch: float, boots: int = 7, offset: int = 3600) -> dict[str, Any]:
    return {
        "boots": boots,
        "boot_nanos": str(round(boot * SECOND)),
        "epoch_millis": round(epoch * 1000),
        "offset": offset,
    }


@compiles
@pytest.mark.slow
def test_days_lie_on_local_time_whatever_becomes_of_the_wall_clock(tmp_path: Path) -> None:
    start = 1_700_000_000.0
    draw = np.random.default_rng(0)
    boots = np.sort(draw.uniform(50.0, 9e5, 40)).round(6)
    # The network puts the wall clock right by seconds, and the quartz runs away from it.
    slewed = start + boots * (1 + 10e-6) + draw.uniform(-4, 4, 40)
    steady = [reading(*pair) for pair in zip(boots.tolist(), slewed.tolist(), strict=True)]
    later = start + 100.0
    changes = [
        reading(100.0, later),
        reading(160.0, later + 60),
        reading(220.0, later + 120 - 3600),
        reading(280.0, later + 180 - 3600),
        reading(340.0, later + 240 - 3600, offset=7200),
        reading(5.0, later + 500, boots=8, offset=7200),
        reading(400.0, later + 895, boots=8, offset=7200),
        reading(400.5, later + 10_000, boots=9, offset=7200),
    ]
    found = ask(tmp_path, clocks=[{"readings": steady}, {"readings": changes}])["clocks"]
    assert {each["change"] for each in found[0]} == {"NONE"}
    times = np.array([each["epoch"] for each in found[0]])
    assert np.allclose(np.diff(times), np.diff(boots), atol=1e-6)
    assert np.abs(times - slewed).max() < 20
    assert [each["change"] for each in found[1]] == [
        *("NONE", "NONE", "WALL_CLOCK", "NONE", "ZONE", "BOOT", "NONE", "BOOT")
    ]
    for each, now in zip(found[1], changes, strict=True):
        assert each["epoch"] == pytest.approx(now["epoch_millis"] / 1000, abs=1e-6)
        assert each["local"] == pytest.approx(each["epoch"] + now["offset"], abs=1e-6)


@compiles
@pytest.mark.slow
def test_bluetooth_measurements_are_read_as_the_service_lays_them_out(tmp_path: Path) -> None:
    cases: dict[str, Any] = {
        "0048": {"bpm": 72, "contact": None, "intervals": [], "pulse": True},
        "01ff00": {"bpm": 255, "contact": None, "intervals": [], "pulse": False},
        "0648": {"bpm": 72, "contact": True, "intervals": [], "pulse": True},
        "0448": {"bpm": 72, "contact": False, "intervals": [], "pulse": False},
        "0000": {"bpm": 0, "contact": None, "intervals": [], "pulse": False},
        "1048000400035a": {"bpm": 72, "contact": None, "intervals": [1.0, 0.75], "pulse": True},
        "1f4800050000040002": {
            **{"bpm": 72, "contact": True, "intervals": [1.0, 0.5]},
            "pulse": True,
        },
        "": None,
        "00": None,
        "0148": None,
        "0848": None,
    }
    assert ask(tmp_path, measurements=[*cases])["measurements"] == [*cases.values()]


@compiles
@pytest.mark.slow
def test_steps_become_the_minutes_that_the_readers_make_of_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    starts = np.sort(draw.uniform(0, 7200, 60)).round(3)
    ends = np.append(starts[1:], 7260.0) - draw.choice([0.0, 5.0], 60)
    ends = np.maximum(starts, np.where(draw.random(60) < 0.1, starts, ends)).round(3)
    counts = draw.integers(0, 300, 60)
    heart = np.sort(draw.uniform(3600, 9000, 90)).round(3)
    records = [
        {"start": start, "end": end, "count": float(count)}
        for start, end, count in zip(starts.tolist(), ends.tolist(), counts, strict=True)
    ]
    longer = {"start": 20_000.0, "end": 23_700.0, "count": 500.0}
    case = {"counts": [*records, longer], "heart": heart.tolist()}
    (found,) = ask(tmp_path, steps=[case])["steps"]
    times, values = np.array(found["times"]), np.array(found["values"])
    assert (np.diff(times) > 0).all()
    minutes = np.floor(times / 60).astype(int)
    size = 400
    wanted = split(starts, ends, counts.astype(float), 0, size)
    worn = np.unique(np.floor(heart / 60).astype(int))
    wanted[worn[np.isnan(wanted[worn])]] = 0.0
    made = np.bincount(minutes, values, size)
    made[np.bincount(minutes, minlength=size) == 0] = np.nan
    assert np.allclose(made, wanted, atol=1e-3, equal_nan=True)


@compiles
@pytest.mark.slow
def test_light_keeps_the_pulse_and_loses_the_level(tmp_path: Path) -> None:
    times = (np.arange(1000) * 0.04).round(3)
    pulse = 3000 * np.sin(2 * np.pi * 1.2 * times)
    drift = 2_000_000 + 60_000 * np.sin(2 * np.pi * 0.02 * times)
    counts = (drift + pulse).round().astype(int)
    gap = times + np.where(times > 20, 3.0, 0.0)
    cases = [{"times": when.tolist(), "counts": counts.tolist()} for when in (times, gap)]
    plain, anew = (np.array(x) for x in ask(tmp_path, light=cases)["light"])
    assert 2500 < np.ptp(plain[250:]) / 2 < 6500
    beats = np.abs(np.fft.rfft(plain[250:] - plain[250:].mean()))
    assert np.fft.rfftfreq(750, 0.04)[beats.argmax()] == pytest.approx(1.2, abs=0.04)
    assert anew[501] == 0
    (found,) = (ask(tmp_path, acceleration=[4096, 0, -8192])["acceleration"],)
    assert found == pytest.approx([1.0, 0.0, -2.0], abs=1e-4)


def test_its_build_files_name_what_embed_writes() -> None:
    bundles = {bundle.manifest.name: bundle for bundle in shipped()}
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"onwrist embed (\S+) --target android -o (\S+)", readme)
    written = {
        f"{to}/{path}" for name, to in commands for path in embed(bundles[name], "android")
    }
    settings = (EXAMPLE / "settings.gradle.kts").read_text(encoding="utf-8")
    for module in re.findall(r'":(\w+)"', settings):
        build = (EXAMPLE / module / "build.gradle.kts").read_text(encoding="utf-8")
        assert module == "shared" or kotlin.LITERT in build
        folders = re.findall(r'"(onwrist/[^"]+)"', build)
        for folder in folders:
            assert any(path.startswith(f"{module}/{folder}/") for path in written), folder
        # Two copies of the host in one app would not compile.
        assert sum(folder.endswith("/host") for folder in folders) == (module != "shared")
    ignored = (EXAMPLE / ".gitignore").read_text(encoding="utf-8").split()
    assert {f"{to.split('/')[0]}/onwrist/" for _, to in commands} | {"*.aar"} <= set(ignored)


@pytest.mark.parametrize("module", ["watch", "phone"])
def test_its_manifests_name_what_the_sources_have_and_ask_for(module: str) -> None:
    main = EXAMPLE / module / "src" / "main"
    manifest = ElementTree.parse(main / "AndroidManifest.xml").getroot()
    sources = {path.stem: path.read_text("utf-8") for path in main.rglob("*.kt")}
    for activity in manifest.iter("activity"):
        assert activity.attrib[NAME].removeprefix(".") in sources
    declared = {each.attrib[NAME] for each in manifest.iter("uses-permission")}
    text = "\n".join(sources.values())
    asked = {
        f"android.permission.{x}" for x in re.findall(r"Manifest\.permission\.(\w+)", text)
    }
    asked |= set(re.findall(r'"(\S+\.permission\.\S+)"', text))
    if "HealthPermission.getReadPermission" in text:
        asked |= {f"android.permission.health.READ_{x}" for x in ("HEART_RATE", "STEPS")}
    assert asked == declared
    assert not any("INTERNET" in name for name in declared)
