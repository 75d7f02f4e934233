"""Writes a person's history in the true formats of phones and watches, from minutes.

Each writer says where its format is described. Numbers and names are made up.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onwrist.cli import main
from onwrist.recording import Recording
from onwrist_runtime.signals import Signal

WATCH, PHONE = "Anna’s Apple Watch", "iPhone"


@dataclass(frozen=True)
class Lived:
    """Unix seconds of minutes with steps and their count, and of heart rates and their bpm."""

    step_times: NDArray[np.float64]
    steps: NDArray[np.float64]
    beat_times: NDArray[np.float64]
    beats: NDArray[np.float64]
    level_times: NDArray[np.float64]
    levels: NDArray[np.float64]


def lived(recording: Recording, ahead: int = 3600) -> Lived:
    """What a tracker keeps of a recording in local time: steps only where there were some."""
    steps, beats = recording.signals["steps"], recording.signals["heart_rate"]
    levels = recording.signals["intensity"]
    moved = steps.values > 0
    return Lived(
        steps.times[moved] - ahead,
        steps.values[moved].astype(np.float64),
        beats.times - ahead,
        beats.values.astype(np.float64),
        levels.times - ahead,
        levels.values.astype(np.float64),
    )


# Apple Health: the DTD that stands at the head of every export.xml, and its records.
DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT ExportDate EMPTY>
<!ATTLIST ExportDate
  value CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
  unit          CDATA #IMPLIED
  value         CDATA #IMPLIED
  sourceName    CDATA #REQUIRED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
]>
"""
HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
{DTD}<HealthData locale="en_DE">
 <ExportDate value="2024-03-02 10:00:00 +0100"/>
 <Me HKCharacteristicTypeIdentifierDateOfBirth="1990-04-12"/>
"""


def apple_stamp(time: float, ahead: int = 3600) -> str:
    """2024-03-01 08:15:23 +0100."""
    zone = timezone(timedelta(seconds=ahead))
    return datetime.fromtimestamp(time, zone).strftime("%Y-%m-%d %H:%M:%S %z")


def beat(
    time: float, bpm: float, source: str = WATCH, ahead: int = 3600, unit: str = "count/min"
) -> str:
    """A heart rate, with the metadata that Apple writes inside of it."""
    at = apple_stamp(time, ahead)
    return (
        f' <Record type="HKQuantityTypeIdentifierHeartRate" sourceName="{source}" '
        'sourceVersion="10.3" device="&lt;&lt;HKDevice: 0x3031&gt;, name:Apple Watch&gt;" '
        f'unit="{unit}" creationDate="{at}" startDate="{at}" endDate="{at}" value="{bpm:g}">\n'
        '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n </Record>\n'
    )


def steps(
    start: float, end: float, count: float, source: str = WATCH, ahead: int = 3600
) -> str:
    """A step count over an interval."""
    return (
        f' <Record type="HKQuantityTypeIdentifierStepCount" sourceName="{source}" '
        f'sourceVersion="10.3" unit="count" creationDate="{apple_stamp(end, ahead)}" '
        f'startDate="{apple_stamp(start, ahead)}" endDate="{apple_stamp(end, ahead)}" '
        f'value="{count:g}"/>\n'
    )


def apple(path: Path, records: Iterable[str], head: str = HEAD) -> Path:
    """An export.xml."""
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        file.writelines(records)
        file.write("</HealthData>\n")
    return path


def apple_records(life: Lived, ahead: int = 3600) -> Iterable[str]:
    """By type, as Apple orders them; and what else is in an export."""
    for time, count in zip(life.step_times, life.steps, strict=True):
        yield steps(time, time + 60, count, ahead=ahead)
    yield steps(life.step_times[0], life.step_times[0] + 300, 7, "iPhone", ahead)
    yield (
        f' <Record type="HKQuantityTypeIdentifierBodyMass" sourceName="{PHONE}" unit="kg" '
        f'startDate="{apple_stamp(life.step_times[0])}" value="70" '
        f'endDate="{apple_stamp(life.step_times[0])}"/>\n'
    )
    for time, bpm in zip(life.beat_times, life.beats, strict=True):
        yield beat(time, bpm, ahead=ahead)


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """A zip with these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


# Health Connect: the tables of health_connect_export.db as Android 14 writes them.
_COMMON = (
    "row_id INTEGER PRIMARY KEY AUTOINCREMENT, uuid BLOB UNIQUE NOT NULL, "
    "last_modified_time INTEGER, client_record_id TEXT, client_record_version TEXT, "
    "device_info_id INTEGER, app_info_id INTEGER, recording_method INTEGER, "
    "dedupe_hash BLOB UNIQUE, start_time INTEGER, start_zone_offset INTEGER, "
    "end_time INTEGER, end_zone_offset INTEGER, local_date INTEGER"
)
SCHEMA = f"""
CREATE TABLE android_metadata (locale TEXT);
CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  package_name TEXT NOT NULL UNIQUE, app_name TEXT, app_icon BLOB, record_types_used TEXT);
CREATE TABLE steps_record_table ({_COMMON}, count INTEGER, local_date_time_start_time INTEGER
  AS (start_time + 1000 * start_zone_offset));
CREATE TABLE heart_rate_record_table ({_COMMON}, local_date_time_start_time INTEGER
  AS (start_time + 1000 * start_zone_offset));
CREATE TABLE heart_rate_record_series_table (parent_key INTEGER NOT NULL,
  beats_per_minute INTEGER NOT NULL, epoch_millis INTEGER NOT NULL,
  FOREIGN KEY (parent_key) REFERENCES heart_rate_record_table(row_id) ON DELETE CASCADE);
"""
_INTERVAL = (
    "INSERT INTO {} (uuid, app_info_id, start_time, start_zone_offset, end_time, "
    "end_zone_offset{}) VALUES (randomblob(16), ?, ?, ?, ?, ?{})"
)


def connect(path: Path, apps: Sequence[str] = ("com.fitbit.FitbitMobile",)) -> Any:
    """An empty database of Health Connect."""
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    for app in apps:
        database.execute("INSERT INTO application_info_table (package_name) VALUES (?)", (app,))
    return database


def connect_steps(
    database: Any, rows: Iterable[tuple[float, float, float]], app: int = 1, ahead: int = 3600
) -> None:
    """Starts, ends (Unix seconds) and counts."""
    database.executemany(
        _INTERVAL.format("steps_record_table", ", count", ", ?"),
        [(app, int(1000 * s), ahead, int(1000 * e), ahead, n) for s, e, n in rows],
    )


def connect_beats(
    database: Any, rows: Sequence[tuple[float, float]], app: int = 1, ahead: int = 3600
) -> None:
    """A series an hour, each with the samples in it."""
    for hour in sorted({int(time) // 3600 for time, _ in rows}):
        mine = [(int(1000 * t), n) for t, n in rows if int(t) // 3600 == hour]
        first, last = mine[0][0], mine[-1][0]
        added = database.execute(
            _INTERVAL.format("heart_rate_record_table", "", ""),
            (app, first, ahead, last, ahead),
        )
        database.executemany(
            "INSERT INTO heart_rate_record_series_table VALUES (?, ?, ?)",
            [(added.lastrowid, n, time) for time, n in mine],
        )


def health_connect(path: Path, life: Lived, ahead: int = 3600) -> Path:
    """A whole database."""
    database = connect(path)
    minutes = zip(life.step_times, life.step_times + 60, life.steps, strict=True)
    connect_steps(database, list(minutes), ahead=ahead)
    beats = list(zip(life.beat_times.tolist(), life.beats.tolist(), strict=True))
    connect_beats(database, beats, ahead=ahead)
    database.commit()
    database.close()
    return path


# Fitbit: Google Takeout's "Physical Activity_GoogleData" and "Global Export Data".
def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fitbit_csv(life: Lived, device: str = "Charge 5") -> dict[str, bytes]:
    """CSV files by name, a month of steps and levels and a day (UTC) of heart rate each."""
    top = "Takeout/Fitbit/Physical Activity_GoogleData"
    words = ("SEDENTARY", "LIGHTLY_ACTIVE", "MODERATELY_ACTIVE", "VERY_ACTIVE")
    tables: dict[str, list[str]] = {}

    def add(name: str, time: float, cell: str, header: str) -> None:
        lines = tables.setdefault(f"{top}/{name}.csv", [f"timestamp,{header},data source"])
        lines.append(f"{_utc(time)},{cell},{device}")

    for time, count in zip(life.step_times, life.steps, strict=True):
        add(f"steps_{_utc(time)[:7]}-01", time, f"{count:.0f}", "steps")
    for time, bpm in zip(life.beat_times, life.beats, strict=True):
        add(f"heart_rate_{_utc(time)[:10]}", time, repr(float(bpm)), "beats per minute")
    for time, level in zip(life.level_times, life.levels, strict=True):
        add(f"activity_level_{_utc(time)[:7]}-01", time, words[int(level)], "level")
    return {name: ("\n".join(lines) + "\n").encode() for name, lines in tables.items()}


def fitbit_json(life: Lived, ahead: int = 3600, wall: bool = False) -> dict[str, bytes]:
    """JSON files by name: a local day of heart rate each, in UTC or (wall) local time."""
    top = "Takeout/Fitbit/Global Export Data"
    files: dict[str, list[dict[str, Any]]] = {}

    def add(name: str, time: float, value: Any) -> None:
        moment = datetime.fromtimestamp(time + (ahead if wall else 0), UTC)
        row = {"dateTime": moment.strftime("%m/%d/%y %H:%M:%S"), "value": value}
        files.setdefault(f"{top}/{name}.json", []).append(row)

    first = _utc(life.step_times[0] + ahead)[:10]
    for time, count in zip(life.step_times, life.steps, strict=True):
        add(f"steps-{first}", time, f"{count:.0f}")
    for time, bpm in zip(life.beat_times, life.beats, strict=True):
        value = {"bpm": float(bpm), "confidence": 2}
        add(f"heart_rate-{_utc(time + ahead)[:10]}", time, value)
    return {name: json.dumps(rows).encode() for name, rows in files.items()}


def profile(zone: str) -> dict[str, bytes]:
    """The account's own page."""
    text = f"id,full_name,timezone,gender\n1,Anna Nobody,{zone},NA\n"
    return {"Takeout/Fitbit/Your Profile/Profile.csv": text.encode()}


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    """Files in a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


# FIT: written with the encoder of Garmin's own SDK.
FIT_EPOCH = 631_065_600


def fit(messages: Iterable[dict[str, Any]], kind: str = "monitoring_b") -> bytes:
    """A FIT file of these messages, after its file_id."""
    from garmin_fit_sdk import Encoder

    encoder = Encoder()
    encoder.write_mesg(
        {"mesg_num": 0, "type": kind, "manufacturer": "garmin", "serial_number": 3987654321}
    )
    for message in messages:
        encoder.write_mesg(message)
    return bytes(encoder.close())


def fit_info(time: float, ahead: int = 3600) -> dict[str, Any]:
    """monitoring_info, which says how far ahead local time is."""
    stamp = int(time) - FIT_EPOCH
    return {"mesg_num": 103, "timestamp": stamp, "local_timestamp": stamp + ahead}


def garmin_days(life: Lived, ahead: int = 3600) -> dict[str, bytes]:
    """A monitoring file a local day: whole stamps by the hour, 16 bits between them."""
    files = {}
    local = np.concatenate([life.step_times, life.beat_times]) + ahead
    for day in np.unique(local // 86_400).astype(int).tolist():
        midnight = 86_400 * day - ahead
        events: list[tuple[float, dict[str, Any]]] = []
        total = 0
        mine = (life.step_times >= midnight) & (life.step_times < midnight + 86_400)
        for time, count in zip(life.step_times[mine], life.steps[mine], strict=True):
            # The counter as it stood when the minute began and ended.
            for at, more in ((time, 0), (time + 60, int(count))):
                total += more
                # "cycles" is half of the steps, as the profile says.
                events.append((at, {"cycles": total / 2, "activity_type": "walking"}))
        mine = (life.beat_times >= midnight) & (life.beat_times < midnight + 86_400)
        for time, bpm in zip(life.beat_times[mine], life.beats[mine], strict=True):
            events.append((time, {"heart_rate": int(bpm)}))
        messages = [fit_info(midnight, ahead)]
        whole = midnight
        for at, fields in sorted(events, key=lambda x: x[0]):
            stamp = int(at) - FIT_EPOCH
            if "cycles" in fields or at - whole > 3600:
                whole = at
                messages.append({"mesg_num": 55, "timestamp": stamp} | fields)
            else:
                short = {"timestamp_16": stamp & 0xFFFF}
                messages.append({"mesg_num": 55} | short | fields)
        files[f"GARMIN/Monitor/M{day}.FIT"] = fit(messages)
    return files


# The same days in every format.
def whole_bpm(recording: Recording, *left_out: str) -> Recording:
    """The recording as exports hold it: heart rate in whole bpm, without some channels."""
    signals = {k: v for k, v in recording.signals.items() if k not in left_out}
    beats = signals["heart_rate"]
    signals["heart_rate"] = Signal(np.round(beats.values), beats.times, beats.rate)
    return Recording(recording.name, recording.subject, signals)


def predicted(path: Path, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What `onwrist predict` says of each day with the bundle that ships."""
    code = main(["predict", str(path), "--bundle", "day-lsm2", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `onwrist predict` says of a file that it does not read: a line, and exit code 2."""
    code = main(["predict", str(path), "--bundle", "day-lsm2"])
    said = capsys.readouterr()
    assert code == 2, said.out
    assert "Traceback" not in said.err
    return said.err
