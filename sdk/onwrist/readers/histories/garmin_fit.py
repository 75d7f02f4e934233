"""Garmin's FIT files, one, a folder or a zip of them, in; records out.

Of monitoring files: heart rate, and steps from counters that run from local midnight on, of
each kind of walking on its own. Of activity files: heart rate at 1 Hz. Decoded by Garmin's
own library, whose errors on a damaged file are told, not guessed around.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onwrist.extras import require
from onwrist.readers import progress
from onwrist.readers.archives import Member
from onwrist.readers.histories.minutes import LONGEST_COUNT
from onwrist.readers.histories.records import FARTHEST, Gathered
from onwrist_runtime.errors import RecordingError

NAME = "Garmin FIT files (one, a folder or .zip)"

EPOCH = 631_065_600  # Unix seconds of 1989-12-31, from which FIT counts
_LARGEST = 1 << 26  # bytes; a day with an activity at 1 Hz has some MB
_MOST = 20_000  # files
_DAY = 86_400
_LATE = 1800  # seconds
_FILE_ID, _RECORD, _ACTIVITY, _MONITORING, _INFO = 0, 20, 34, 55, 103
_ON_FOOT = ("walking", "running")
_OPTIONS = {
    "convert_datetimes_to_dates": False,
    "merge_heart_rates": False,
}


@dataclass(slots=True)
class _File:
    """What one file says.

    Attributes
    ----------
    device : of the wearer's, as steps of two devices are not summed.
    begin : its first time, Unix seconds.
    offset : seconds by which local time is ahead; None if it does not say.
    beats : Unix seconds and bpm.
    counters : Unix seconds, kind of walking, and steps since local midnight.
    """

    device: str = "Garmin"
    begin: int = 0
    offset: int | None = None
    beats: list[tuple[int, float]] = field(default_factory=list)
    counters: list[tuple[int, str, float]] = field(default_factory=list)


def files(path: Path, members: Sequence[Member]) -> list[Member]:
    """The FIT files among files, by their names; their bytes are looked at when read."""
    return [x for x in members if x.file.lower().endswith(".fit")]


def gather(path: Path, found: Sequence[Member]) -> Gathered:
    """Records of FIT files.

    Raises
    ------
    RecordingError
        All files are damaged; of several, those that are damaged are left out and told.
    InputError
        Garmin's library is not installed.
    """
    if len(found) > _MOST:
        raise RecordingError(f"{path}: {len(found):,} FIT files; give a folder of a year")
    sdk = require("garmin_fit_sdk", "readers", "reading FIT files")
    gathered = Gathered()
    read: list[_File] = []
    damaged: list[str] = []
    for number, member in enumerate(found, start=1):
        progress.tell(number, len(found))
        try:
            read.append(_read(member, sdk))
        except RecordingError as error:
            if len(found) == 1:
                raise
            damaged.append(str(error))
    if damaged and len(damaged) == len(found):
        raise RecordingError(f"{damaged[0]} (and {len(damaged) - 1} more)")
    if damaged:
        gathered.notes.append(f"{len(damaged)} files were left out; the first: {damaged[0]}")
    read.sort(key=lambda x: x.begin)
    _place(path, read, gathered)
    return gathered


def _read(member: Member, sdk: Any) -> _File:
    data = member.read(_LARGEST)
    decoder = sdk.Decoder(sdk.Stream.from_byte_array(bytearray(data)))
    if not decoder.is_fit():
        raise RecordingError(f"{member.where}: not a FIT file, or cut within its header")
    out = _File()
    latest: list[int] = []
    kind: list[str] = []

    def take(number: int, message: dict[Any, Any]) -> None:
        stamp = message.get("timestamp")
        if isinstance(stamp, int):
            latest[:] = [stamp]
        if number == _FILE_ID:
            serial = message.get("serial_number")
            out.device = f"Garmin {serial}" if serial else "Garmin"
        elif number in (_INFO, _ACTIVITY):
            local = message.get("local_timestamp")
            if isinstance(local, int) and isinstance(stamp, int):
                out.offset = 60 * round((local - stamp) / 60)
        elif number in (_MONITORING, _RECORD):
            short = message.get("timestamp_16")
            if isinstance(short, int) and not isinstance(stamp, int):
                if not latest:
                    raise ValueError("a short time stamp before any whole one")
                # The lower 16 bits; they roll over every 18 hours. What seems to be all but
                # that ahead is a little behind, of a message that was written late.
                ahead = (short - latest[0]) & 0xFFFF
                latest[0] += ahead - 0x10000 if ahead > 0xFFFF - _LATE else ahead
            if not latest:
                return
            time = EPOCH + latest[0]
            _take_beat(out, time, message)
            if number == _MONITORING:
                if isinstance(said := message.get("activity_type"), str):
                    kind[:] = [said]
                _take_counter(out, time, message, kind[0] if kind else "")

    _, errors = decoder.read(mesg_listener=take, **_OPTIONS)
    if errors:
        raise RecordingError(
            f"{member.where}: damaged or cut ({str(errors[0])[:120]}); copy it from the "
            "device again"
        )
    times = [x[0] for x in out.beats] + [x[0] for x in out.counters]
    out.begin = min(times, default=0)
    return out


def _take_beat(out: _File, time: int, message: dict[Any, Any]) -> None:
    bpm = message.get("heart_rate")
    if isinstance(bpm, int | float) and bpm > 0:  # 0: no pulse was found
        out.beats.append((time, float(bpm)))


def _take_counter(out: _File, time: int, message: dict[Any, Any], kind: str) -> None:
    """`kind` is of the message or of the last one that said it."""
    cycles = message.get("cycles")  # of two steps each; "steps" where the kind is beside it
    steps = message.get("steps", 2 * cycles if isinstance(cycles, int | float) else None)
    if kind in _ON_FOOT and isinstance(steps, int | float):
        out.counters.append((time, kind, float(steps)))


def _place(path: Path, read: list[_File], gathered: Gathered) -> None:
    """Records of files in order of time, with the offsets that they or their neighbours say."""
    said = [x.offset for x in read if x.offset is not None and abs(x.offset) <= FARTHEST]
    if not said:
        gathered.notes.append(
            "no file says its time zone: days are those of UTC; give how far local time is "
            "ahead of it with --utc-offset HOURS"
        )
    offset = said[0] if said else 0
    # By device and kind: the offset of local time by time and count. Files overlap.
    counters: defaultdict[tuple[str, str], dict[tuple[int, float], int]] = defaultdict(dict)
    for each in read:
        if each.offset is not None and abs(each.offset) <= FARTHEST:
            offset = each.offset
        times = [time for time, _ in each.beats]
        if times:
            values = [value for _, value in each.beats]
            gathered.beats(each.device, times, [offset] * len(times), values)
        for time, kind, steps in each.counters:
            counters[each.device, kind].setdefault((time, steps), offset)
    lost = 0.0
    # Kinds of walking are counted over the same time.
    counted: defaultdict[tuple[str, int, int, int], float] = defaultdict(float)
    for (device, _), stood in counters.items():
        for since, time, ahead, steps in _rises(stood):
            if time - since > LONGEST_COUNT:
                lost += steps
            else:
                counted[device, since, time, ahead] += steps
    for (device, since, time, ahead), steps in counted.items():
        gathered.count(device, since, time, ahead, steps)
    if lost:
        gathered.notes.append(
            f"{lost:,.0f} steps were left out: their counter was written more than an hour "
            "after the one before, which says nothing about minutes"
        )


def _rises(stood: Mapping[tuple[int, float], int]) -> Iterator[tuple[int, int, int, float]]:
    """From when to when a counter that begins anew at local midnight rose, and by how much.

    Parameters
    ----------
    stood : seconds by which local time is ahead, by time and what the counter said.
    """

    def order(state: tuple[int, float]) -> tuple[int, float]:
        # At midnight the day's last word comes before the next one's 0.
        time, steps = state
        return time, steps if (time + stood[state]) % _DAY else -steps

    since, count = 0, 0.0
    for time, steps in sorted(stood, key=order):
        ahead = stood[time, steps]
        midnight = (time + ahead) // _DAY * _DAY - ahead
        if time == midnight and midnight - _DAY <= since < midnight and steps >= count:
            midnight -= _DAY
        if steps < count or since < midnight:  # it began anew
            since, count = max(since, midnight), 0.0
        if time > since:
            yield since, time, ahead, steps - count
        since, count = time, steps
