"""A stream in JavaScript, with real graphs, tells what a stream in Python tells."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onwrist.bundles import find
from onwrist_runtime import load

REPOSITORY = Path(__file__).parents[2]
TSC = REPOSITORY / "node_modules" / "typescript" / "bin" / "tsc"
PACKAGE = REPOSITORY / "sdk" / "onwrist" / "hosts" / "typescript"
SCRIPT = Path(__file__).parent / "typescript" / "run_stream.mjs"
EPOCH = 1_644_226_061.37
BUNDLE = "wrist-himae-small"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not TSC.is_file(),
    reason="node or node_modules is absent: npm ci",
)

Push = tuple[str, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built."""
    out = tmp_path_factory.mktemp("dist")
    (out / "package.json").write_text('{"type": "module"}')
    command = ["node", str(TSC), "-p", str(PACKAGE), "--outDir", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return out


def pushes(manifest: Any) -> list[Push]:
    """Forty seconds of all sensors: jitter, missing samples, a gap, bursts, some too late."""
    draw = np.random.default_rng(5)
    found: list[tuple[float, Push]] = []
    for sensor in manifest.sensors:
        rows = manifest.rows(sensor)
        rate = manifest.channels[rows[0]].rate
        times = EPOCH + np.arange(int(40 * rate)) / rate
        times += draw.uniform(-0.2, 0.2, len(times)) / rate
        values = 30 + draw.normal(size=(len(times), len(rows)))
        if sensor == "ppg":
            values = 300 * np.sin(7.5 * (times - EPOCH))[:, np.newaxis] + values
        values[draw.random(len(times)) < 0.01] = np.nan
        if sensor != "ppg":
            kept = (times < EPOCH + 15) | (times > EPOCH + 22)
            times, values = times[kept], values[kept]
        size = max(1, int(2.3 * rate))
        for begin in range(0, len(times), size):
            part = slice(begin, begin + size)
            one = (sensor, times[part], values[part].astype(np.float32))
            found.append((times[part][-1] + draw.uniform(0, 2.5), one))
    return [one for _, one in sorted(found, key=lambda x: x[0])]


@pytest.mark.parametrize("mode", ["step", "window"])
def test_a_stream_tells_what_pythons_tells(mode: Any, dist: Path) -> None:
    model = load(find(BUNDLE), "onnxruntime")
    given = pushes(model.manifest)
    stream, wanted = model.stream(hop=2.56, mode=mode), []
    for name, times, values in given:
        samples = values if values.shape[1] > 1 else values[:, 0]
        wanted += list(stream.push(name, times, samples))
    wanted += list(stream.flush())
    asked = {
        "mode": mode,
        "hop": 2.56,
        "pushes": [
            [name, times.tolist(), [None if np.isnan(x) else float(x) for x in values.ravel()]]
            for name, times, values in given
        ],
    }
    command = ["node", str(SCRIPT), str(dist), str(find(BUNDLE))]
    done = subprocess.run(
        command,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["counters"] == {name: asdict(x) for name, x in stream.counters.items()}
    assert told["staleness"] == stream.staleness
    assert told["latency"] == stream.latency
    late = [x.late for x in stream.counters.values()]
    assert max(late) > 0
    grid, observed = stream._rolling.grid
    assert told["window"]["observed"] == observed.ravel().astype(int).tolist()
    assert told["window"]["values"] == grid.ravel().astype(float).tolist()
    np.testing.assert_allclose(told["baseline"], stream.baseline.ravel(), rtol=1e-12)

    loose = model.manifest.golden.loose
    assert len(told["predictions"]) == len(wanted) > 8
    for found, one in zip(told["predictions"], wanted, strict=True):
        assert (found["start"], found["end"]) == (one.start, one.end)
        assert found["coverage"] == one.coverage
        assert found["sensors"] == {name: asdict(x) for name, x in one.sensors.items()}
        assert found["model"] == asdict(one.model)
        tolerance = model.manifest.golden.tolerance["embedding"]
        assert np.abs(np.array(found["embedding"]) - one.embedding).max() <= tolerance
        for name, result in one.tasks.items():
            answer = found["tasks"][name]
            assert (answer["label"], answer["abstained"]) == (result.label, result.abstained)
            assert answer["value"] == pytest.approx(result.value, abs=loose[name])
            assert answer["confidence"] == pytest.approx(result.confidence, abs=loose[name])
