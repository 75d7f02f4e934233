"""A forged file against every rule of BUNDLE.md: each is refused, with the right reason."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onwrist_runtime import bundle
from onwrist_runtime.errors import BundleError

LOCAL, CENTRAL, END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
DATE = 0x21

Entries = list[tuple[str, bytes]]
Forge = Callable[..., None]


class Zip:
    """A zip made by hand, where every header field can be set to a lie."""

    def __init__(self) -> None:
        self.body = b""
        self.directory = b""
        self.entries = 0

    def add(self, name: str | bytes, data: bytes, *, after: bytes = b"", **lies: Any) -> Zip:
        """`local_X` and `central_X` lie in one header, plain `X` in both."""
        raw = name.encode() if isinstance(name, str) else name
        honest = {
            "needed": 20,
            "flags": 0,
            "method": 0,
            "time": 0,
            "date": DATE,
            "crc": zlib.crc32(data),
            "stored": len(data),
            "size": len(data),
            "name_length": len(raw),
            "extra": b"",
            "comment": b"",
            "offset": len(self.body),
            "name": raw,
        }
        both = honest | {k: v for k, v in lies.items() if k in honest}
        here = both | {k[6:]: v for k, v in lies.items() if k.startswith("local_")}
        there = both | {k[8:]: v for k, v in lies.items() if k.startswith("central_")}

        def common(of: dict[str, Any]) -> tuple[int, ...]:
            fields = ("needed", "flags", "method", "time", "date", "crc", "stored", "size")
            return *(of[f] for f in fields), of["name_length"], len(of["extra"])

        self.body += struct.pack(LOCAL, b"PK\x03\x04", *common(here))
        self.body += here["name"] + here["extra"] + data + after
        self.directory += struct.pack(
            CENTRAL,
            b"PK\x01\x02",
            there.get("made", 20),
            *common(there),
            len(there["comment"]),
            0,
            0,
            there.get("attributes", 0),
            there["offset"],
        )
        self.directory += there["name"] + there["extra"] + there["comment"]
        self.entries += 1
        return self

    def bytes(self, *, before_end: bytes = b"", comment: bytes = b"", **lies: int) -> bytes:
        end = struct.pack(
            END,
            b"PK\x05\x06",
            0,
            0,
            lies.get("entries_here", self.entries),
            lies.get("entries", self.entries),
            lies.get("size", len(self.directory)),
            lies.get("offset", len(self.body)),
            len(comment),
        )
        return self.body + self.directory + before_end + end + comment


@pytest.fixture
def entries(plain_parts: Any, tmp_path: Path) -> Entries:
    """Name and contents of all members of a valid bundle, in order."""
    path = tmp_path / "valid.onwrist"
    bundle.write(path, *plain_parts)
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[bytes, str], None]:
    """Asserts that a file of these bytes is refused with a message that matches."""

    def check(raw: bytes, message: str) -> None:
        path = tmp_path / "forged.onwrist"
        path.write_bytes(raw)
        with pytest.raises(BundleError, match=message) as caught:
            bundle.read(path)
        assert str(path) in str(caught.value)

    return check


def forged(entries: Entries, victim: str = "CARD.md", **lies: Any) -> Zip:
    """The valid bundle with lies in the headers of one entry."""
    made = Zip()
    for name, data in entries:
        made.add(name, data, **(lies if name == victim else {}))
    return made


def with_manifest(entries: Entries, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The valid bundle with another manifest, its hashes left right."""
    manifest = json.loads(entries[0][1])
    change(manifest)
    return raw_manifest(entries, json.dumps(manifest).encode())


def raw_manifest(entries: Entries, raw: bytes) -> bytes:
    made = Zip().add("manifest.json", raw)
    for name, data in entries[1:]:
        made.add(name, data)
    return made.bytes()


def test_the_forger_makes_valid_bundles_when_it_does_not_lie(entries, tmp_path):
    path = tmp_path / "honest.onwrist"
    path.write_bytes(forged(entries).bytes())
    assert path.read_bytes() == (tmp_path / "valid.onwrist").read_bytes()
    assert bundle.read(path).manifest.name == "toy"


# The file


@pytest.mark.parametrize("length", [0, 3, 29, 100, 2000, -23, -22, -1])
def test_truncated(entries, refuse, length):
    refuse(forged(entries).bytes()[:length], "truncated")


def test_trailing_bytes(entries, refuse):
    refuse(forged(entries).bytes() + b"\0", "1 bytes follow")


def test_leading_bytes(entries, refuse):
    refuse(b"#!/bin/sh\n" + forged(entries).bytes(), "starts with b'#!/b'")


def test_not_a_zip(refuse):
    refuse(b"\x7fELF" + bytes(1000), "not a bundle")


def test_empty_zip(refuse):
    refuse(Zip().bytes(), "not a bundle")


def test_gap_between_entries(entries, refuse):
    refuse(forged(entries, after=b"hidden").bytes(), "directory entry of 'manifest.json'")


def test_gap_before_the_directory(entries, refuse):
    made = forged(entries)
    made.body += b"hidden bytes"
    refuse(made.bytes(), "directory entry of 'manifest.json' has the signature")


def test_gap_before_the_end_record(entries, refuse):
    refuse(forged(entries).bytes(before_end=b"hidden"), "end record has the signature")


def test_overlapping_entries(entries, refuse):
    refuse(forged(entries, central_offset=0).bytes(), "'CARD.md' has the offset 0")


def test_entry_inside_another(entries, refuse):
    inner = forged(entries).body
    refuse(forged(entries, size=10, stored=10, after=inner).bytes(), "not a bundle|signature")


def test_directory_elsewhere(entries, refuse):
    refuse(forged(entries).bytes(offset=0), "end record has the directory offset 0")


def test_directory_of_fewer_entries(entries, refuse):
    refuse(forged(entries).bytes(entries=1, entries_here=1), "end record has the entries")


def test_archive_comment(entries, refuse):
    refuse(forged(entries).bytes(comment=b"note"), "end record has the comment length 4")


def test_entry_comment(entries, refuse):
    refuse(forged(entries, central_comment=b"note").bytes(), "comment length 4")


def test_extra_field(entries, refuse):
    refuse(forged(entries, local_extra=b"\x01\x00\x00\x00").bytes(), "extra fields")


def test_zip64_sizes(entries, refuse):
    refuse(forged(entries, size=0xFFFFFFFF, stored=0xFFFFFFFF).bytes(), "zip64")


def test_zip64_end_record(entries, refuse):
    end = b"PK\x06\x06" + struct.pack("<Q", 44) + bytes(44)
    refuse(forged(entries).bytes(before_end=end), "zip64")


def test_data_descriptor(entries, refuse):
    descriptor = b"PK\x07\x08" + bytes(12)
    refuse(forged(entries, flags=8, after=descriptor).bytes(), "data descriptor")


def test_encrypted(entries, refuse):
    refuse(forged(entries, flags=1).bytes(), "the flags 1, not 0")


def test_zip_bomb(entries, refuse):
    bomb = zlib.compress(bytes(10**7))
    made = Zip().add("manifest.json", bomb, method=8, size=10**7)
    refuse(made.bytes(), "compressed")


def test_bundle_repacked_by_a_zip_tool(entries, refuse):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    refuse(packed.getvalue(), "compressed")


def test_size_of_gigabytes(entries, refuse):
    refuse(forged(entries, size=2**31, stored=2**31).bytes(), "truncated.*2147483648 bytes")


def test_manifest_of_megabytes(entries, refuse):
    refuse(raw_manifest(entries, b" " * 2**21), "manifest.json is larger")


def test_thousands_of_entries(refuse):
    made = Zip()
    for k in range(1000):
        made.add(f"f{k}", b"")
    refuse(made.bytes(), "more than 64 entries")


def test_file_of_gigabytes(tmp_path):
    path = tmp_path / "huge.onwrist"
    with open(path, "wb") as file:
        file.truncate(2**33)  # sparse: takes no room on the disk
    with pytest.raises(BundleError, match="8589934592 bytes"):
        bundle.read(path)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../../.bashrc", "..", "a/b", "a\\b", "C:\\x", "", "-rf", "x\x1b[2J", "ä"],
)
def test_names_that_lead_elsewhere(entries, refuse, name):
    refuse(Zip().add("manifest.json", entries[0][1]).add(name, b"x").bytes(), "no plain file")


def test_name_of_64_kilobytes(entries, refuse):
    refuse(Zip().add("a" * 65535, b"x").bytes(), "no plain file name")


def test_duplicate_entry(entries, refuse):
    refuse(forged([*entries, entries[-1]]).bytes(), "appears twice")


def test_central_header_of_another_name(entries, refuse):
    refuse(forged(entries, central_name=b"CARD.MD").bytes(), "the name b'CARD.MD'")


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("needed", 45),
        ("flags", 2048),
        ("time", 1),
        ("date", 0x5000),
        ("crc", 1),
        ("stored", 1),
        ("size", 1),
        ("method", 8),
    ],
)
def test_central_header_that_disagrees(entries, refuse, field, lie):
    refuse(forged(entries, **{f"central_{field}": lie}).bytes(), "directory entry of 'CARD.md'")


def test_attributes_of_a_symbolic_link(entries, refuse):
    link = 0o120777 << 16
    refuse(forged(entries, central_attributes=link).bytes(), "external attributes")


def test_made_on_unix(entries, refuse):
    refuse(forged(entries, central_made=0x0314).bytes(), "version made by")


@pytest.mark.parametrize(("field", "lie"), [("date", 0x5000), ("time", 1), ("needed", 10)])
def test_headers_that_agree_on_another_encoding(entries, refuse, field, lie):
    refuse(forged(entries, **{field: lie}).bytes(), "not (33|0|20)")


def test_wrong_crc(entries, refuse):
    refuse(forged(entries, crc=1).bytes(), "CARD.md does not have the CRC-32")


def test_manifest_not_first(entries, refuse):
    refuse(forged(entries[::-1]).bytes(), "first entry is 'parity.json'")


def test_members_in_another_order(entries, refuse):
    refuse(forged([entries[0], *entries[:0:-1]]).bytes(), "not in the order CARD.md, golden")


def test_member_missing(entries, refuse):
    refuse(forged(entries[:-1]).bytes(), "parity.json is missing")


def test_member_that_the_manifest_does_not_name(entries, refuse):
    refuse(forged([*entries, ("setup.py", b"import os")]).bytes(), "names no member setup.py")


def test_wrong_hash(entries, refuse):
    name, data = entries[1]
    changed = [entries[0], (name, bytes([data[0] ^ 1]) + data[1:]), *entries[2:]]
    refuse(forged(changed).bytes(), "CARD.md does not have the SHA-256")


def test_wrong_size(entries, refuse):
    changed = [entries[0], (entries[1][0], b"short"), *entries[2:]]
    refuse(forged(changed).bytes(), "CARD.md has 5 bytes, the manifest says 6")


# The manifest


@pytest.mark.parametrize("version", [0, 2, 999, -1])
def test_unknown_format(entries, refuse, version):
    raw = with_manifest(entries, lambda m: m.update(format=version, other={"new": 1}))
    refuse(raw, f"of format {version}, and this onwrist reads format 1")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 10**5,
        b'{"a":' * 10**5,
    ],
)
def test_not_a_manifest(entries, refuse, raw):
    refuse(raw_manifest(entries, raw), "manifest.json")


@pytest.mark.parametrize("lie", ["NaN", "Infinity", "-Infinity", "1e999", "null", '"25"'])
@pytest.mark.parametrize(
    "path",
    [
        ("rate",),
        ("channels", 0, "scale"),
        ("tasks", 0, "minimum_confidence"),
        ("tasks", 0, "required", "ppg"),
        ("golden", "tolerance", "embedding"),
    ],
)
def test_numbers_that_are_none(entries, refuse, path, lie):
    manifest = json.loads(entries[0][1])
    _at(manifest, path[:-1])[path[-1]] = "HERE"
    raw = json.dumps(manifest).replace('"HERE"', lie).encode()
    refuse(raw_manifest(entries, raw), "manifest.json")


def test_repeated_key(entries, refuse):
    raw = entries[0][1].replace(b'"rate":', b'"rate": 100.0, "rate":')
    refuse(raw_manifest(entries, raw), "key 'rate' appears twice")


def _paths(record: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(record, dict):
        return [q for k, v in record.items() for q in [(*at, k), *_paths(v, (*at, k))]]
    if isinstance(record, list):
        return [q for k, v in enumerate(record) for q in _paths(v, (*at, k))]
    return []


def _at(record: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        record = record[key]
    return record


def test_every_missing_field_is_refused(entries, refuse):
    whole = json.loads(entries[0][1])
    optional = {"offset", "scale", "unit", "labels", "any_of"}
    optional |= {"role", "baseline", "step", "steps", "tokens", "aggregation"}
    optional |= {"availability", "fusion", "plausible"}
    paths = [p for p in _paths(whole) if p[-1] not in optional and "required" not in p[:-1]]
    paths = [p for p in paths if (p[0], p[-1]) != ("graphs", "sensor")]
    paths = [p for p in paths if p[-2:-1] != ("any_of",)]
    assert len(paths) > 60
    for path in paths:
        refuse(with_manifest(entries, lambda m, p=path: _at(m, p[:-1]).pop(p[-1])), "manifest")


def test_every_extra_field_is_refused(entries, refuse):
    whole = json.loads(entries[0][1])
    records = {p[:-1] for p in _paths(whole)}
    assert len(records) > 20
    for path in records:
        refuse(with_manifest(entries, lambda m, p=path: _at(m, p).update(more=1)), "manifest")


def test_every_mistyped_field_is_refused(entries, refuse):
    may_be_none = {"unit", "baseline", "step", "tokens", "availability", "fusion"}
    for path in _paths(json.loads(entries[0][1])):
        for wrong in (None, [[]], {"a": {}}, True, "\x00"):
            of_graph = (path[0], path[-1]) == ("graphs", "sensor")
            if wrong is None and (path[-1] in may_be_none or of_graph):
                continue

            def lie(manifest, path=path, wrong=wrong):
                _at(manifest, path[:-1])[path[-1]] = wrong

            refuse(with_manifest(entries, lie), "manifest.json")


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *where, last, value = path

    def change(manifest: dict[str, Any]) -> None:
        _at(manifest, tuple(where))[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("rate", 0), "rate must be above 0"),
        (_set("rate", -25.0), "rate must be above 0"),
        (_set("samples", 0), "at least 1 sample"),
        (_set("samples", 10**9), "at most 16777216 numbers"),
        (_set("name", "../toy"), "the bundle's name is '../toy'"),
        (_set("name", "toy\x1b[31m"), "the bundle's name"),
        (_set("version", "one point oh"), "the version"),
        (_set("description", "\x1b[2J"), "the description must be"),
        (_set("channels", []), "at least one channel"),
        (_set("channels", 1, "name", "ppg"), "channel 'ppg' appears twice"),
        (_set("channels", 1, "name", "acc"), "'acc' names both"),
        (_set("channels", 0, "minimum", 100.0), "not below maximum"),
        (_set("channels", 0, "scale", 0), "scale must be above 0"),
        (_set("channels", 0, "normalization", "zscore"), "Invalid enum value 'zscore'"),
        (_set("channels", 0, "normalization", "log"), "not below 0, but its minimum is -100"),
        (_set("channels", 0, "aggregation", "max"), "Invalid enum value 'max'"),
        (_set("channels", 0, "aggregation", "sum"), "bundle without tokens it is resample"),
        (_set("graphs", 1, "role", "embed"), "graphs that embed if and only if `tokens` is"),
        (_set("tasks", 0, "name", "imputed"), "must not be called 'imputed'"),
        (_set("tasks", 0, "name", "slots"), "must not be called 'slots'"),
        (_set("channels", 0, "rate", 0), "channel 'ppg': the rate must be from 0.001"),
        (_set("channels", 1, "rate", 50.0), "sensor 'acc' have the rates 50.0 and 32.0"),
        (_set("channels", 0, "rate", 1e9), "to 100000 Hz, not 1000000000"),
        (_set("baseline", {"seconds": 0, "samples": 25}), "baseline: seconds must be above 0"),
        (_set("baseline", {"seconds": 600, "samples": 0}), "baseline: samples must be from 1"),
        (_set("baseline", {"seconds": 600, "samples": 51}), "to the 50 of a window, not 51"),
        (_set("step", {"samples": 20, "state": 9}), "step: samples must divide the 50"),
        (_set("step", {"samples": 0, "state": 9}), "step: samples must divide the 50"),
        (_set("step", {"samples": 25, "state": 0}), "step: state must be from 1"),
        (_set("step", {"samples": 25, "state": 2**40}), "step: state must be from 1"),
        (_set("step", {"samples": 25, "state": 9}), "graphs of a step if and only if"),
        (_set("graphs", 1, "role", "step"), "graphs of a step if and only if"),
        (_set("golden", "steps", 5), "0 to 0 golden steps, not 5"),
        (_set("embedding", []), "at least one stage"),
        (_set("embedding", 1, "start", 4), "must start at 3"),
        (_set("embedding", 0, "start", -1), "must start at 0"),
        (_set("embedding", 1, "stop", 3), "must not be empty"),
        (_set("embedding", 1, "stop", 10**9), "over 1000000"),
        (_set("embedding", 1, "name", "stage1"), "stage 'stage1' appears twice"),
        (_set("tasks", 1, "name", "heart_rate"), "task 'heart_rate' appears twice"),
        (_set("tasks", 0, "name", "embedding"), "must not be called 'embedding'"),
        (_set("tasks", 0, "name", "next_state"), "must not be called 'next_state'"),
        (_set("tasks", 0, "labels", ["a", "b"]), "a regression has no labels"),
        (_set("tasks", 0, "unit", None), "must state its unit"),
        (_set("tasks", 1, "labels", ["rest"]), "needs two labels"),
        (_set("tasks", 1, "labels", ["rest", "rest"]), "label 'rest' appears twice"),
        (_set("tasks", 1, "unit", "bpm"), "a classification has no unit"),
        (_set("tasks", 0, "required", "pgp", 0.5), "coverage is asked of 'pgp'.*ppg, acc_x"),
        (_set("tasks", 1, "any_of", "acc_x", 1.5), "between 0 and 1, not 1.5"),
        (_set("tasks", 0, "minimum_confidence", -0.1), "between 0 and 1"),
        (_set("graphs", []), "graphs of a window if and only if neither `tokens`"),
        (_set("graphs", 1, "activations", "u8"), "two graphs are of the same kind"),
        (_set("graphs", 1, "file", "model.u8.onnx"), "file 'model.u8.onnx' appears twice"),
        (_set("graphs", 1, "file", "parity.json"), "file 'parity.json' appears twice"),
        (_set("graphs", 1, "file", "other.onnx"), "members lists no other.onnx"),
        (_set("graphs", 1, "file", "../x"), "a file's name is '../x'"),
        (_set("golden", "windows", 0), "golden windows, not 0"),
        (_set("golden", "windows", 10**9), "golden windows, not 1000000000"),
        (_set("golden", "file", "manifest.json"), "cannot name itself"),
        (_set("golden", "tolerance", {}), "tolerance must name the outputs embedding"),
        (_set("golden", "loose", "embedding", -1), "loose must not be below 0"),
        (_set("members", "CARD.md", "bytes", -1), "-1 is no size"),
        (_set("members", "CARD.md", "sha256", "A" * 64), "sha256 is 'AAAA"),
        (_set("members", "../x", {"bytes": 1, "sha256": "0" * 64}), "nothing refers to"),
    ],
)
def test_contradictions(entries, refuse, change, message):
    refuse(with_manifest(entries, change), message)


@pytest.fixture
def day_entries(plain_day_parts: Any, tmp_path: Path) -> Entries:
    """As `entries`, of a bundle with tokens."""
    path = tmp_path / "day.onwrist"
    bundle.write(path, *plain_day_parts)
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _without_decoder(manifest: dict[str, Any]) -> None:
    manifest["graphs"] = manifest["graphs"][:2]
    manifest["members"].pop("decode.s8.onnx")


def _with_one_tflite(manifest: dict[str, Any]) -> None:
    graph = manifest["graphs"][0] | {"file": "embed.tflite", "format": "tflite"}
    manifest["graphs"].append(graph)
    manifest["members"]["embed.tflite"] = {"bytes": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("tokens", None), "in a bundle without tokens it is resample"),
        (_set("tokens", "more", 1), "unknown field"),
        (_set("baseline", {"seconds": 600, "samples": 60}), "neither a baseline nor a step"),
        (_set("step", {"samples": 120, "state": 9}), "neither a baseline nor a step"),
        (_set("rate", 0.016), r"whole seconds apart, not 62\.5"),
        (_set("rate", 5e-324), "whole seconds apart, not inf"),
        (_set("rate", 1 / 30), "windows of a day .* each 30 s"),
        (_set("rate", 2.0), "whole seconds apart, not 0.5"),
        (_set("samples", 1439), "not of 1439 grid points each 60 s"),
        (_set("channels", 0, "aggregation", "resample"), "with tokens it is mean or sum"),
        (_set("tokens", "patch", 0), "must divide the 1440 grid points.*not be 0"),
        (_set("tokens", "patch", 100), "must divide the 1440 grid points.*not be 100"),
        (_set("tokens", "patch", 1440), "and be less, not be 1440"),
        (_set("tokens", "groups", []), "1 to 256 groups, not 0"),
        (_set("tokens", "groups", 1, "name", "activity"), "group 'activity' appears twice"),
        (_set("tokens", "groups", 1, "name", "../x"), "a group's name is '../x'"),
        (_set("tokens", "groups", 1, "channels", []), "group 'heart' must have a channel"),
        (_set("tokens", "groups", 1, "channels", ["steps"]), "every channel must be in one"),
        (_set("tokens", "groups", 0, "channels", ["steps"]), "every channel must be in one"),
        (_set("tokens", "groups", 1, "least", 0), "'heart': least must be from 1 to the 120"),
        (_set("tokens", "groups", 1, "least", 121), "grid points of a patch, not 121"),
        (_set("tokens", "width", 0), "width must be above 0"),
        (_set("tokens", "width", 2**20), "24 tokens at most 4194304 numbers, not 1048576"),
        (_set("tokens", "sizes", []), "1 to 16 sizes, not 0"),
        (_set("tokens", "sizes", list(range(1, 25))), "1 to 16 sizes, not 24"),
        (_set("tokens", "sizes", [12, 6, 24]), "must ascend .* not be 12, 6, 24"),
        (_set("tokens", "sizes", [6, 6, 24]), "must ascend"),
        (_set("tokens", "sizes", [0, 24]), "must ascend from above 0"),
        (_set("tokens", "sizes", [6, 12]), "to all 24 tokens, not be 6, 12"),
        (_set("tokens", "sizes", [24, 48]), "to all 24 tokens"),
        (_set("tokens", "interpolated", "pulse"), "interpolated is 'pulse', but the channels"),
        (_set("tokens", "interpolated", None), "graphs that decode if and only if"),
        (_without_decoder, "graphs that decode if and only if `tokens.interpolated` is given"),
        (_set("graphs", 1, "role", "window"), "graphs of a window if and only if"),
        (_set("graphs", 2, "role", "step"), "graphs of a step if and only if"),
        (_with_one_tflite, "graphs of tflite, but none that encode"),
        (
            _set("golden", "tolerance", {"embedding": 1, "active_minutes": 1}),
            "must name.*imputed",
        ),
    ],
)
def test_contradictions_of_tokens(day_entries, refuse, change, message):
    refuse(with_manifest(day_entries, change), message)


def test_every_field_of_tokens_counts(day_entries, refuse):
    whole = json.loads(day_entries[0][1])["tokens"]
    for path in _paths(whole):
        for wrong in ({"a": {}}, True, "\x00", [[]]):
            lie = _set("tokens", *path, wrong)
            refuse(with_manifest(day_entries, lie), "manifest.json")
        if path[-1] not in ("interpolated", *range(9)):

            def drop(manifest: dict[str, Any], path: tuple[Any, ...] = path) -> None:
                _at(manifest["tokens"], path[:-1]).pop(path[-1])

            refuse(with_manifest(day_entries, drop), "manifest.json")


@pytest.fixture
def fusion_entries(plain_fusion_parts: Any, tmp_path: Path) -> Entries:
    """As `entries`, of a bundle with fusion."""
    path = tmp_path / "fusion.onwrist"
    bundle.write(path, *plain_fusion_parts)
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _pattern(*sensors: str) -> dict[str, Any]:
    return {"sensors": list(sensors), "temperatures": {}, "minimum_confidence": {}}


def _without_graph(file: str) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["graphs"] = [g for g in manifest["graphs"] if g["file"] != file]
        manifest["members"].pop(file)

    return change


def _with_graph(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        graph = manifest["graphs"][0] | {"file": "more.onnx"} | changes
        manifest["graphs"].append(graph)
        manifest["members"]["more.onnx"] = {"bytes": 1, "sha256": "0" * 64}

    return change


def _without_availability(manifest: dict[str, Any]) -> None:
    manifest["availability"] = None


AT = ("availability", "patterns")
LAST = "decode.s8.onnx"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("availability", "least", 0), "least must be above 0 and at most 1, not 0"),
        (_set("availability", "least", -0.5), "least must be above 0"),
        (_set("availability", "least", 1.01), "least must be above 0 and at most 1, not 1.01"),
        (_set(*AT, []), "1 to 1024 patterns, not 0"),
        (_set(*AT, [_pattern("wrist")] * 1025), "1 to 1024 patterns, not 1025"),
        (_set(*AT, 0, "sensors", []), "'of no sensor'.* must name some of the sensors wrist"),
        (_set(*AT, 0, "sensors", ["wirst"]), r"pattern 'wirst'.*wrist, chest, waist, ankle"),
        (_set(*AT, 0, "sensors", ["chest", "wrist"]), "each once and in this order"),
        (_set(*AT, 0, "sensors", ["wrist", "wrist"]), "each once and in this order"),
        (_set(*AT, 0, "sensors", ["wrist_x"]), "must name some of the sensors"),
        (_set(*AT, 1, "sensors", ["wrist"]), "the pattern 'wrist' appears twice"),
        (_set(*AT, 0, "temperatures", "stress", 1.0), "must be of the same tasks"),
        (_set(*AT, 0, "minimum_confidence", {"activity": 0.5}), "must be of the same tasks"),
        (
            _set(*AT, 0, _pattern("wrist") | {
                "temperatures": {"stress": 1.0}, "minimum_confidence": {"stress": 1.0}
            }),
            "names the task 'stress', but there is activity, effort",
        ),
        (_set(*AT, 0, "temperatures", "activity", 0), "from 0.001 to 1000, not 0"),
        (_set(*AT, 0, "temperatures", "activity", -1.0), "from 0.001 to 1000, not -1"),
        (_set(*AT, 0, "temperatures", "activity", 1e-30), "from 0.001 to 1000"),
        (_set(*AT, 0, "temperatures", "activity", 1e30), "from 0.001 to 1000"),
        (_set(*AT, 0, "minimum_confidence", "activity", 1.5), "between 0 and 1, not 1.5"),
        (_set(*AT, 0, "more", 1), "unknown field"),
        (_without_availability, "a bundle with fusion must have availability"),
        (_set("fusion", None), "graphs of a window if and only if neither `tokens` nor"),
        (_set("fusion", "tokens", 0), "tokens of a width above 0"),
        (_set("fusion", "width", -3), "tokens of a width above 0"),
        (_set("fusion", "width", 2**20), "4 sensors at most 4194304 numbers, not 2 tokens of"),
        (_set("fusion", "restores", False), "graphs that decode if and only if"),
        (_without_graph(LAST), "graphs that decode if and only if .* or `fusion` restores"),
        (_without_graph("fuse.s8.onnx"), "graphs that fuse if and only if"),
        (_without_graph("sense.chest.s8.onnx"), "activations that sense, but none of chest"),
        (_set("graphs", 0, "sensor", None), "a graph has a sensor if and only if its role is"),
        (_set("graphs", 4, "sensor", "wrist"), "a graph has a sensor if and only if its role"),
        (_set("graphs", 0, "sensor", "wrist_x"), "of the sensor 'wrist_x', but the sensors"),
        (_set("graphs", 1, "sensor", "wrist"), "two graphs are of the same kind|none of chest"),
        (_with_graph(activations="u8"), "u8 activations that sense, but none of chest, waist"),
        (_with_graph(role="window", sensor=None), "graphs of a window if and only if neither"),
        (_with_graph(format="tflite"), "tflite graphs with s8 .* none of chest"),
        (_set("baseline", {"seconds": 9, "samples": 5}), "has no baseline, step or tokens"),
        (_set("step", {"samples": 20, "state": 9}), "has no baseline, step or tokens"),
        (_set("tasks", 0, "name", "weights"), "must not be called 'weights'"),
        (_set("tasks", 0, "name", "sensed"), "must not be called 'sensed'"),
        (_set("tasks", 0, "name", "live"), "must not be called 'live'"),
        (_set("tasks", 0, "name", "effort_scale"), "must not be called 'effort_scale'"),
        (_set("golden", "tolerance", "weights", -1), "tolerance must not be below 0"),
    ],
)  # fmt: skip
def test_contradictions_of_sensors(fusion_entries, refuse, change, message):
    refuse(with_manifest(fusion_entries, change), message)


def test_the_weights_and_what_is_restored_are_proven(fusion_entries, refuse):
    for output in ("weights", "imputed"):

        def forget(manifest: dict[str, Any], output: str = output) -> None:
            manifest["golden"]["tolerance"].pop(output)

        refuse(with_manifest(fusion_entries, forget), f"tolerance must name.*{output}")


def test_availability_is_not_for_days_and_plausible_only_with_fusion(
    entries, day_entries, refuse
):
    availability = {"least": 0.5, "patterns": [_pattern("activity")]}
    change = _set("availability", availability)
    refuse(with_manifest(day_entries, change), "with tokens has no availability")
    axes = [f"imu_{k}" for k in range(6)]

    def judge(manifest: dict[str, Any]) -> None:
        plain = manifest["channels"][0]
        manifest["channels"] += [plain | {"name": axis, "sensor": "imu"} for axis in axes]
        record = {x: [0.5, 2.0] for x in ("gravity", "rest", "turns", "turns_per_g")}
        record |= {"sensor": "imu", "acceleration": axes[:3], "turning": axes[3:]}
        manifest["plausible"] = [record | {"run": 1.0, "rails": [1.0, 1.0]}]

    refuse(with_manifest(entries, judge), "`plausible` is for a bundle with fusion only")


def test_every_field_of_sensors_counts(fusion_entries, refuse):
    whole = json.loads(fusion_entries[0][1])
    for field in ("availability", "fusion"):
        paths = _paths(whole[field])
        assert len(paths) >= 3
        for path in paths:
            for wrong in (None, {"a": {}}, "\x00", [[]]):
                lie = _set(field, *path, wrong)
                refuse(with_manifest(fusion_entries, lie), "manifest.json")
            if isinstance(path[-1], str) and path[-1] not in ("activity", "effort"):

                def drop(
                    manifest: dict[str, Any], path: Any = path, field: str = field
                ) -> None:
                    _at(manifest[field], path[:-1]).pop(path[-1])

                refuse(with_manifest(fusion_entries, drop), "manifest.json")


def test_a_manifest_of_many_names_is_refused_at_once(entries, refuse):
    channel = json.loads(entries[0][1])["channels"][0]
    many = [channel | {"name": f"c{k}", "sensor": f"c{k}"} for k in range(5000)]
    began = time.monotonic()
    refuse(with_manifest(entries, _set("channels", many)), "5000 channels, over 256")
    refuse(
        with_manifest(entries, _set("golden", "loose", {f"o{k}": 0.0 for k in range(50_000)})),
        "loose must name the outputs",
    )
    assert time.monotonic() - began < 5


# Nothing else


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_never_read(entries, tmp_path, data):
    path = tmp_path / "changed.onwrist"
    raw = bytearray(forged(entries).bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    with pytest.raises(BundleError):
        bundle.read(path)


def test_no_truncation_is_ever_read(entries, tmp_path):
    raw = forged(entries).bytes()
    path = tmp_path / "cut.onwrist"
    path.write_bytes(raw)
    for length in reversed(range(len(raw))):
        os.truncate(path, length)
        with pytest.raises(BundleError):
            bundle.read(path)


def test_the_hash_covers_every_member(entries, plain_parts, tmp_path):
    manifest, members = plain_parts
    path = tmp_path / "a.onwrist"
    bundle.write(path, manifest, members)
    hashes = {bundle.read(path).hash}
    for name in members:
        bundle.write(path, manifest, members | {name: members[name] + b"."})
        hashes.add(bundle.read(path).hash)
    assert len(hashes) == 1 + len(members)
    assert hashlib.sha256(entries[0][1]).hexdigest() in hashes
