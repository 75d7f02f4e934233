"""Health Connect's database: what is read, that it is left as it was, what is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import history_exports as written
import numpy as np
import pytest

from onwrist import readers
from onwrist.readers import archives
from onwrist.simulate import days
from onwrist_runtime.errors import RecordingError

Capture = pytest.CaptureFixture[str]
NAME = "health_connect_export.db"
NOON = 1_709_290_800.0


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Three simulated days."""
    life = written.lived(written.whole_bpm(days(3, 1)))
    return written.health_connect(tmp_path / NAME, life)


def test_days_in_it_are_predicted_as_they_were(
    export: Path, tmp_path: Path, capsys: Capture
) -> None:
    original = written.whole_bpm(days(3, 1), "intensity")
    expected = written.predicted(readers.write_recording(original, tmp_path), capsys)
    assert written.predicted(export, capsys) == expected
    archive = written.zipped(tmp_path / "Health Connect.zip", {NAME: export.read_bytes()})
    assert written.predicted(archive, capsys) == expected


def test_it_is_only_read(export: Path) -> None:
    before = export.read_bytes(), export.stat().st_mtime_ns, sorted(export.parent.iterdir())
    export.chmod(0o444)
    readers.read(export)
    after = export.read_bytes(), export.stat().st_mtime_ns, sorted(export.parent.iterdir())
    assert after == before


def test_what_is_beside_it_and_not_in_it_is_told(export: Path) -> None:
    (export.parent / f"{NAME}-wal").write_bytes(b"not yet written")
    assert f"what {NAME}-wal holds was not read" in str(readers.read(export).notes)


def test_databases_of_others_are_let_be(export: Path, tmp_path: Path) -> None:
    files = {NAME: export.read_bytes(), "other.db": export.read_bytes()[:4096]}
    assert "steps" in readers.read(written.zipped(tmp_path / "all.zip", files)).signals


def test_two_apps_that_tell_of_the_same_steps(tmp_path: Path) -> None:
    apps = ("com.google.android.apps.fitness", "com.fitbit.FitbitMobile")
    database = written.connect(tmp_path / NAME, apps)
    written.connect_steps(database, [(NOON + 60, NOON + 120, 95)], app=1)
    written.connect_steps(database, [(NOON + 60, NOON + 120, 100)], app=2)
    written.connect_beats(database, [(NOON + 10 * k, 70) for k in range(60)], app=2)
    database.commit()
    found = readers.read(tmp_path / NAME)
    assert found.signals["steps"].values.sum() == 100
    assert "95 steps of 'com.google.android.apps.fitness'" in "; ".join(found.notes)
    heart_rate = found.signals["heart_rate"]
    assert heart_rate.rate == pytest.approx(0.1)
    assert heart_rate.times[0] == NOON + 3600


def test_rows_without_all_numbers_are_counted(tmp_path: Path) -> None:
    database = written.connect(tmp_path / NAME)
    written.connect_steps(database, [(NOON, NOON + 60, 10), (NOON + 60, NOON + 120, 20)])
    database.execute("UPDATE steps_record_table SET start_zone_offset = NULL WHERE count = 20")
    database.commit()
    found = readers.read(tmp_path / NAME)
    assert found.signals["steps"].values.tolist() == [10]
    assert "1 rows of steps_record_table without all numbers were left out" in found.notes


def test_another_schema_says_what_is_there(tmp_path: Path, capsys: Capture) -> None:
    database = sqlite3.connect(tmp_path / NAME)
    database.execute("CREATE TABLE samples (x)")
    database.commit()
    with pytest.raises(
        RecordingError, match=r"not a Health Connect export: neither .* \(samples\)"
    ):
        readers.read(tmp_path / NAME)
    database.execute("CREATE TABLE steps_record_table (start_time INTEGER, steps INTEGER)")
    database.commit()
    message = "steps_record_table lacks end_time, start_zone_offset, count; it has: start_time"
    with pytest.raises(RecordingError, match=message):
        readers.read(tmp_path / NAME)
    assert message in written.refused(tmp_path / NAME, capsys)


def test_a_view_instead_of_a_table_is_not_run(tmp_path: Path) -> None:
    """It could compute without end."""
    database = sqlite3.connect(tmp_path / NAME)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    database.execute(
        "CREATE VIEW steps_record_table (start_time, end_time, start_zone_offset, count) AS "
        f"SELECT x, x, 0, 1 FROM ({endless})"
    )
    database.commit()
    with pytest.raises(RecordingError, match="neither steps_record_table nor"):
        readers.read(tmp_path / NAME)


def test_text_where_a_number_belongs(tmp_path: Path) -> None:
    database = written.connect(tmp_path / NAME)
    written.connect_steps(database, [(NOON, NOON + 60, 10)])
    database.execute("UPDATE steps_record_table SET count = 'lots'")
    database.commit()
    with pytest.raises(RecordingError, match="steps_record_table: 'lots' where a number"):
        readers.read(tmp_path / NAME)


@pytest.mark.parametrize("kept", [0, 10, 60, 5000, 100_000])
def test_a_cut_database(export: Path, kept: int, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "cut.db"
    path.write_bytes(export.read_bytes()[:kept])
    assert str(path) in written.refused(path, capsys)


def test_a_damaged_page(export: Path, tmp_path: Path) -> None:
    data = bytearray(export.read_bytes())
    for at in np.random.default_rng(0).integers(4096, len(data), 3000):
        data[at] ^= 0xFF
    path = tmp_path / "damaged.db"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"cannot be read|where a number|no heart rate"):
        readers.read(path)


def test_five_gigabytes(export: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.db"
    with path.open("wb") as file:
        file.write(export.read_bytes()[:100])
        file.truncate(5 << 30)
    with pytest.raises(RecordingError, match="cannot be read"):
        readers.read(path)


def test_zips_that_are_not_to_be_trusted(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tricky = written.zipped(tmp_path / "tricky.zip", {f"../../{NAME}": export.read_bytes()})
    assert "steps" in readers.read(tricky).signals
    assert not (tmp_path.parent.parent / NAME).exists()
    monkeypatch.setattr(archives, "_FROM", 1 << 20)
    data = export.read_bytes()
    bomb = written.zipped(tmp_path / "bomb.zip", {NAME: data[:16] + bytes(8 << 20)})
    with pytest.raises(RecordingError, match="which no export has"):
        readers.read(bomb)
    two = written.zipped(tmp_path / "two.zip", {NAME: data, f"b/{NAME}": data})
    with pytest.raises(RecordingError, match="several databases"):
        readers.read(two)
