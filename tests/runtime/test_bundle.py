"""A bundle is written reproducibly, whole or not at all, and reads back."""

from __future__ import annotations

import errno
import os
import resource
import zipfile

import msgspec
import pytest

from onwrist_runtime import bundle
from onwrist_runtime.errors import BundleError


def test_round_trip(plain_parts, tmp_path):
    manifest, members = plain_parts
    path = tmp_path / "a.onwrist"
    bundle.write(path, manifest, members)
    read = bundle.read(path)
    assert read.members == members
    assert msgspec.structs.replace(read.manifest, members={}) == manifest
    assert read.manifest.members["CARD.md"].bytes == len(members["CARD.md"])


def test_the_same_contents_give_the_same_bytes(plain_parts, tmp_path):
    manifest, members = plain_parts
    tolerance = dict(reversed(manifest.golden.tolerance.items()))
    golden = msgspec.structs.replace(manifest.golden, tolerance=tolerance)
    bundle.write(tmp_path / "a", manifest, members)
    bundle.write(
        tmp_path / "b",
        msgspec.structs.replace(manifest, golden=golden),
        dict(reversed(members.items())),
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_read_bundle_writes_the_same_file(plain_parts, tmp_path):
    bundle.write(tmp_path / "a", *plain_parts)
    read = bundle.read(tmp_path / "a")
    bundle.write(tmp_path / "b", read.manifest, read.members)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_zip_tools_read_it(plain_parts, tmp_path):
    _, members = plain_parts
    path = tmp_path / "a.onwrist"
    bundle.write(path, *plain_parts)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", *sorted(members)]
        assert all(archive.read(name) == data for name, data in members.items())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_members_must_be_those_of_the_manifest(plain_parts, tmp_path, change):
    manifest, members = plain_parts
    if change == "missing":
        del members["parity.json"]
    else:
        members["notes.txt"] = b""
    path = tmp_path / "a.onwrist"
    with pytest.raises(BundleError, match=r"lists no parity\.json|to the member 'notes\.txt'"):
        bundle.write(path, manifest, members)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_nothing_half_written(plain_parts, tmp_path, there):
    manifest, members = plain_parts
    path = tmp_path / "a.onwrist"
    if there:
        bundle.write(path, manifest, members)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    members["model.u8.onnx"] = bytes(100_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            bundle.write(path, manifest, members)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_disk_that_fills_while_flushing_leaves_nothing(plain_parts, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        bundle.write(tmp_path / "a.onwrist", *plain_parts)
    assert list(tmp_path.iterdir()) == []


def test_no_such_file(tmp_path):
    with pytest.raises(BundleError, match=r"gone\.onwrist: cannot be read: No such file"):
        bundle.read(tmp_path / "gone.onwrist")
    with pytest.raises(BundleError, match="Is a directory"):
        bundle.read(tmp_path)


@pytest.mark.parametrize("path", [3, b"x", None, "a\0b.onwrist"])
def test_what_is_no_path_is_not_opened(path):
    with pytest.raises(BundleError, match="is not the path of a file"):
        bundle.read(path)
