"""Exports with bytes changed, cut, doubled: read, or refused in words, never anything else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import history_exports as written
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.simulate import days
from onwrist_runtime.errors import InputError, RecordingError


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A few hours in every format, by the name to write it under."""
    pytest.importorskip("garmin_fit_sdk")
    folder = tmp_path_factory.mktemp("exports")
    whole = written.lived(written.whole_bpm(days(1, 1)))
    few = {x.name: getattr(whole, x.name)[:40] for x in dataclasses.fields(whole)}
    life = written.Lived(**few)
    xml = written.apple(folder / "export.xml", written.apple_records(life)).read_bytes()
    archive = written.zipped(folder / "export.zip", {"apple_health_export/export.xml": xml})
    made = {"export.xml": xml, "export.zip": archive.read_bytes()}
    made["health_connect_export.db"] = written.health_connect(
        folder / "export.db", life
    ).read_bytes()
    for files in (written.fitbit_csv(life), written.fitbit_json(life)):
        made |= {Path(name).name: data for name, data in files.items()}
    made["m.fit"] = next(iter(written.garmin_days(life).values()))
    return made


@given(data=st.data())
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_is_told(exports: dict[str, bytes], tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(exports)))
    content = bytearray(exports[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        length = data.draw(st.sampled_from([0, 1, 7, 100, len(content)]))
        content[at : at + length] = data.draw(
            st.sampled_from([b"", b"\0", b"\xff", b"-9", b'"', b"<", b"\r", b"nan", b"9" * 30])
        )
    path = tmp_path / name
    path.write_bytes(content)
    said = f"{path}: "
    try:
        recording = readers.read(path)
    except (RecordingError, InputError) as error:
        said = str(error)
    else:
        assert recording.signals
    assert str(path) in said or path.stem in said
