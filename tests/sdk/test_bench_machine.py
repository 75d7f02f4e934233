"""What `onwrist bench` reads of a machine, from files as real machines have them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from onwrist.bench import conditions, machine
from onwrist.bench.conditions import LoadMeter, energy, state, throttled
from onwrist.bench.emulation import emulation
from onwrist.bench.report import Battery

PI_4 = """processor\t: {0}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def put(root: Path, **files: str) -> None:
    """Write files by their path, with / as __."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def vcgencmd(root: Path, answer: str) -> None:
    put(root, usr__bin__vcgencmd=f'#!/bin/sh\n[ "$1" = get_throttled ] && echo "{answer}"\n')
    (root / "usr/bin/vcgencmd").chmod(0o755 | stat.S_IXUSR)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """The files of a Raspberry Pi 4 that is at ease."""
    for number in range(4):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        for name, value in (
            ("scaling_governor", "performance"),
            ("scaling_min_freq", "600000"),
            ("scaling_max_freq", "1800000"),
            ("scaling_cur_freq", "1800000"),
        ):
            (folder / name).write_text(f"{value}\n")
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("48199\n")
    cpuinfo = "".join(PI_4.format(number) for number in range(4))
    cpuinfo += (
        "Revision\t: c03114\nSerial\t\t: 10000000\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    )
    put(
        tmp_path,
        proc__cpuinfo=cpuinfo,
        proc__meminfo="MemTotal:        3886384 kB\nMemFree:          100000 kB\n",
        proc__loadavg="0.08 0.03 0.01 1/154 1234\n",
    )
    put(tmp_path, **{"proc__device-tree__model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    vcgencmd(tmp_path, "throttled=0x0")
    return tmp_path


def processes(root: Path, shown: str, true: str, mapped: str) -> None:
    """What a program sees of itself, and what the kernel knows."""
    for name, target in (("self", shown), ("thread-self", true)):
        folder = root / "proc" / name
        folder.mkdir(parents=True)
        (folder / "exe").symlink_to(target)
    (root / "proc/thread-self/maps").write_text(
        f"55f0-55f1 r-xp 00000000 08:01 1234                       {mapped}\n"
        "7ffd-7ffe rw-p 00000000 00:00 0                          [stack]\n"
    )


def test_a_raspberry_pi_is_read_whole(pi: Path) -> None:
    found = machine.machine_of(pi)
    assert found.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert found.memory_bytes == 3886384 * 1024
    (kind,) = found.cores
    assert (kind.name, kind.part, kind.variant) == ("Cortex-A72", "0xd08", "0x0")
    assert kind.processors == (0, 1, 2, 3)
    assert found.features == ("asimd",)
    now = state([3], pi)
    (clock,) = now.clocks
    assert (clock.processor, clock.governor) == (3, "performance")
    assert (clock.minimum_hz, clock.maximum_hz) == (600_000_000, 1_800_000_000)
    assert clock.current_hz == 1_800_000_000
    assert [(x.name, x.celsius) for x in now.temperatures] == [("cpu-thermal", 48.199)]
    assert now.throttled == ()
    assert now.load_average == 0.08
    assert now.batteries == ()


def test_two_kinds_of_cores_are_told_apart_and_share_features(tmp_path: Path) -> None:
    little = PI_4.format(0).replace("0xd08", "0xd05").replace("crc32", "asimddp crc32")
    big = PI_4.format(4).replace("0xd08", "0xd41").replace("crc32", "asimddp i8mm crc32")
    put(tmp_path, proc__cpuinfo=little + big)
    kinds = machine.cores(tmp_path)
    assert [(x.name, x.processors) for x in kinds] == [
        ("Cortex-A55", (0,)),
        ("Cortex-A78", (4,)),
    ]
    assert machine.features(tmp_path) == ("asimd", "asimddp")
    assert machine.processor_name(tmp_path) == "Cortex-A55, Cortex-A78"


def test_a_core_without_a_known_name_keeps_its_numbers(tmp_path: Path) -> None:
    put(tmp_path, proc__cpuinfo=PI_4.format(0).replace("0xd08", "0xfff"))
    (kind,) = machine.cores(tmp_path)
    assert (kind.name, kind.implementer, kind.part) == (None, "0x41", "0xfff")


def test_a_pc_is_named_by_its_dmi(tmp_path: Path) -> None:
    put(tmp_path, sys__class__dmi__id__sys_vendor="LENOVO\n")
    put(tmp_path, sys__class__dmi__id__product_name="20XW\n")
    assert machine.board(tmp_path) == "LENOVO 20XW"


def test_a_machine_that_tells_nothing_is_not_guessed(tmp_path: Path) -> None:
    now = state([0], tmp_path)
    (clock,) = now.clocks
    assert clock.governor is None
    assert clock.current_hz is None
    assert now.throttled is now.cooling is now.throttle_events is now.load_average is None
    assert (now.temperatures, now.batteries) == ((), ())
    assert machine.board(tmp_path) is None
    assert machine.cores(tmp_path) == ()
    load = LoadMeter(tmp_path).load()
    assert load.waited_share is load.stolen_share is load.other_processors is None
    assert emulation(tmp_path).emulated is None


def test_files_that_may_not_be_read_are_as_if_absent(pi: Path) -> None:
    folders = [path for path in (pi / "sys", pi / "proc", pi / "usr") if path.exists()]
    for folder in folders:
        folder.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # nothing is forbidden to root
        now, found = state([0], pi), emulation(pi)
        kinds, throttles = machine.cores(pi), throttled(pi)
    finally:
        os.seteuid(user)
        for folder in folders:
            folder.chmod(0o755)
    assert now.temperatures == now.batteries == kinds == ()
    assert now.throttled is throttles is now.cooling is now.throttle_events is None
    assert found.emulated is None


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ("0x0", ()),
        ("0x1", ("under-voltage now",)),
        ("0x4", ("throttled now",)),
        ("0x50000", ("under-voltage since it started", "throttled since it started")),
        ("0x80008", ("soft temperature limit now", "soft temperature limit since it started")),
        ("0x20002", ("arm frequency capped now", "arm frequency capped since it started")),
    ],
)
def test_the_flags_of_vcgencmd_are_decoded(
    tmp_path: Path, bits: str, said: tuple[str, ...]
) -> None:
    vcgencmd(tmp_path, f"throttled={bits}")
    assert throttled(tmp_path) == said


def test_a_vcgencmd_that_is_refused_says_nothing(tmp_path: Path) -> None:
    vcgencmd(tmp_path, "VCHI initialization failed")
    assert throttled(tmp_path) is None


def test_a_phone_whose_clock_is_held_down_by_heat(tmp_path: Path) -> None:
    for number, (kind, now) in enumerate((("thermal-cpufreq-0", 3), ("backlight", 2))):
        folder = tmp_path / f"sys/class/thermal/cooling_device{number}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{kind}\n")
        (folder / "cur_state").write_text(f"{now}\n")
    assert state([0], tmp_path).cooling == ("thermal-cpufreq-0",)


def test_waiting_and_stolen_time_are_shares_of_what_passed(tmp_path: Path) -> None:
    put(tmp_path, proc__self__schedstat="1000 500 7\n")
    put(tmp_path, proc__stat="cpu  100 0 10 800 0 0 0 10 0 0\ncpu0 1 2 3\n")
    meter = LoadMeter(tmp_path)
    put(tmp_path, proc__self__schedstat="4000 1500 9\n")
    put(tmp_path, proc__stat="cpu  150 0 20 830 0 0 0 20 0 0\ncpu0 1 2 3\n")
    load = meter.load()
    assert load.waited_share == pytest.approx(1000 / 4000)
    assert load.stolen_share == pytest.approx(10 / 100)


def test_processors_that_others_keep_busy_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"process_time": 5.0, "monotonic": 100.0}
    for name in clock:
        monkeypatch.setattr(conditions.time, name, lambda name=name: clock[name])
    ticks = os.sysconf("SC_CLK_TCK")
    put(tmp_path, proc__stat="cpu  0 0 0 0 0 0 0 0 0 0\n")
    meter = LoadMeter(tmp_path)
    # Ten seconds of four processors: this process ran 9 s, others 15 s.
    put(tmp_path, proc__stat=f"cpu  {20 * ticks} 0 {4 * ticks} {16 * ticks} 0 0 0 0 0 0\n")
    clock.update(process_time=14.0, monotonic=110.0)
    assert meter.load().other_processors == pytest.approx(1.5)


def battery(
    status: str = "Discharging", current: float | None = -0.2, voltage: float | None = 3.8
) -> Battery:
    return Battery(name="battery", status=status, current_a=current, voltage_v=voltage)


def test_power_is_current_times_voltage_of_a_draining_battery() -> None:
    found = energy([(battery(),), (battery(current=-0.4),)])
    assert found.mean_power_w == pytest.approx(0.3 * 3.8)
    assert found.readings == 2
    assert found.source is not None
    assert "current_now" in found.source
    assert found.reason is None


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        ([(), ()], "no meter"),
        ([(battery(),), (battery("Charging"),)], "charger"),
        ([(battery(),), (battery(current=None),)], "does not tell"),
        ([(battery(voltage=None),)], "does not tell"),
    ],
)
def test_power_is_never_inferred(readings: list[tuple[Battery, ...]], reason: str) -> None:
    found = energy(readings)
    assert found.mean_power_w is found.source is None
    assert found.reason is not None
    assert reason in found.reason


def test_batteries_are_read_in_amperes_and_volts(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/power_supply/battery"
    folder.mkdir(parents=True)
    for name, value in (
        ("type", "Battery"),
        ("status", "Discharging"),
        ("current_now", "-187500"),
        ("voltage_now", "3800000"),
    ):
        (folder / name).write_text(f"{value}\n")
    put(tmp_path, sys__class__power_supply__usb__type="USB\n")
    put(tmp_path, sys__class__power_supply__mouse__type="Battery\n")
    put(tmp_path, sys__class__power_supply__mouse__scope="Device\n")
    assert conditions.batteries(tmp_path) == (battery(current=-0.1875),)


def test_a_real_machine_is_not_emulated(pi: Path) -> None:
    python = "/usr/bin/python3.11"
    processes(pi, python, python, python)
    found = emulation(pi, "aarch64")
    assert found.emulated is False
    assert found.signs == ()


@pytest.mark.parametrize(
    ("true", "mapped", "sign"),
    [
        ("/usr/bin/qemu-aarch64-static", "/usr/bin/python3.11", "run by qemu-aarch64-static"),
        ("/usr/bin/box64", "/usr/bin/python3.11", "run by box64"),
        ("/lib64/ld-linux-x86-64.so.2", "/opt/qemu-aarch64", "qemu-aarch64 is mapped"),
    ],
)
def test_an_emulator_of_programs_is_seen(pi: Path, true: str, mapped: str, sign: str) -> None:
    processes(pi, "/usr/bin/python3.11", true, mapped)
    found = emulation(pi, "aarch64")
    assert found.emulated is True
    assert any(sign in x for x in found.signs)


def test_an_arm_with_the_cpuinfo_of_an_x86_is_emulated(tmp_path: Path) -> None:
    put(tmp_path, proc__cpuinfo="processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: avx2\n")
    assert emulation(tmp_path, "aarch64").emulated is True
    assert emulation(tmp_path, "armv7l").emulated is True


def test_a_processor_that_calls_itself_qemus_is_emulated(tmp_path: Path) -> None:
    put(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nvendor_id\t: AuthenticAMD\n"
        "model name\t: QEMU TCG CPU version 2.5+\nflags\t\t: avx2 hypervisor\n",
    )
    found = emulation(tmp_path, "x86_64")
    assert found.emulated is True
    assert found.hypervisor is True


def test_apples_translator_of_x86_is_an_emulator(tmp_path: Path) -> None:
    put(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nvendor_id\t: VirtualApple\n"
        "model name\t: VirtualApple @ 2.50GHz\n",
    )
    assert emulation(tmp_path, "x86_64").emulated is True


def test_a_board_of_qemu_may_have_a_real_processor(pi: Path) -> None:
    python = "/usr/bin/python3.11"
    processes(pi, python, python, python)
    put(pi, **{"proc__device-tree__model": "linux,dummy-virt\0"})
    found = emulation(pi, "aarch64")
    assert found.emulated is None
    assert "dummy-virt" in found.signs[0]
