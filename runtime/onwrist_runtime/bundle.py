"""`NAME.onwrist`: one file in, its checked members out, and back.

BUNDLE.md is the specification. `strict_zip` holds the layout of the file; here the
manifest and the members are held against each other.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from onwrist_runtime import manifest_json, strict_zip
from onwrist_runtime.errors import BundleError
from onwrist_runtime.manifest import Manifest, Member

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle, every byte of it checked.

    Attributes
    ----------
    manifest : what the bundle says of itself.
    members : contents of each file by name, without the manifest.
    hash : SHA-256 of manifest.json in hex; it covers every member by their hashes.
    raw : manifest.json as it was read; empty where a bundle was made from parts.
    """

    manifest: Manifest
    members: Mapping[str, bytes]
    hash: str
    raw: bytes = b""


def read(path: str | os.PathLike[str]) -> Bundle:
    """Open a bundle and check all of it: layout, sizes, hashes and manifest.

    Raises
    ------
    BundleError
        There is no such file, or it breaks a rule of BUNDLE.md.
    """
    # `open` would take a number for a file that is already open.
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise BundleError(f"{path!r} is not the path of a file")
    try:
        with open(path, "rb") as file:
            return _read(strict_zip.Source(file))
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from None
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def write(
    path: str | os.PathLike[str], manifest: Manifest, members: Mapping[str, bytes]
) -> None:
    """Write a bundle; the same manifest and members give the same bytes.

    Parameters
    ----------
    path : the file to make; one that is there is replaced, whole or not at all.
    manifest : its `members` are filled in from what is given here.
    members : contents by file name: all that the manifest names, and no other.

    Raises
    ------
    BundleError
        The manifest is inconsistent, or the members are not the ones it names.
    OSError
        The file cannot be written; nothing is left behind.
    """
    described = {
        name: Member(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in members.items()
    }
    manifest = msgspec.structs.replace(manifest, members=described)
    contents = {MANIFEST_FILE: manifest_json.encode(manifest)}
    contents |= {name: members[name] for name in manifest.files}
    if len(contents[MANIFEST_FILE]) > MAX_MANIFEST_BYTES:
        raise BundleError(f"manifest.json is larger than {MAX_MANIFEST_BYTES} bytes")
    chunks = list(strict_zip.pack(contents))
    if sum(map(len, chunks)) > strict_zip.MAX_BYTES:
        raise BundleError(f"the bundle would be larger than {strict_zip.MAX_BYTES} bytes")
    _write_whole(Path(path), chunks)


def _write_whole(path: Path, chunks: list[bytes]) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(beside, "xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def _read(source: strict_zip.Source) -> Bundle:
    entries = strict_zip.read_layout(source)
    if entries[0].name != MANIFEST_FILE:
        raise BundleError(f"its first entry is {entries[0].name!r}, not {MANIFEST_FILE}")
    if entries[0].size > MAX_MANIFEST_BYTES:
        raise BundleError(f"manifest.json is larger than {MAX_MANIFEST_BYTES} bytes")
    raw = source.contents(entries[0])
    manifest = manifest_json.decode(raw)
    names = [entry.name for entry in entries[1:]]
    _check_names(names, manifest)
    members = {}
    for entry in entries[1:]:
        stated = manifest.members[entry.name]
        if entry.size != stated.bytes:
            raise BundleError(
                f"{entry.name} has {entry.size} bytes, the manifest says {stated.bytes}"
            )
        data = source.contents(entry)
        if hashlib.sha256(data).hexdigest() != stated.sha256:
            raise BundleError(f"{entry.name} does not have the SHA-256 of the manifest")
        members[entry.name] = data
    return Bundle(manifest, members, hashlib.sha256(raw).hexdigest(), raw)


def _check_names(names: Iterable[str], manifest: Manifest) -> None:
    found = tuple(names)
    missing = [name for name in manifest.files if name not in found]
    if missing:
        raise BundleError(f"the member {', '.join(missing)} is missing")
    extra = [name for name in found if name not in manifest.files]
    if extra:
        raise BundleError(f"the manifest names no member {', '.join(extra)}")
    if found != manifest.files:
        raise BundleError(f"the members are not in the order {', '.join(manifest.files)}")
