"""The strict zip profile of a bundle: entries in, bytes out, and back.

Stored entries one after another, the directory, the end record, and nothing else. The
reader goes through the file once, in order, and compares each header with the one that
`pack` would have made, so that every byte of an accepted file is accounted for.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from onwrist_runtime.errors import BundleError

MAX_BYTES = 512 * 2**20
MAX_ENTRIES = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"
_ZIP64_END = b"PK\x06\x06"
_FIRST_DATE = 0x21  # 1 January 1980, the earliest that zip can state

# Names of the fields as a message says them, in the order of the headers.
_LOCAL_LAYOUT = struct.Struct("<4s5H3I2H")
_LOCAL_FIELDS = (
    "signature",
    "version needed",
    "flags",
    "compression method",
    "time",
    "date",
    "CRC-32",
    "compressed size",
    "size",
    "name length",
    "extra field length",
)
_CENTRAL_LAYOUT = struct.Struct("<4s6H3I5H2I")
_CENTRAL_FIELDS = (
    "signature",
    "version made by",
    *_LOCAL_FIELDS[1:],
    "comment length",
    "disk number",
    "internal attributes",
    "external attributes",
    "offset",
)
_END_LAYOUT = struct.Struct("<4s4H2IH")
_END_FIELDS = (
    "signature",
    "disk number",
    "directory's disk",
    "entries on this disk",
    "entries",
    "directory size",
    "directory offset",
    "comment length",
)


class Entry(NamedTuple):
    name: str
    crc: int
    size: int
    offset: int

    @property
    def start(self) -> int:
        return self.offset + _LOCAL_LAYOUT.size + len(self.name)

    @property
    def _common(self) -> tuple[int, ...]:
        return 20, 0, 0, 0, _FIRST_DATE, self.crc, self.size, self.size, len(self.name), 0

    @property
    def local(self) -> tuple[bytes | int, ...]:
        return _LOCAL, *self._common

    @property
    def central(self) -> tuple[bytes | int, ...]:
        return _CENTRAL, 20, *self._common, 0, 0, 0, 0, self.offset


def _end(entries: list[Entry], offset: int) -> tuple[bytes | int, ...]:
    size = sum(_CENTRAL_LAYOUT.size + len(entry.name) for entry in entries)
    return _END, 0, 0, len(entries), len(entries), size, offset, 0


def pack(contents: Mapping[str, bytes]) -> Iterator[bytes]:
    entries: list[Entry] = []
    offset = 0
    for name, data in contents.items():
        entry = Entry(name, zlib.crc32(data), len(data), offset)
        entries.append(entry)
        offset = entry.start + entry.size
        yield _LOCAL_LAYOUT.pack(*entry.local) + name.encode() + data
    for entry in entries:
        yield _CENTRAL_LAYOUT.pack(*entry.central) + entry.name.encode()
    yield _END_LAYOUT.pack(*_end(entries, offset))


class Source:
    """A file read in order, that never asks for more than the file is known to hold."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = os.fstat(file.fileno()).st_size
        self.offset = 0
        if self.length > MAX_BYTES:
            raise BundleError(f"it has {self.length} bytes, and a bundle at most {MAX_BYTES}")

    def take(self, count: int, what: str) -> bytes:
        if self.offset + count > self.length:
            raise BundleError(f"it is truncated: it ends at byte {self.length}, within {what}")
        self.file.seek(self.offset)
        data = self.file.read(count)
        if len(data) != count:
            raise BundleError(f"it became shorter while it was read, within {what}")
        self.offset += count
        return data

    def peek(self, what: str) -> bytes:
        signature = self.take(4, what)
        self.offset -= 4
        return signature

    def contents(self, entry: Entry) -> bytes:
        self.offset = entry.start
        data = self.take(entry.size, entry.name)
        if zlib.crc32(data) != entry.crc:
            raise BundleError(f"{entry.name} does not have the CRC-32 of its header")
        return data


def read_layout(source: Source) -> list[Entry]:
    """All entries, once every header and the room between them is as `write` makes it."""
    entries: list[Entry] = []
    while (signature := source.peek("a header")) == _LOCAL:
        entry = _read_local(source)
        if any(entry.name == other.name for other in entries):
            raise BundleError(f"the entry {entry.name!r} appears twice")
        entries.append(entry)
        if len(entries) > MAX_ENTRIES:
            raise BundleError(f"it has more than {MAX_ENTRIES} entries")
    if not entries:
        raise BundleError(f"it starts with {signature!r}, so it is not a bundle")
    directory = source.offset
    for entry in entries:
        where = f"the directory entry of {entry.name!r}"
        found = _CENTRAL_LAYOUT.unpack(source.take(_CENTRAL_LAYOUT.size, where))
        _compare(found, entry.central, _CENTRAL_FIELDS, where)
        name = source.take(len(entry.name), where)
        if name != entry.name.encode():
            raise BundleError(f"{where} has the name {name!r}")
    if source.peek("the end record") == _ZIP64_END:
        raise BundleError("it is a zip64 file, which a bundle never is")
    found = _END_LAYOUT.unpack(source.take(_END_LAYOUT.size, "the end record"))
    _compare(found, _end(entries, directory), _END_FIELDS, "the end record")
    if source.offset != source.length:
        rest = source.length - source.offset
        raise BundleError(f"{rest} bytes follow its end record, so it is not a bundle")
    return entries


def _read_local(source: Source) -> Entry:
    offset = source.offset
    where = f"the entry at byte {offset}"
    found = _LOCAL_LAYOUT.unpack(source.take(_LOCAL_LAYOUT.size, where))
    _, _, flags, method, _, _, crc, _, size, name_length, extra = found
    raw = source.take(name_length, where)
    name = raw.decode("ascii", "backslashreplace")
    if not FILE_NAME.fullmatch(name):
        raise BundleError(f"{where} has the name {name[:80]!r}, which is no plain file name")
    where = f"the entry {name!r}"
    if method:
        raise BundleError(f"{where} is compressed; a bundle stores its entries as they are")
    if flags & 8:
        raise BundleError(f"{where} has a data descriptor, which a bundle never has")
    if size == 0xFFFFFFFF or extra:
        raise BundleError(f"{where} has zip64 sizes or extra fields, which a bundle never has")
    entry = Entry(name, crc, size, offset)
    _compare(found, entry.local, _LOCAL_FIELDS, where)
    if source.offset + size > source.length:
        raise BundleError(
            f"it is truncated: {where} claims {size} bytes, and "
            f"{source.length - source.offset} follow"
        )
    source.offset += size
    return entry


def _compare(
    found: tuple[bytes | int, ...],
    expected: tuple[bytes | int, ...],
    fields: tuple[str, ...],
    where: str,
) -> None:
    for field, has, must in zip(fields, found, expected, strict=True):
        if has != must:
            raise BundleError(f"{where} has the {field} {has!r}, not {must!r}")
