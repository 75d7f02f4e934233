"""Output files that are either whole or absent: written beside, then moved into place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; move it there if the block succeeds.

    The temporary name keeps the suffix, because writers choose their format by it.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full; `path` is then as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        # mkstemp makes files private; a result is as readable as any new file here.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
