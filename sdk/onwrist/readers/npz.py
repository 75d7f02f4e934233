"""A file in, plain arrays and numbers out: never a pickle, and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from onwrist_runtime.errors import InputError, RecordingError


def names(path: Path) -> set[str]:
    """The names of the arrays in an .npz file, without reading them."""
    with _opened(path) as file:
        return set(file.files)


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name.

    Raises
    ------
    RecordingError
        Not an .npz, damaged, or it holds Python objects, which are never unpickled.
    """
    with _opened(path) as file:
        read = {name: file[name] for name in file.files}
        for name, array in read.items():
            if not isinstance(array, np.ndarray):  # numpy hands over what is no array as bytes
                raise RecordingError(f"{path}: {name!r} is no array")
        return read


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    if path.is_dir():
        raise RecordingError(f"{path}: a folder, not an .npz file")
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, NpzFile):
            raise RecordingError(f"{path}: holds one bare array, not named ones (.npz)")
        with file:
            yield file
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except RecordingError:
        raise
    # The unpackers and the parser of headers raise nearly anything on damaged bytes.
    except Exception as error:
        if "Object arrays" in str(error):
            raise RecordingError(
                f"{path}: holds Python objects (pickle), which are not read; "
                "save plain numbers and strings"
            ) from None
        # What numpy does not recognize it takes for a pickle, and says so.
        what = "not a zip archive" if "allow_pickle" in str(error) else str(error)
        raise RecordingError(f"{path}: not a readable .npz ({what})") from None


@contextmanager
def blamed(where: str) -> Iterator[None]:
    """Turn what the runtime refuses into an error about the file that it came from."""
    try:
        yield
    except InputError as error:
        raise RecordingError(f"{where}: {error}") from None


def vector(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    """`array` as float64 (n,); text and other shapes are refused."""
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise RecordingError(
            f"{path}: {name!r} is {array.dtype} of shape {array.shape}; "
            "it must be numbers of shape (n,)"
        )
    return array.astype(np.float64)


def number(path: Path, name: str, array: NDArray[Any]) -> float:
    """The one finite number that `array` holds."""
    if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise RecordingError(
            f"{path}: {name!r} is {array.dtype} of shape {array.shape}; "
            "it must be one finite number"
        )
    return float(array.reshape(()))
