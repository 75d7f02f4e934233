"""TensorFlow Lite's own C library and headers: fetched once, held to their SHA-256.

The only package of the registries that carries them for Linux is npm's tfjs-tflite-node: of
2022, with the interpreter of one signature. It is kept in out/tflite_c.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "tfjs-tflite-node@0.0.2"
SHA256 = "3be1632328a76a2475e5b6833253763c802c859433becb4d879ee1860e3b5284"
FOLDER = Path(__file__).parents[2] / "out/tflite_c"


def fetched() -> Path:
    """The folder with `include` and a folder of libraries for each platform.

    Raises
    ------
    RuntimeError
        It is not there and cannot be fetched: why.
    """
    found = FOLDER / "package/cc_deps"
    if found.is_dir():
        return found
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("there is no npm to fetch TensorFlow Lite's C library with")
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as beside:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent"],
            cwd=beside,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        archives = list(Path(beside).glob("*.tgz"))
        if packed.returncode or not archives:
            raise RuntimeError(f"npm cannot fetch {PACKAGE}: {packed.stderr.strip()[-300:]}")
        digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if digest != SHA256:
            raise ValueError(f"{PACKAGE} has the SHA-256 {digest} and not {SHA256}")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(Path(beside) / "unpacked", filter="data")
        if not FOLDER.is_dir():
            os.replace(Path(beside) / "unpacked", FOLDER)
    return found
