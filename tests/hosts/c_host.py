"""Vectors in, what the C host makes of them out; and the C host compiled.

    python tests/hosts/c_host.py CASES.json            the results of all cases, as JSON
    python tests/hosts/c_host.py --check CASES.json    a line for each case that differs, exit 1

CASES.json is a file of `tests/vectors`, or one like it. A case becomes words that
`c/vectors.c` reads, since a host in C parses no JSON; what it prints is given the shape that
the vectors have.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from c_words import action_words, words_of

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "sdk/onwrist/hosts/c"
VECTORS = HERE.parent / "vectors"
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2")
SANITIZED = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
ENGINES = ("onwrist_litert.c", "onwrist_tflite.c")

Case = dict[str, Any]


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return shutil.which("gcc") or shutil.which("cc")


def build(
    target: Path,
    sources: Iterable[Path],
    flags: Sequence[str] = STRICT,
    libraries: Sequence[str | Path] = (),
    cc: Sequence[str] | None = None,
) -> Path:
    """Compile and link a program with the host.

    Raises
    ------
    RuntimeError
        The compiler's complaints.
    """
    command = [*(cc or [str(compiler())]), *flags, f"-I{SOURCES}", *map(str, sources)]
    command += ["-o", str(target), *map(str, libraries), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return target


def host(*left_out: str) -> list[Path]:
    """The host's sources without the engines and these."""
    skipped = {*ENGINES, *left_out}
    return [path for path in sorted(SOURCES.glob("*.c")) if path.name not in skipped]


def runner(
    folder: Path, flags: Sequence[str] = STRICT, cc: Sequence[str] | None = None
) -> Path:
    """The program that replays vectors."""
    sources = [HERE / "c/vectors.c", HERE / "c/stream_case.c", *host("onwrist_stream.c")]
    return build(folder / "vectors", sources, flags, cc=cc)


# What comes back


def _shaped(case: Case, found: Any) -> Any:
    """As the vectors have it."""
    if "plausible" in case and "values" in case:
        sensors = dict.fromkeys(record["sensor"] for record in case["plausible"])
        channels = _judged_sensors(case)
        return {s: found[channels.index(s)] for s in sensors if found[channels.index(s)]}
    if "counts" in case:
        tasks = case["tasks"]
        calibrated = zip(tasks, found["calibrated"], strict=True)
        return found | {
            "calibrated": [name for name, is_ in calibrated if is_],
            "scales": {f"{x}_scale": y for x, y in zip(tasks, found["scales"], strict=True)},
            "reasons": dict(zip(case["rows"], found["reasons"], strict=True)),
        }
    if "actions" not in case:
        return found
    names = [channel["name"] for channel in case["manifest"]["channels"]]
    said = iter(found["after"])
    after = []
    for action in case["actions"]:
        told = {"due": [], "refused": True}
        if action_words(action, case["manifest"]) is not None:
            told = next(said)
        after.append({"refused": True} if told["refused"] else told)
    return found | {
        "after": after,
        "counters": dict(zip(names, found["counters"], strict=True)),
        "staleness": dict(zip(names, found["staleness"], strict=True)),
    }


def _judged_sensors(case: Case) -> list[str]:
    sensor = {
        name: record["sensor"]
        for record in case["plausible"]
        for name in (*record["acceleration"], *record["turning"])
    }
    return list(dict.fromkeys(sensor.get(name, "other") for name in case["channels"]))


def replay(cases: Sequence[Case], program: Sequence[str | Path]) -> list[Any]:
    """What the C host gives for each case: its `expected`."""
    words = "\n".join(" ".join(words_of(case)) for case in cases)
    done = subprocess.run(
        [str(part) for part in program],
        input=words + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the C host ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = done.stdout.splitlines()
    return [_shaped(case, json.loads(line)) for case, line in zip(cases, lines, strict=True)]


def cases_of(path: Path) -> list[Case]:
    """All cases of a file of vectors, or the cases themselves."""
    given = json.loads(path.read_text(encoding="utf-8"))
    parts = given.values() if isinstance(given, dict) else [given]
    return [case for part in parts if isinstance(part, list) for case in part if _is_case(case)]


def _is_case(case: Any) -> bool:
    return isinstance(case, dict)


def main(arguments: Sequence[str], program: Path | None = None) -> int:
    """The command line; `program` is a runner that is built already."""
    check = arguments[:1] == ["--check"]
    paths = arguments[check:]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    cases = cases_of(Path(paths[0]))
    with tempfile.TemporaryDirectory() as folder:
        found = replay(cases, [program or runner(Path(folder))])
    if not check:
        print(json.dumps(found))
        return 0
    sys.path.append(str(VECTORS))
    from stream_replay import apart

    failed = 0
    for case, given in zip(cases, found, strict=True):
        off = apart(given, case["expected"])
        failed += bool(off)
        for line in off[:1]:
            print(f"{case['name']}: {line}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
