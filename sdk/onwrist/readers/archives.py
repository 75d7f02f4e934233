"""A file, folder or zip in, the files in it out, each to be opened and bounded in size.

Nothing is ever unpacked under a name that an archive chose; what needs a real file is copied
to one of our own naming.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from onwrist_runtime.errors import RecordingError

_DEPTH = 6  # folders below the one that was given: Takeout/Fitbit/Global Export Data/...
_MOST = 200_000  # files that are looked at
_SWOLLEN, _FROM = 400, 1 << 28  # times its size in the zip that a file of so many bytes has

_kept: ContextVar[zipfile.ZipFile | None] = ContextVar("kept", default=None)

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file.

    Attributes
    ----------
    path : the file, or the zip that holds it.
    name : posix path below the folder or inside the zip.
    size : bytes.
    archived : whether `path` is a zip.
    """

    path: Path
    name: str
    size: int
    archived: bool

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"{self.path}/{self.name}" if self.archived else str(self.path)

    def is_at(self, path: Path) -> bool:
        """Whether it is the very file that was given."""
        return not self.archived and self.path == path

    @property
    def file(self) -> str:
        """The file's own name; some zips of Windows have backslashes."""
        return PurePosixPath(self.name.replace("\\", "/")).name

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The bytes, not held in memory; RecordingError where they cannot be read."""
        try:
            if not self.archived:
                with self.path.open("rb") as file:
                    yield file
                return
            with _archive(self.path) as archive:
                info = archive.getinfo(self.name)
                if info.flag_bits & 1:
                    raise RecordingError(f"{self.where}: encrypted; zip it without a password")
                if info.file_size > max(_FROM, _SWOLLEN * info.compress_size):
                    raise RecordingError(
                        f"{self.where}: {info.file_size:,} bytes of {info.compress_size:,} in "
                        "the zip, which no export has; export it again"
                    )
                with archive.open(info) as file:
                    yield file
        except DAMAGED as error:
            raise RecordingError(f"{self.where}: cannot be read ({error})") from None

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as file:
            return file.read(size)

    def read(self, most: int) -> bytes:
        """All bytes, which must not be more than `most`."""
        if self.size > most:
            raise RecordingError(f"{self.where}: {self.size:,} bytes, more than it can have")
        with self.open() as file:
            return file.read(most + 1)


@contextmanager
def kept_open(path: Path) -> Iterator[None]:
    """Read the table of contents of a zip once, however many of its members are opened."""
    if path.suffix.lower() != ".zip" or path.is_dir():
        yield
        return
    try:
        archive = zipfile.ZipFile(path)
    except (*DAMAGED, ValueError) as error:
        raise RecordingError(f"{path}: not a readable zip ({error})") from None
    with archive:
        token = _kept.set(archive)
        try:
            yield
        finally:
            _kept.reset(token)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    kept = _kept.get()
    if kept is not None and kept.filename == str(path):
        yield kept
        return
    with zipfile.ZipFile(path) as archive:
        yield archive


def members(path: Path) -> list[Member]:
    """The file itself, the files of a zip, or those of a folder and the folders below it.

    Raises
    ------
    RecordingError
        A zip that cannot be read.
    """
    if path.is_dir():
        return list(_in_folder(path))
    if path.suffix.lower() != ".zip" or not path.is_file():
        return [Member(path, path.name, path.stat().st_size, False)] if path.is_file() else []
    try:
        with zipfile.ZipFile(path) as archive:
            return [
                Member(path, info.filename, info.file_size, True)
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX/")
            ][:_MOST]
    except (*DAMAGED, ValueError) as error:
        raise RecordingError(f"{path}: not a readable zip ({error})") from None


def _in_folder(folder: Path) -> Iterator[Member]:
    count = 0
    for top, folders, files in os.walk(folder):
        place = Path(top)
        depth = len(place.relative_to(folder).parts)
        folders[:] = sorted(x for x in folders if not x.startswith(".") and depth < _DEPTH)
        for name in sorted(files):
            count += 1
            if count > _MOST:
                return
            path = place / name
            if not name.startswith(".") and path.is_file():
                size = path.stat().st_size
                yield Member(path, path.relative_to(folder).as_posix(), size, False)


@contextmanager
def as_file(member: Member, most: int) -> Iterator[Path]:
    """A real file with the member's bytes: the file itself, or a copy that is removed."""
    if not member.archived:
        yield member.path
        return
    if member.size > most:
        raise RecordingError(f"{member.where}: {member.size:,} bytes, more than it can have")
    with tempfile.TemporaryDirectory(prefix="onwrist-") as folder:
        copy = Path(folder) / "copy"
        with member.open() as source, copy.open("xb") as target:
            left = member.size
            while block := source.read(min(1 << 20, left + 1)):
                left -= len(block)
                if left < 0:
                    raise RecordingError(f"{member.where}: longer than the zip says")
                target.write(block)
        yield copy
