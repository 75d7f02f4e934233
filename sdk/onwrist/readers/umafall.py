"""The compact .npz of the UMAFall data set in, one Recording with labels a trial out.

`umafall_20hz.npz` holds trials of 15 s: imu (trials, 300, 36), four IMUs at 20 Hz with
acceleration (g), angular rate (deg/s) and magnetic field (uT), NaN where there is no sample;
phone_acc_50hz (trials, 750, 3) in g; subject, activity, trial and start of each. What a
trial becomes is decided here for the original CSV files too (`umafall_csv`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import npz
from onwrist.readers.choosing import choose
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import RecordingError
from onwrist_runtime.signals import Signal

POSITIONS = ("wrist", "chest", "waist", "ankle")
QUANTITIES = {"acc": "g", "gyro": "dps", "mag": "uT"}  # of an IMU, with their units
RATE, SAMPLES = 20.0, 300  # Hz, samples of an IMU in a trial
PHONE_RATE, PHONE_SAMPLES = 50.0, 750  # means over 20 ms of about four samples each
LENGTH = SAMPLES / RATE  # seconds

# The data set's names of the activities, and ours; the last three are falls.
ACTIVITIES = {
    "Aplausing": "clapping",
    "Bending": "bending",
    "GoDownstairs": "going downstairs",
    "GoUpstairs": "going upstairs",
    "HandsUp": "hands up",
    "Hopping": "hopping",
    "Jogging": "jogging",
    "LyingDown_OnABed": "lying down",
    "MakingACall": "making a call",
    "OpeningDoor": "opening a door",
    "Sitting_GettingUpOnAChair": "sitting down and getting up",
    "Walking": "walking",
    "backwardFall": "backward fall",
    "forwardFall": "forward fall",
    "lateralFall": "lateral fall",
}
FALLS = ("backward fall", "forward fall", "lateral fall")


def is_umafall(names: set[str]) -> bool:
    """Whether an .npz with arrays of these names is the compact file."""
    return {"imu", "phone_acc_50hz", "activity_names", "trial", "start"} <= names


def read(path: Path, user: str | None = None) -> Recording:
    """Read one trial: the one called `user`, or the only one of the subject `user`.

    Raises
    ------
    RecordingError
        The file is damaged.
    InputError
        `user` does not choose one trial.
    """
    there = read_all(path)
    return there[choose(path, [(each.name, each.subject or "") for each in there], user)]


def read_all(path: Path) -> list[Recording]:
    """Read every trial, in the order of the file.

    Raises
    ------
    RecordingError
        A shape, subject, activity or time that the file cannot have.
    """
    arrays = npz.arrays(path)
    imu = _values(path, arrays, "imu", SAMPLES)
    phone = _values(path, arrays, "phone_acc_50hz", PHONE_SAMPLES)
    columns = _columns(path, arrays, imu.shape[2])
    if phone.shape[2] != 3:
        raise RecordingError(f"{path}: 'phone_acc_50hz' has {phone.shape[2]} axes, not 3")
    subjects = _whole(path, arrays, "subject", len(imu)).tolist()
    trials = _whole(path, arrays, "trial", len(imu)).tolist()
    activities = _activities(path, arrays, len(imu))
    starts = arrays["start"]
    if starts.shape != (len(imu),) or starts.dtype.kind != "U" or len(phone) != len(imu):
        raise RecordingError(f"{path}: imu, phone_acc_50hz and start are not of one length")
    begins = [seconds(f"{path}, trial {k}", text) for k, text in enumerate(starts.tolist())]
    names = _names(subjects, activities, trials, starts.tolist())
    # Channels first: each is then one run of memory, and no copy of its own.
    imu, phone = imu.transpose(0, 2, 1).copy(), phone.transpose(0, 2, 1).copy()
    there = ~np.logical_and.reduce(np.isnan(imu), axis=2)
    phone_there = ~np.logical_and.reduce(np.isnan(phone), axis=2)
    found = []
    for k, name in enumerate(names):
        rows = {channel: imu[k, row] for channel, row in columns.items() if there[k, row]}
        carried = {
            f"phone_acc_{axis}": phone[k, row]
            for row, axis in enumerate("xyz")
            if phone_there[k, row]
        }
        where = f"{path}, trial {k}"
        found.append(
            recording(
                where, name, f"{subjects[k]:02d}", activities[k], begins[k], rows, carried
            )
        )
    return found


def recording(
    where: str,
    name: str,
    subject: str,
    activity: str,
    start: float,
    imu: Mapping[str, NDArray[np.float32]],
    phone: Mapping[str, NDArray[np.float32]],
    notes: tuple[str, ...] = (),
) -> Recording:
    """One trial.

    Parameters
    ----------
    start : seconds since 1970, of a local clock that is taken as if it were UTC.
    imu : (300,) at 20 Hz by channel, NaN where there is no sample.
    phone : (750,) at 50 Hz by channel; number k is the mean over 20 ms from k / 50 s on.

    Raises
    ------
    RecordingError
        Nothing was recorded, or a number that no sensor gives.
    """
    # One array of times for all channels, which is checked and resampled as one.
    steps = start + np.arange(SAMPLES, dtype=np.float64) / RATE
    middles = start + (np.arange(PHONE_SAMPLES, dtype=np.float64) + 0.5) / PHONE_RATE
    with npz.blamed(where):
        signals = {channel: Signal(row, steps, RATE) for channel, row in imu.items()}
        for channel, row in phone.items():
            signals[channel] = Signal(row, middles, PHONE_RATE)
    fall = "fall" if activity in FALLS else "no fall"
    end = start + LENGTH
    labels = Label("activity", start, end, activity), Label("fall", start, end, fall)
    return Recording(name, subject, signals, labels, notes=notes)


def activity_of(where: str, name: str) -> str:
    """Our name of an activity of the data set, given with or without "ADL_" or "Fall_"."""
    known = ACTIVITIES.get(name.removeprefix("ADL_").removeprefix("Fall_"))
    if known is None:
        raise RecordingError(
            f"{where}: activity {name[:60]!r}; UMAFall has {', '.join(ACTIVITIES)}"
        )
    return known


def seconds(where: str, text: str) -> float:
    """Seconds since 1970 of "2017-04-14_23-38-23", whose zone is not said: as if UTC."""
    try:
        local = datetime.strptime(text.replace(":", "-"), "%Y-%m-%d_%H-%M-%S")
    except ValueError:
        raise RecordingError(
            f"{where}: {text[:40]!r} where a date such as 2017-04-14_23-38-23 belongs"
        ) from None
    return local.replace(tzinfo=UTC).timestamp()


def _names(
    subjects: list[int], activities: list[str], trials: list[int], starts: list[str]
) -> list[str]:
    """ "06_walking_1", with the time of its start where several trials have one number."""
    plain = [
        f"{subject:02d}_{activity.replace(' ', '_')}_{trial}"
        for subject, activity, trial in zip(subjects, activities, trials, strict=True)
    ]
    repeated = {name for name in plain if plain.count(name) > 1}
    return [
        f"{name}_{re.sub(r'[^0-9]', '', start)}" if name in repeated else name
        for name, start in zip(plain, starts, strict=True)
    ]


def _columns(path: Path, arrays: dict[str, NDArray[Any]], count: int) -> dict[str, int]:
    """The index of each of our channels in the last axis of `imu`."""
    names = arrays.get("channels", np.zeros(0, "U1")).tolist()
    wanted = {
        f"{position}_{quantity}_{axis}": f"{position.upper()}_{quantity}_{unit}_{axis}"
        for position in POSITIONS
        for quantity, unit in QUANTITIES.items()
        for axis in "xyz"
    }
    if len(names) != count or (absent := [x for x in wanted.values() if x not in names]):
        missing = f"; {absent[0]} is missing" if len(names) == count else ""
        raise RecordingError(
            f"{path}: 'channels' names {len(names)} of the {count} channels of 'imu'{missing}"
        )
    return {channel: names.index(theirs) for channel, theirs in wanted.items()}


def _values(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, samples: int
) -> NDArray[np.float32]:
    array = arrays[key]
    if array.ndim != 3 or array.shape[1] != samples or array.dtype.kind != "f":
        raise RecordingError(
            f"{path}: {key!r} is {array.dtype} of shape {array.shape}; it must be numbers of "
            f"shape (trials, {samples}, channels)"
        )
    return array.astype(np.float32, copy=False)


def _whole(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, count: int
) -> NDArray[np.integer[Any]]:
    array = arrays.get(key, np.zeros(0))
    if array.shape != (count,) or array.dtype.kind not in "iu" or (array < 0).any():
        raise RecordingError(
            f"{path}: {key!r} is {array.dtype} of shape {array.shape}; it must be a whole "
            f"number for each of the {count} trials"
        )
    return array


def _activities(path: Path, arrays: dict[str, NDArray[Any]], count: int) -> list[str]:
    names = [activity_of(str(path), str(name)) for name in arrays["activity_names"].tolist()]
    codes = _whole(path, arrays, "activity", count)
    if (codes >= len(names)).any():
        raise RecordingError(
            f"{path}: activity {codes.max()}, but 'activity_names' has {len(names)}"
        )
    return [names[code] for code in codes.tolist()]
