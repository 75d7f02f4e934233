"""What the tests of the Arm lane share: the lane, recordings, and each machine's outputs.

A machine and an engine are one process that does everything, since it takes seconds to
start; as many run at once as there are processors, begun before the first is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from machines import ARM, BUNDLES, ENGINES, HERE, NARROW, OLD_X86, SCRIPT, Outputs, run
from run_bundles import Arrays, part

from onwrist import readers
from onwrist.recording import Recording
from onwrist.simulate import body, days, simulate
from onwrist_runtime import bundle as bundles


@pytest.fixture(scope="session")
def lane() -> Path:
    """What benchmarks/arm/lane.sh has made."""
    if "ONWRIST_ARM" not in os.environ:
        pytest.skip("the emulated Arm lane runs for minutes: make test-arm")
    return Path(os.environ["ONWRIST_ARM"]).resolve()


@pytest.fixture(scope="session")
def recordings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder for each bundle: a simulated wearer, and a real one where there is one."""
    folder = tmp_path_factory.mktemp("recordings")
    wrists, minutes = [simulate(seed=0)], [days(1, seed=1, seconds=True)]
    bodies = [body(seed=0)]
    try:
        data = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        pass
    else:
        wrists.append(_cut(data / "stress_predict_e4/S06.npz", None, 1200.0, 150.0))
        grid = data / "fitbit_furberg2016/fitbit_minute_grid.npz"
        minutes.append(_cut(grid, "2022484408", 3 * 86_400.0, 86_400.0))
        trial = (
            data
            / "umafall/raw_format/UMAFall_Subject_01_ADL_Aplausing_1_2017-04-14_23-38-23.csv"
        )
        bodies.append(readers.read(trial))
    for path in BUNDLES.glob("*.onwrist"):
        (folder / path.stem).mkdir()
        manifest = bundles.read(path).manifest
        worn = bodies if manifest.fusion is not None else wrists
        for recording in worn if manifest.tokens is None else minutes:
            readers.write_recording(recording, folder / path.stem)
    return folder


def _cut(path: Path, user: str | None, after: float, seconds: float) -> Recording:
    """So many seconds of a recording, after so many."""
    recording = readers.read(path, user=user)
    begin = recording.start + after
    signals = part(recording.signals, begin, begin + seconds)
    return Recording(recording.name, recording.subject, signals)


@pytest.fixture(scope="session")
def outputs(
    lane: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outputs]:
    """What run_bundles.py gives, by machine and engine."""
    folder = tmp_path_factory.mktemp("outputs")

    def given(machine: str, engine: str) -> Arrays:
        target = folder / f"{machine} {engine}.npz"
        run(lane, machine, SCRIPT, engine, BUNDLES, recordings, target)
        with np.load(target) as arrays:
            return dict(arrays)

    cases = [(machine, engine) for machine in (HERE, *ARM, OLD_X86) for engine in ENGINES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {case: pool.submit(given, *case) for case in [*cases, NARROW]}
        pool.shutdown(cancel_futures=True)
