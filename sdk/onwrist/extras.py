"""Packages that an extra brings: imported when needed, named when absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from onwrist_runtime.errors import InputError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say what needs it and which extra to install.

    Raises
    ------
    InputError
        The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{purpose} needs {error.name}, which is not installed: "
            f'pip install "onwrist[{extra}]"'
        ) from None
