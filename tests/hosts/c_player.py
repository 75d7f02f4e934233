"""A shipped bundle and what happens to it in, what the C host predicts out.

The program `c/play.c` has the constants of all bundles, as `onwrist embed` generates them, and
LiteRT's library as its engine.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from c_host import HERE, SOURCES, STRICT, build, host
from c_words import number, numbers, text

from onwrist.embed import c, writing
from onwrist_runtime import bundle as bundles

BUNDLES = HERE.parents[1] / "sdk/onwrist/bundles"
NAMES = ("wrist-himae-small", "wrist-himae", "day-lsm2", "body-fusion")
MODES = {None: 0, "step": 1, "window": 2}

Case = dict[str, Any]
Words = list[str]


def library() -> Path | None:
    """LiteRT's library, if the wheel that has it is installed."""
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).with_name("libLiteRt.so")
    return path if path.exists() else None


def read(name: str) -> bundles.Bundle:
    """A bundle that ships."""
    return bundles.read(BUNDLES / f"{name}.onwrist")


def data(folder: Path) -> None:
    """The files of all bundles, each in a folder of its name."""
    for name in NAMES:
        bundle = read(name)
        graphs = writing.graphs_of(bundle, "c", "tflite")
        for path, content in writing.data_files(bundle, graphs, f"{name}/").items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)


def player(
    folder: Path,
    engine: Path,
    flags: Sequence[str] = STRICT,
    cc: Sequence[str] | None = None,
    linking: Sequence[str] = (),
    kind: str = "litert",
) -> Path:
    """The program that plays bundles, and the files that it opens, in a folder.

    Parameters
    ----------
    engine : the library of LiteRT, or of TensorFlow Lite if `kind` is "tflite".
    """
    constants = {}
    for name in NAMES:
        constants |= c.constants(read(name))
    for path, content in constants.items():
        (folder / path).write_bytes(content)
    headers = [path for path in constants if path.endswith(".h")]
    records = ", ".join(f"&{c.bundle_name(read(name))}" for name in NAMES)
    lines = [f'#include "{path}"' for path in headers]
    lines.append(f"static const onwrist_bundle *const BUNDLES[] = {{{records}}};")
    (folder / "bundles.h").write_text("\n".join(lines) + "\n")
    data(folder)
    sources = [HERE / "c/play.c", *host(), SOURCES / f"onwrist_{kind}.c"]
    sources += [HERE / "c/no_signatures.c"] * (kind == "tflite")
    sources += [folder / path for path in constants if path.endswith(".c")]
    defined = (f"-DSELFTEST_ENGINE=onwrist_{kind}", f"-I{folder}", *flags)
    libraries = [engine, f"-Wl,-rpath,{engine.parent}", *linking]
    return build(folder / "play", sources, defined, libraries, cc)


def window(
    values: Any,
    start: float | None = None,
    midnight: float = 0.0,
    impute: bool = False,
    baseline: Any = None,
) -> Words:
    """A window to predict on."""
    words = ["W", number(start), number(midnight), str(int(impute))]
    words.append(str(int(baseline is not None)))
    known = [] if baseline is None else np.asarray(baseline, float).ravel().tolist()
    return [*words, *numbers(known), *numbers(np.asarray(values, float).ravel().tolist())]


def stream(
    actions: Sequence[Words],
    channels: int,
    hop: float = 0.0,
    lateness: float = 2.0,
    mode: str | None = None,
    midnight: float = 0.0,
    impute: bool = False,
    rates: Sequence[float] | None = None,
) -> Words:
    """A stream, and what is done to it."""
    words = ["T", *numbers((hop, lateness)), str(MODES[mode]), number(midnight)]
    words += [str(int(impute)), *numbers(rates or [0.0] * channels), str(len(actions))]
    return [*words, *(word for action in actions for word in action)]


def push(name: str, times: Any, samples: Any) -> Words:
    """Samples of a channel, or of a sensor."""
    values = np.asarray(samples, float)
    width = values.shape[1] if values.ndim > 1 else 1
    words = ["P", text(name), str(width), str(len(times))]
    return [*words, *numbers(np.asarray(times, float).tolist()), *numbers(values.ravel())]


def flush(at_least_one: bool = False) -> Words:
    """Settle every sample."""
    return ["F", str(int(at_least_one))]


RESET: Words = ["R"]


def play(
    program: Sequence[str | Path],
    name: str,
    folder: Path,
    requests: Sequence[Words],
    how: str = "",
) -> list[Case]:
    """What the program says: of its proof first, then of each window and action."""
    asked = "\n".join(" ".join(words) for words in [*requests, ["."]])
    command = [*map(str, program), name, str(folder / name), *([how] if how else [])]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"play ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
