"""Every TFLite file of the shipped bundles in TFLite-Micro and tflite-runtime themselves.

    python benchmarks/micro.py                      # all shipped bundles
    python benchmarks/micro.py BUNDLE ... -o benchmarks/results/micro

Each engine has an environment of its own beside the repository's, made on first use, and each
file a process of its own. Files run on the golden inputs of their bundle, a step over the
stream of its golden steps, against LiteRT here. Bytes of an arena are those of the smallest
that loads the file, of what lies in it what the recording allocator counts; bytes of flash are
those of the file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from common import identity, listed, save, shipped, table, versions

from onwrist.bench.machine import processor_name
from onwrist.bundles import find
from onwrist_export.packing.trials import try_bundle
from onwrist_export.quantization.elsewhere import PACKAGES, environment
from onwrist_export.quantization.parity import OFF_ROUNDING_OTHERWISE, Trial
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import EngineError, OnwristError

REPOSITORY = Path(__file__).parents[1]
MICRO = "tflite-micro"
HEADER = (
    "file",
    "suits",
    "limited int8 off",
    "any int8 off",
    "all int8 equal",
    "float outputs off",
    "arena bytes (tensors, kept)",
    "flash bytes",
)
HOW = f"""\
A file suits an engine if it loads and runs there, its int8 outputs are at most
{OFF_ROUNDING_OTHERWISE} steps off LiteRT's (of windows and steps those that each stage ends
with, of days those of every layer), and its outputs, windows that abstain among them, are
within the loose tolerances of the bundle. What does not suit is not claimed; each size of such
a file is then tried alone: `onwrist_export.quantization.flatbuffer.sizes` cuts them out.

TFLite-Micro plans memory only for the first graph of a file, and what that calls. Kernels of
the other graphs are left without the memory they asked for, and the process ends.

Arenas are the smallest that load in the x86-64 interpreter with the reference kernels. What it
keeps beside the tensors holds records with pointers, which are smaller where a pointer has four
bytes; kernels of other processors may ask for more. The code of the interpreter and its kernels
comes on top of the flash bytes, and was not measured: the package holds all kernels at once.
"""


def bundle_text(opened: Bundle, trials: Sequence[Trial]) -> str:
    """The tables of one bundle, by engine, and its sums."""
    text = f"## {identity(opened)}\n"
    for engine in dict.fromkeys(trial.engine for trial in trials):
        chosen = [trial for trial in trials if trial.engine == engine]
        text += f"\n{engine} {chosen[0].version}:\n\n{table(HEADER, map(cells, chosen))}"
    files = {trial.file: trial.flash for trial in trials if not trial.size}
    text += f"\nFlash of the files: {sum(files.values()):,} bytes.\n"
    largest = largest_sizes(trials)
    if largest:
        arenas, heads, tails = (
            [getattr(t, part) for t in largest] for part in ("arena", "head", "tail")
        )
        text += (
            f"\nAll of it in TFLite-Micro ({'; '.join(map(name, largest))}): "
            f"{sum(t.flash for t in largest):,} bytes of flash, {sum(arenas):,} of "
            f"arenas, or {max(heads) + sum(tails):,} where graphs share one arena and take "
            "turns (computed: the most of the tensors, the sum of what is kept).\n"
        )
    variables = "VAR_HANDLE" in {kernel for trial in trials for kernel in trial.operators}
    text += f"\nResource variables: {'some' if variables else 'none'}.\n"
    kernels = sorted({kernel for trial in trials for kernel in trial.operators})
    return f"{text}\nKernels ({len(kernels)}): {', '.join(kernels)}.\n"


def largest_sizes(trials: Iterable[Trial]) -> list[Trial]:
    """Of each file what runs in TFLite-Micro, in its largest size."""
    found: dict[str, Trial] = {}
    for trial in trials:
        if trial.engine == MICRO and trial.claimed:
            before = found.get(trial.file)
            if before is None or int(trial.size) > int(before.size):
                found[trial.file] = trial
    return list(found.values())


def name(trial: Trial) -> str:
    return f"{trial.file}, size {trial.size} alone" if trial.size else trial.file


def cells(trial: Trial) -> list[str]:
    suits = "yes" if trial.claimed else f"no: {trial.reason}"
    if trial.agreement is None:
        return [name(trial), suits, *[""] * 5, f"{trial.flash:,}"]
    outputs = trial.agreement.outputs.items()
    return [
        name(trial),
        suits,
        str(trial.off),
        str(trial.agreement.off),
        f"{trial.agreement.equal:.2%}",
        ", ".join(f"{output} {off:.2g}" for output, off in outputs),
        "" if trial.arena is None else f"{trial.arena:,} ({trial.head:,}, {trial.tail:,})",
        f"{trial.flash:,}",
    ]


def environments() -> tuple[dict[str, str], dict[str, str]]:
    """The Python of each engine, and why there is none for an engine."""
    pythons, missing = {}, {}
    for engine in PACKAGES:
        folder = REPOSITORY / f".venv-{engine.removeprefix('tflite-')}"
        try:
            pythons[engine] = str(environment(engine, folder))
        except EngineError as error:
            missing[f"no {engine}"] = str(error)
    return pythons, missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "bundles", nargs="*", metavar="BUNDLE", help="default: all shipped ones"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    pythons, missing = environments()
    if not pythons:
        print(f"micro: error: {'; '.join(missing.values())}", file=sys.stderr)
        return 2
    found: dict[str, list[Trial]] = {}
    text = ""
    try:
        for path in [find(name) for name in arguments.bundles] or shipped():
            opened = bundle.read(path)
            trials = [
                trial
                for engine, python in pythons.items()
                for each in try_bundle(opened, engine, python).values()
                for trial in each
            ]
            found[identity(opened)] = trials
            text += f"\n{bundle_text(opened, trials)}"
    except OnwristError as error:
        print(f"micro: error: {error}", file=sys.stderr)
        return 2
    packages = ", ".join(f"{package} {number}" for package, number in versions().items())
    what = {"processor": processor_name(), "versions": packages, **missing}
    text = f"# TFLite-Micro\n\n{listed(what)}\n{HOW}{text}"
    print(text)
    if arguments.output:
        save(
            arguments.output, text, {"conditions": what, "bundles": msgspec.to_builtins(found)}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
