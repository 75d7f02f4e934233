"""PAMAP2 in, its files compared with the originals, described and converted.

`onwrist-export data pamap2 PATH -o OUT`: one .npz a session, and what each session holds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from onwrist.readers import pamap2, pamap2_files, write_recording
from onwrist.readers.pamap2_files import Source
from onwrist.recording import Recording
from onwrist_export.commands.options import say
from onwrist_runtime.errors import RecordingError

# SHA-256 and bytes of the data set's files, as listed with the copy at
# github.com/tusharmali/SHIELD_Health, commit 70f012f4, data/PAMAP2_Dataset.
ORIGINALS = {
    "Protocol/subject101.dat": (
        "80b3fffd089c236ae88098df3b906b8d3c67a858023fe4f75045d78612147266",
        141_698_539,
    ),
    "Protocol/subject102.dat": (
        "468f3c6ba3e6e961f383783665265afbcddbbd33a3a84bba0386b7d0d4e3c632",
        207_349_310,
    ),
    "Protocol/subject103.dat": (
        "5be64631d085e3efc700728395516da3512ff9de17dab30d253508441a98d3f0",
        117_863_364,
    ),
    "Protocol/subject104.dat": (
        "7eb272213cbfe11d9e466a2163b6c9c2ed8d2542fc6f08283fd1bf222cac8994",
        153_227_482,
    ),
    "Protocol/subject105.dat": (
        "7837cfede57fe45ec20d553c6c2b0c498ab324daae23bfd202c0ffea9f71a7f6",
        173_773_599,
    ),
    "Protocol/subject106.dat": (
        "0da1dda3fa56d75d6413fc9198949d3ebc2102d77574cb5fe0739674687609f2",
        168_263_273,
    ),
    "Protocol/subject107.dat": (
        "a02195e9599eb249f79103912d27eb4f62d8a0f59e4763b0dd8250fee5f3f020",
        145_823_268,
    ),
    "Protocol/subject108.dat": (
        "81ce6b21b9c1e01dc02099c4f9387699547b08b28b387d09a56e0cb0a8af22fc",
        190_019_653,
    ),
    "Protocol/subject109.dat": (
        "5109d5cd8334769566b4ae602adf3e5f4bb7b9ee8ca678f0c481d333114b07c7",
        3_891_140,
    ),
    "Optional/subject101.dat": (
        "a8b71371406001ae563acad1d7d946ceacd0afeb51b97bfb9a9cbad95c78e52c",
        121_246_257,
    ),
    "Optional/subject105.dat": (
        "a7c4ccd8d7e8fe21abad8c111229649ec10ca9b353cc29fcc4986c2243301adc",
        72_521_536,
    ),
    "Optional/subject106.dat": (
        "50882fc519f01e8fe200a5a4373daff443e88624d7e8a2d31d759569823fb491",
        60_905_306,
    ),
    "Optional/subject108.dat": (
        "e871b2e5692867f8655b69b769e866927739aa288b9da5cc9a15dc930f154336",
        85_403_002,
    ),
    "Optional/subject109.dat": (
        "a6a8f7521d63fe80bd7f203c5ee1256a2bc8b3772f028ae767256ec1d6a93930",
        90_594_049,
    ),
}


def convert(path: Path, folder: Path) -> dict[str, Any]:
    """Convert each session that can be read, one at a time; say what each holds.

    Returns
    -------
    "files" by place: "file" says "verified", "other size", "other hash", "unknown" (not
    one of the originals) or "missing", "error" why it was not converted.

    Raises
    ------
    RecordingError
        Nothing of PAMAP2 is there, or a zip cannot be opened.
    OSError
        The folder cannot be written.
    """
    found = pamap2_files.sources(path)
    files: dict[str, dict[str, Any]] = {}
    for source in found:
        say(f"{source.place}: {source.size / 1e6:.0f} MB")
        entry = files[source.place] = {"file": verdict(source), "recording": source.name}
        try:
            recording = pamap2_files.read_source(source)
        except RecordingError as error:
            entry["error"] = str(error)
            continue
        entry |= described(recording)
        write_recording(recording, folder)
    for place in ORIGINALS.keys() - files.keys():
        files[place] = {"file": "missing"}
    return {
        "files": {place: files[place] for place in (*ORIGINALS, *(files.keys() - ORIGINALS))},
        "recordings": sum("error" not in x and x["file"] != "missing" for x in files.values()),
        "folder": str(folder),
    }


def verdict(source: Source) -> str:
    """Whether a file is the original one, by its size and then its SHA-256."""
    if source.place not in ORIGINALS:
        return "unknown"
    digest, size = ORIGINALS[source.place]
    if source.size != size:
        return "other size"
    with source.open() as file:
        return "verified" if _sha256(file) == digest else "other hash"


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def described(recording: Recording) -> dict[str, Any]:
    """Rows, seconds, minutes by activity, share missing by sensor and heart-rate rate."""
    imus = {name: x for name, x in recording.signals.items() if name != "heart_rate"}
    rows = max((len(x.values) for x in imus.values()), default=0)
    missing = {}
    for position in pamap2.POSITIONS:
        channels = [x.values for name, x in imus.items() if name.startswith(f"{position}_")]
        there = np.zeros(rows, np.bool_)
        for values in channels:
            there |= ~np.isnan(values)
        missing[position] = round(1 - float(there.mean()), 4) if rows else 1.0
    minutes: dict[str, float] = {}
    for label in recording.labels:
        name = str(label.value)
        minutes[name] = minutes.get(name, 0.0) + (label.end - label.start) / 60
    heart = recording.signals.get("heart_rate")
    return {
        "rows": rows,
        "seconds": round(recording.end - recording.start, 2),
        "minutes": {name: round(count, 2) for name, count in minutes.items()},
        "missing": missing,
        "heart_rate_hz": None if heart is None else round(heart.rate, 3),
        "notes": list(recording.notes),
    }


def report(result: dict[str, Any]) -> str:
    """The same for people."""
    lines = []
    for place, entry in result["files"].items():
        if "error" in entry:
            lines.append(f"{place}: {entry['file']}; not converted: {entry['error']}")
        elif "rows" not in entry:
            lines.append(f"{place}: {entry['file']}")
        else:
            heart = entry["heart_rate_hz"]
            lost = ", ".join(f"{k} {100 * x:.1f} %" for k, x in entry["missing"].items())
            did = ", ".join(f"{k} {x:.1f}" for k, x in entry["minutes"].items())
            lines += [
                f"{place}: {entry['file']}; {entry['rows']:,} rows, {entry['seconds']:.1f} s, "
                + ("no heart rate" if heart is None else f"heart rate at {heart:.2f} Hz"),
                f"  missing: {lost}",
                f"  minutes: {did or 'none with an activity'}",
                *(f"  {note}" for note in entry["notes"]),
            ]
    lines.append(f"{result['recordings']} recordings in {result['folder']}")
    return "\n".join(lines)


def sound(result: dict[str, Any]) -> bool:
    """Whether every file that is there is the original one and was converted."""
    return all(
        x["file"] in ("verified", "missing") and "error" not in x
        for x in result["files"].values()
    )
