"""Apple Health's export.xml: what is read, how much memory it takes, what is refused."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import history_exports as written
import pytest
from history_exports import beat, steps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.readers import archives, progress
from onwrist.simulate import days
from onwrist_runtime.errors import RecordingError

Capture = pytest.CaptureFixture[str]
NOON = 1_709_290_800.0  # 2024-03-01 12:00 +0100


def test_days_in_it_are_predicted_as_they_were(tmp_path: Path, capsys: Capture) -> None:
    original = written.whole_bpm(days(3, 1), "intensity")
    records = list(written.apple_records(written.lived(written.whole_bpm(days(3, 1)))))
    path = written.apple(tmp_path / "export.xml", records)
    expected = written.predicted(readers.write_recording(original, tmp_path), capsys)
    assert written.predicted(path, capsys) == expected
    archive = written.zipped(
        tmp_path / "export.zip",
        {
            "apple_health_export/export_cda.xml": b"<ClinicalDocument/>",
            # A phone in German calls it so.
            "apple_health_export/Exportieren.xml": path.read_bytes(),
            "apple_health_export/workout-routes/route.gpx": b"<gpx/>",
        },
    )
    assert written.predicted(archive, capsys) == expected
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(archive).extractall(folder)
    assert written.predicted(folder, capsys) == expected


def test_units_and_other_records(tmp_path: Path) -> None:
    path = written.apple(
        tmp_path / "export.xml",
        [
            beat(NOON, 60),
            beat(NOON + 60, 1.5, unit="count/s"),
            beat(NOON + 120, 1, unit="Hz"),
            steps(NOON, NOON + 30, 20).replace('"count"', '"km"'),
            '<Record type="HKCategoryTypeIdentifierSleepAnalysis" startDate="never"/>\n',
        ],
    )
    found = readers.read(path)
    assert found.signals["heart_rate"].values.tolist() == [60, 90]
    assert "1 records of heart rate in 'Hz' were left out" in found.notes
    assert "1 records of steps in 'km' were left out" in found.notes
    assert "steps" not in found.signals


@given(st.integers(946_684_800, 2_200_000_000), st.integers(-14 * 4, 14 * 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_every_stamp_in_every_zone(tmp_path: Path, time: int, quarters: int) -> None:
    ahead = 900 * quarters
    path = written.apple(tmp_path / "export.xml", [beat(time, 61, ahead=ahead)])
    assert readers.read(path).signals["heart_rate"].times.tolist() == [time + ahead]


def test_zones_that_records_name(tmp_path: Path) -> None:
    """The phone exported in winter: summer is written an hour off, and so is Tokyo."""
    july = 1_720_000_800.0  # 2024-07-03 12:00 in Berlin
    zones = ["Europe/Berlin"] * 3 + ["Asia/Tokyo"]
    sleep = [
        '<Record type="HKCategoryTypeIdentifierSleepAnalysis">\n'
        f' <MetadataEntry key="HKTimeZone" value="{zone}"/>\n</Record>\n'
        for zone in zones
    ]
    records = [beat(NOON, 60), beat(july, 61)]
    path = written.apple(tmp_path / "export.xml", [*sleep, *records])
    found = readers.read(path)
    assert found.signals["heart_rate"].times.tolist() == [NOON + 3600, july + 7200]
    assert "days are those of Europe/Berlin, which most of its records name" in found.notes
    for few in (sleep[:2], sleep[2:], [x.replace("Berlin", "Nowhere") for x in sleep]):
        found = readers.read(written.apple(path, [*few, *records]))
        assert found.signals["heart_rate"].times.tolist() == [NOON + 3600, july + 3600]
        assert "all times are written +1 h of UTC" in str(found.notes)


def test_a_dtd_that_is_not_well_formed_is_passed_over(tmp_path: Path) -> None:
    """As iOS 16 wrote it."""
    head = written.HEAD.replace(
        "<!ELEMENT ExportDate EMPTY>", "<!ELEMENT ExportDate EMPTY\n<!ATTLIST VisionRx\n x"
    )
    path = written.apple(tmp_path / "export.xml", [beat(NOON, 60)], head)
    assert readers.read(path).signals["heart_rate"].values.tolist() == [60]
    path = written.apple(tmp_path / "export.xml", [beat(NOON, 60), "<Record <\n"], head)
    line = path.read_text().splitlines().index("<Record <") + 1
    with pytest.raises(RecordingError, match=f"line {line}: not well-formed"):
        readers.read(path)


def test_control_characters_are_passed_over(tmp_path: Path) -> None:
    """As iOS 16 wrote them, and in whatever encoding the file says."""
    records = [beat(NOON, 60, "An\x0bna\x1f"), beat(NOON + 60, 61, "Ċa")]
    path = written.apple(tmp_path / "export.xml", records)
    assert readers.read(path).signals["heart_rate"].values.tolist() == [60, 61]
    wide = written.HEAD.replace("UTF-8", "UTF-16") + records[1] + "</HealthData>"
    path.write_text(wide, encoding="utf-16")
    assert readers.read(path).signals["heart_rate"].values.tolist() == [61]


def test_an_export_of_which_nothing_is_used_says_why(tmp_path: Path, capsys: Capture) -> None:
    path = written.apple(tmp_path / "export.xml", [beat(NOON, 1, unit="Hz")])
    said = written.refused(path, capsys)
    assert "no heart rate and no steps in this export" in said
    assert "1 records of heart rate in 'Hz' were left out" in said


BOMB = "".join(
    f'<!ENTITY l{k} "{"&l" + str(k - 1) + ";" if k else "lol"}{"x" * 9}">' for k in range(30)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'<?xml version="1.0"?><!DOCTYPE HealthData [{BOMB}]><HealthData>&l29;</HealthData>',
         "declares entities, which no export of Apple Health does; refused"),
        ('<!DOCTYPE HealthData [<!ENTITY x SYSTEM "file:///etc/passwd">]><HealthData>&x;',
         "declares entities"),
        ("<HealthData>&unknown;</HealthData>", "undefined entity"),
        ("<gpx><trk/></gpx>", "its root is 'gpx', not 'HealthData'; give the export.xml"),
        ("<!DOCTYPE HealthData [ <!ELEMENT x", "a document type that does not end"),
        ("", "the file ends here, before it is complete"),
        ("heart rate: 70", "line 1: syntax error|not well-formed"),
        (written.HEAD + beat(NOON, 60), "line 28: the file ends here, before it is complete"),
        (written.HEAD + beat(NOON, 60)[:100], "the file ends here|not well-formed"),
        (written.HEAD + beat(NOON, 60).replace("60", "sixty", 1) + "</HealthData>",
         "'sixty' where a value belongs"),
        (written.HEAD + beat(NOON, 60).replace("2024-03-01", "2024-02-30") + "</HealthData>",
         "'2024-02-30 12:00:00 .0100' where startDate belongs"),
        (written.HEAD + steps(NOON, NOON, 6).replace("endDate", "end") + "</HealthData>",
         "'' where endDate belongs"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused(
    tmp_path: Path, text: str, words: str, capsys: Capture
) -> None:
    path = tmp_path / "export.xml"
    path.write_text(text.replace(' value="60"', ' value="sixty"') if "sixty" in words else text)
    with pytest.raises(RecordingError, match=words):
        readers.read(path)
    assert str(path) in written.refused(path, capsys)


def test_a_file_of_five_gigabytes_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    with path.open("wb") as file:
        file.write(written.HEAD.encode())
        file.truncate(5 << 30)
    with pytest.raises(RecordingError, match="not well-formed"):
        readers.read(path)


def test_a_tag_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    with path.open("w") as file:
        file.write(written.HEAD + '<Record type="')
        for _ in range(20):
            file.write("x" * (1 << 20))
    with pytest.raises(RecordingError, match="a tag or text of more than 16 MB"):
        readers.read(path)


def test_zips_that_are_not_to_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (written.HEAD + beat(NOON, 60) + "</HealthData>").encode()
    outside = written.zipped(tmp_path / "out.zip", {"../../export.xml": good})
    before = {x for x in tmp_path.parent.parent.iterdir() if x.name == "export.xml"}
    assert readers.read(outside).signals["heart_rate"].values.tolist() == [60]
    assert {x for x in tmp_path.parent.parent.iterdir() if x.name == "export.xml"} == before
    monkeypatch.setattr(archives, "_FROM", 1 << 20)
    bomb = written.zipped(
        tmp_path / "bomb.zip", {"export.xml": good[:-13] + b" " * (8 << 20) + b"</HealthData>"}
    )
    with pytest.raises(RecordingError, match="which no export has"):
        readers.read(bomb)
    whole = written.zipped(tmp_path / "whole.zip", {"export.xml": good}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-40])
    with pytest.raises(RecordingError, match="not a readable zip"):
        readers.read(tmp_path / "cut.zip")
    # Bit 0 of the flags, in the local and the central header, says that it is encrypted.
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(RecordingError, match="encrypted; zip it without a password"):
        readers.read(tmp_path / "locked.zip")


def test_tags_in_tags_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text("<HealthData>" + "<a>" * 1000)
    with pytest.raises(RecordingError, match="tags inside of 100 others"):
        readers.read(path)


def test_a_name_is_told_as_it_reads(tmp_path: Path) -> None:
    """Apple writes a space that does not break into "Apple Watch"."""
    watch = "Annas Apple\u00a0Watch"
    rows = [beat(NOON + 60 * k, 60, watch) for k in range(4)]
    rows += [steps(NOON, NOON + 60, 30, watch), steps(NOON, NOON + 60, 28, "iPhone")]
    found = readers.read(written.apple(tmp_path / "export.xml", [*rows, beat(NOON, 0, watch)]))
    assert "1 heart rates of 'Annas Apple Watch' outside 25 to 250 bpm" in str(found.notes)


def test_two_exports_in_one_zip(tmp_path: Path) -> None:
    good = (written.HEAD + beat(NOON, 60) + "</HealthData>").encode()
    path = written.zipped(tmp_path / "two.zip", {"a/export.xml": good, "b/export.xml": good})
    with pytest.raises(RecordingError, match=r"several exports, a/export\.xml, b"):
        readers.read(path)


def test_progress_is_told(tmp_path: Path) -> None:
    path = written.apple(tmp_path / "export.xml", [beat(NOON + k, 60) for k in range(9000)])
    said: list[tuple[int, int]] = []
    with progress.told(lambda done, total: said.append((done, total))):
        readers.read(path)
    size = path.stat().st_size
    assert len(said) > 3
    assert {total for _, total in said} == {size}
    done = [done for done, _ in said]
    assert done == sorted(done)
    assert size - 2000 < done[-1] <= size


_MEASURE = """
import re, sys
from onwrist import readers
def peak():
    # Not getrusage: its peak outlives exec, so it begins with that of the tests.
    status = open("/proc/self/status").read()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024
readers.read(sys.argv[1])
before = peak()
found = readers.read(sys.argv[2])
print(len(found.signals["heart_rate"].times), peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak memory to read")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """50 MB, of which 10,000 records are kept, in 12 MB more than for a small one."""
    small = written.apple(tmp_path / "small.xml", [beat(NOON, 60)])
    other = beat(NOON, 60).replace("HeartRate", "ActiveEnergyBurned")
    large = tmp_path / "large.xml"
    with large.open("w") as file:
        file.write(written.HEAD)
        for k in range(100):
            shifted = "".join(
                beat(NOON + 6000 * k + 60 * j, 60) + other * 11 for j in range(100)
            )
            file.write(shifted)
        file.write("</HealthData>\n")
    assert large.stat().st_size > 45e6
    out = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(small), str(large)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    kept, grown = out.split()
    assert int(kept) == 10_000
    assert float(grown) < 12
