"""Where PAMAP2 lies in, its sessions out: a .dat, a folder or a zip, which is read in place.

The archive of the repository has PAMAP2_Dataset/Protocol and PAMAP2_Dataset/Optional with
subject101.dat to subject109.dat; the repository's own download is a zip with that zip in it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from onwrist.readers import pamap2
from onwrist.readers.choosing import choose
from onwrist.recording import Recording
from onwrist_runtime.errors import RecordingError

_FILE = re.compile(r"subject(\d{3})\.dat")
_INNER = "PAMAP2_Dataset.zip"
_FOLDERS = ("Protocol", "Optional")
_LARGEST_FILE = 1 << 29  # bytes; the longest session has 0.2 GB
_LARGEST_ARCHIVE = 1 << 31  # bytes; the archive has 0.7 GB


@dataclass(frozen=True, slots=True)
class Source:
    """One session.

    Attributes
    ----------
    path : the .dat file, or the zip that holds it.
    members : names in the zip and the zip in it; none of a file.
    place : such as "Protocol/subject101.dat"; without a folder if it lies in another.
    size : bytes.
    """

    path: Path
    members: tuple[str, ...]
    place: str
    size: int

    @property
    def name(self) -> str:
        """What the recording is called, such as subject101_protocol."""
        folder, _, file = self.place.rpartition("/")
        return f"{Path(file).stem}_{folder.lower()}" if folder else Path(file).stem

    @property
    def subject(self) -> str:
        """Such as 101."""
        return PurePosixPath(self.place).stem.removeprefix("subject")

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file's bytes, which are not held in memory.

        Raises
        ------
        RecordingError
            The zip is damaged.
        """
        if not self.members:
            with self.path.open("rb") as file:
                yield file
            return
        with _unzipped(self.path), zipfile.ZipFile(self.path) as archive:
            *outer, member = self.members
            if not outer:
                with archive.open(member) as file:
                    yield file
                return
            with (
                archive.open(outer[0]) as inner,
                zipfile.ZipFile(inner) as within,
                within.open(member) as file,
            ):
                yield file


def is_pamap2(path: Path) -> bool:
    """Whether this is a .dat of PAMAP2, or a folder or zip that holds some."""
    if path.suffix == ".zip" and path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                names = [PurePosixPath(name).name for name in archive.namelist()]
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            return False
        return any(_FILE.fullmatch(name) or name == _INNER for name in names)
    if path.is_dir():
        return bool(_in_folder(path)) or (path / _INNER).is_file()
    return path.suffix == ".dat"


def sources(path: Path) -> list[Source]:
    """The sessions that lie at `path`, Protocol before Optional, by subject.

    Raises
    ------
    RecordingError
        Nothing is there, or a zip that is damaged, encrypted or larger than PAMAP2 can be.
    """
    if not path.exists():
        raise RecordingError(f"{path}: no such file or folder")
    if path.is_dir():
        files = _in_folder(path)
        if not files and (path / _INNER).is_file():
            return sources(path / _INNER)
        found = [Source(x, (), _place(x.as_posix()), x.stat().st_size) for x in files]
    elif path.suffix == ".zip":
        with _unzipped(path), zipfile.ZipFile(path) as archive:
            found = _in_zip(path, archive, ())
    else:
        if not _FILE.fullmatch(path.name):
            raise RecordingError(
                f"{path}: a .dat file of PAMAP2 is called by its subject, subject101.dat"
            )
        place = _place(path.resolve().as_posix())
        found = [Source(path, (), place, path.stat().st_size)]
    if not found:
        raise RecordingError(f"{path}: no file of PAMAP2, such as Protocol/subject101.dat")
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RecordingError(f"{path}: {twice[0]} is there twice")
    return sorted(found, key=lambda each: (_order(each.place), each.place))


def read_source(source: Source) -> Recording:
    """Read one session."""
    where = "/".join((str(source.path), *source.members))
    with source.open() as file:
        return pamap2.read(where, file, source.name, source.subject)


def read(path: Path, user: str | None = None) -> Recording:
    """Read the session called `user`, or the only one of the subject `user`.

    Raises
    ------
    RecordingError
        A file that is damaged.
    InputError
        `user` does not choose one session, or a package is missing.
    """
    found = sources(path)
    return read_source(found[choose(path, [(x.name, x.subject) for x in found], user)])


def read_all(path: Path) -> list[Recording]:
    """Read every session; together about 0.6 GB of memory."""
    return [read_source(source) for source in sources(path)]


def _in_folder(path: Path) -> list[Path]:
    """The .dat files in a folder, in its Protocol and Optional, or those of PAMAP2_Dataset."""
    tops = (path, path / "PAMAP2_Dataset")
    places = [each for top in tops for each in (top, *(top / folder for folder in _FOLDERS))]
    return [
        each
        for place in places
        if place.is_dir()
        for each in sorted(place.glob("subject*.dat"))
        if _FILE.fullmatch(each.name)
    ]


def _in_zip(path: Path, archive: zipfile.ZipFile, outer: tuple[str, ...]) -> list[Source]:
    found: list[Source] = []
    for member in archive.infolist():
        place = PurePosixPath(member.filename)
        inner = place.name == _INNER and not outer
        if not (inner or _FILE.fullmatch(place.name)) or place.parts[0] == "__MACOSX":
            continue
        where = f"{path}/{member.filename}"
        if member.flag_bits & 1:
            raise RecordingError(f"{where}: encrypted; zip it without a password")
        if member.file_size > (_LARGEST_ARCHIVE if inner else _LARGEST_FILE):
            raise RecordingError(f"{where}: {member.file_size} bytes, more than PAMAP2 has")
        if not inner:
            members = (*outer, member.filename)
            found.append(Source(path, members, _place(member.filename), member.file_size))
            continue
        with archive.open(member) as file, zipfile.ZipFile(file) as within:
            found += _in_zip(path, within, (member.filename,))
    return found


def _place(path: str) -> str:
    *_, folder, file = PurePosixPath("-", path).parts
    return f"{folder}/{file}" if folder in _FOLDERS else file


def _order(place: str) -> int:
    folder = place.rpartition("/")[0]
    return _FOLDERS.index(folder) if folder else -1


@contextmanager
def _unzipped(path: Path) -> Iterator[None]:
    """Say in words what is wrong with a zip."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RecordingError(f"{path}: not a readable zip ({error})") from None
