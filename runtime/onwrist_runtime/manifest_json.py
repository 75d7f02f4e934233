"""manifest.json: bytes in, checked records out, and back.

Whatever is unknown, missing, mistyped or inconsistent is refused with a BundleError
in plain words; BUNDLE.md states the rules and their reasons.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from onwrist_runtime.errors import BundleError
from onwrist_runtime.manifest import FORMAT_VERSION, Manifest
from onwrist_runtime.manifest_checks import check
from onwrist_runtime.manifest_rules import unique


class _Versioned(msgspec.Struct):
    format: int


def decode(raw: bytes) -> Manifest:
    """Read and check the bytes of manifest.json.

    Raises
    ------
    BundleError
        Not JSON, of another format version, or inconsistent; the message says where.
    """
    try:
        version = msgspec.json.decode(raw, type=_Versioned).format
        if version != FORMAT_VERSION:
            raise BundleError(_other_version(version))
        manifest = msgspec.json.decode(raw, type=Manifest)
        json.loads(raw, object_pairs_hook=_refuse_repeated_keys)
        check(manifest)
    except BundleError:
        raise
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest.json: {error}") from None
    return manifest


def encode(manifest: Manifest) -> bytes:
    """The bytes of manifest.json; the same manifest gives the same bytes.

    Raises
    ------
    BundleError
        The manifest is inconsistent.
    """
    if manifest.format != FORMAT_VERSION:
        raise BundleError(_other_version(manifest.format))
    check(manifest)
    compact = msgspec.json.encode(manifest, order="deterministic")
    return msgspec.json.format(compact, indent=1) + b"\n"


def _other_version(version: int) -> str:
    return (
        f"manifest.json: this bundle is of format {version}, and this onwrist reads "
        f"format {FORMAT_VERSION} only; "
        + ("update onwrist" if version > FORMAT_VERSION else "pack the bundle again")
    )


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    unique("key", (key for key, _ in pairs))
    return dict(pairs)
