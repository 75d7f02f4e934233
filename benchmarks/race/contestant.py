"""One contestant in a process of its own: its outputs first, and then a turn for each line.

    python -m race.contestant ENGINE FILE INPUTS.npz FOUND.npz OUTPUT...

FOUND.npz gets every output of every window. Then the process says "ready", waits, and answers
each line "COUNT IDLE" of its input by the times of a turn in JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from turns import turn

from race.engines import open_engine

WARM_UP = 50


def main() -> None:
    engine, file, given, found = sys.argv[1], *map(Path, sys.argv[2:5])
    outputs = sys.argv[5:]
    # engines write to the standard output: what the parent reads is kept out of their reach
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with np.load(given) as windows:
        inputs = {name: np.ascontiguousarray(windows[name]) for name in windows.files}
    bind = open_engine(engine, file, list(inputs), outputs)
    runs = [
        _named(bind({name: value[k] for name, value in inputs.items()})())
        for k in range(len(inputs["values"]))
    ]
    np.savez(found, **{name: np.stack([run[name] for run in runs]) for name in runs[0]})
    call = bind({name: value[0] for name, value in inputs.items()})
    for _ in range(WARM_UP):
        call()
    print("ready", file=answers)
    for line in sys.stdin:
        count, idle = line.split()
        print(json.dumps(turn(call, int(count), float(idle))), file=answers)


def _named(result: object) -> dict[str, np.ndarray]:
    """Outputs by name; of a prediction the embedding, which nothing has been done to."""
    if isinstance(result, dict):
        return {name: np.array(value) for name, value in result.items()}
    return {"embedding": result.embedding[np.newaxis]}


if __name__ == "__main__":
    main()
