"""What changes while a machine works: clocks, heat, throttling, load and batteries.

Every reader takes the root under which /proc and /sys lie. What cannot be read is None.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from onwrist.bench.machine import ROOT, found, number, text
from onwrist.bench.report import Battery, Clock, Energy, Load, State, Zone

# Bits of `vcgencmd get_throttled`, from the documentation of Raspberry Pi OS; the same 16
# places higher for "since it started".
_THROTTLED = {
    0: "under-voltage",
    1: "arm frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_SINCE = 16


def state(processors: Iterable[int], root: Path = ROOT) -> State:
    """All of it at this moment, with the clocks of some processors."""
    return State(
        clocks=tuple(_clock(k, root) for k in processors),
        temperatures=tuple(_zones(root)),
        throttled=throttled(root),
        cooling=_cooling(root),
        throttle_events=_throttle_events(root),
        load_average=_load_average(root),
        batteries=batteries(root),
    )


def _clock(processor: int, root: Path) -> Clock:
    folder = root / f"sys/devices/system/cpu/cpu{processor}/cpufreq"

    def hertz(name: str) -> int | None:
        kilohertz = number(folder / name)
        return None if kilohertz is None else 1000 * kilohertz

    return Clock(
        processor=processor,
        governor=text(folder / "scaling_governor"),
        minimum_hz=hertz("scaling_min_freq"),
        maximum_hz=hertz("scaling_max_freq"),
        current_hz=hertz("scaling_cur_freq"),
    )


def _zones(root: Path) -> Iterator[Zone]:
    for folder in found(root / "sys/class/thermal", "thermal_zone*"):
        millidegrees = number(folder / "temp")
        if millidegrees is not None:
            name = text(folder / "type") or folder.name
            yield Zone(name=name, celsius=millidegrees / 1000)


def throttled(root: Path = ROOT) -> tuple[str, ...] | None:
    """What `vcgencmd get_throttled` of a Raspberry Pi says, in words; None without it."""
    folders = (root / "usr/bin", root / "opt/vc/bin")
    programs = [program for folder in folders for program in found(folder, "vcgencmd")]
    if not programs:
        return None
    try:
        done = subprocess.run(
            [programs[0], "get_throttled"], capture_output=True, text=True, timeout=5
        )
        bits = int(done.stdout.strip().removeprefix("throttled="), 16)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    now = [f"{words} now" for bit, words in _THROTTLED.items() if bits >> bit & 1]
    before = [
        f"{words} since it started"
        for bit, words in _THROTTLED.items()
        if bits >> (bit + _SINCE) & 1
    ]
    return (*now, *before)


def _cooling(root: Path) -> tuple[str, ...] | None:
    """The cooling devices that hold a processor's clock down."""
    folders = found(root / "sys/class/thermal", "cooling_device*")
    kinds = {folder: text(folder / "type") or "" for folder in folders}
    clocks = {folder: kind for folder, kind in kinds.items() if "cpufreq" in kind}
    if not clocks:
        return None
    return tuple(kind for folder, kind in clocks.items() if number(folder / "cur_state"))


def _throttle_events(root: Path) -> int | None:
    each = "cpu[0-9]*/thermal_throttle/core_throttle_count"
    counts = [number(path) for path in found(root / "sys/devices/system/cpu", each)]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _load_average(root: Path) -> float | None:
    try:
        return float((text(root / "proc/loadavg") or "").split()[0])
    except (IndexError, ValueError):
        return None


def batteries(root: Path = ROOT) -> tuple[Battery, ...]:
    """Every battery of the device, from the units of sysfs: microamperes and microvolts."""
    each = []
    for folder in found(root / "sys/class/power_supply", "*"):
        # The battery of a mouse or a keyboard has the scope "Device".
        if text(folder / "type") != "Battery" or text(folder / "scope") == "Device":
            continue
        current, voltage = number(folder / "current_now"), number(folder / "voltage_now")
        each.append(
            Battery(
                name=folder.name,
                status=text(folder / "status"),
                current_a=None if current is None else current / 1e6,
                voltage_v=None if voltage is None else voltage / 1e6,
            )
        )
    return tuple(each)


class Meter:
    """Reads the batteries at most once a second while something is measured."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._readings: list[tuple[Battery, ...]] = []
        self._next = 0.0
        self.look()

    def look(self) -> None:
        """Read them, if it is time."""
        now = time.monotonic()
        if now >= self._next and (not self._readings or self._readings[0]):
            self._readings.append(batteries(self._root))
            self._next = now + 1.0

    def energy(self) -> Energy:
        """Mean power of the device, if every reading was of a battery that drained."""
        self._next = 0.0
        self.look()
        return energy(self._readings)


def energy(readings: list[tuple[Battery, ...]]) -> Energy:
    """Mean power over readings of all batteries; never from anything but a meter."""
    powers = [_power(each) for each in readings]
    known = [power for power in powers if power is not None]
    reason = None
    if not any(readings):
        reason = "no meter"
    elif any(battery.status != "Discharging" for each in readings for battery in each):
        reason = "the battery did not drain all the time: a charger was connected"
    elif len(known) < len(powers):
        reason = "the battery does not tell current and voltage"
    if reason is not None:
        return Energy(mean_power_w=None, source=None, readings=0, reason=reason)
    names = " and ".join(battery.name for battery in readings[0])
    return Energy(
        mean_power_w=round(sum(known) / len(known), 4),
        source=f"{names}: mean of current_now x voltage_now",
        readings=len(known),
        reason=None,
    )


def _power(each: tuple[Battery, ...]) -> float | None:
    """Watts of all batteries together; drivers disagree on the sign of a current."""
    watts = 0.0
    for battery in each:
        if battery.current_a is None or battery.voltage_v is None:
            return None
        watts += abs(battery.current_a) * battery.voltage_v
    return watts if each else None


class LoadMeter:
    """What others take from its creation on, from the scheduler's own accounts."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = self._accounts()

    def load(self) -> Load:
        """The shares since then; None where the kernel keeps no such account."""
        now = self._accounts()
        ran, waited, stolen, busy, ticks, own, seconds = (
            x - y for x, y in zip(now, self._before, strict=True)
        )
        others = None
        if ticks > 0:
            # Ticks are coarse: a little less than nothing is nothing.
            others = round(max(0.0, busy / os.sysconf("SC_CLK_TCK") - own) / seconds, 2)
        return Load(
            waited_share=_share(waited, ran + waited),
            stolen_share=_share(stolen, ticks),
            other_processors=others,
        )

    def _accounts(self) -> tuple[float, ...]:
        """What has passed so far.

        Nanoseconds that this thread ran, and waited; ticks of all processors that were
        stolen, busy, and of any kind; seconds that this process ran, and of the clock.
        """
        own = (text(self._root / "proc/self/schedstat") or "0 0").split()
        line = (text(self._root / "proc/stat") or "").partition("\n")[0].split()[1:9]
        # Guest time, after these, is in user time already.
        user, nice, system, idle, iowait, irq, soft, stolen = map(int, line or "0" * 8)
        busy = user + nice + system + irq + soft
        ticks = busy + idle + iowait + stolen
        times = time.process_time(), time.monotonic()
        return (int(own[0]), int(own[1]), stolen, busy, ticks, *times)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None
