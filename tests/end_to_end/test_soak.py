"""A wrist that sends for hours: memory stays flat, and the end is as good as the start.

The same minute comes again and again, so that what it gives can be compared to the byte. It
is a whole number of steps, and of samples of every sensor.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HOURS = 6
MOST_GROWTH = 2.0  # MB

# In a process of its own, whose memory is the stream's. Every burst is 1.28 s of each sensor;
# sensors come in any order, and the last sample of a burst comes once more with the next.
WORN = """
import hashlib, json, os, random, sys
import numpy as np
import onwrist
from onwrist.simulate import simulate

PERIOD, BURST = 64.0, 1.28
START = 2.0**20  # seconds, of a clock that began with the device

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def minute():
    signals = simulate(PERIOD, dropout=(22.0, 42.0), dies={}).signals
    acc = np.stack([signals[f"acc_{axis}"].values for axis in "xyz"], axis=1)
    named = {x: (signals[x].times, signals[x].values) for x in ("ppg", "eda", "temp")}
    named["acc"] = signals["acc_x"].times, acc
    bursts = []
    for k in range(round(PERIOD / BURST)):
        burst = []
        for name, (times, values) in named.items():
            begin, end = times.searchsorted([k * BURST, (k + 1) * BURST])
            part = slice(max(begin - 1, 0), end)
            if begin < end:
                burst.append((name, times[part], values[part]))
        bursts.append(burst)
    return bursts, len(named["ppg"][0])

model = onwrist.load()
stream = model.stream(hop=BURST)
(bursts, ppg), order = minute(), random.Random(0)
memory, minutes, periods = [], [], round(float(sys.argv[1]) * 3600 / PERIOD)
for period in range(periods):
    start, told = START + period * PERIOD, []
    for burst in bursts:
        order.shuffle(burst)
        for name, times, samples in burst:
            for prediction in stream.push(name, start + times, samples):
                phase = round((prediction.end - start) * model.rate)
                embedding = hashlib.sha256(prediction.embedding.tobytes()).hexdigest()
                told.append([phase, embedding, prediction["heart_rate"].value])
    if (period + 1) * PERIOD >= (len(memory) + 1) * 3600:
        memory.append(resident())
        minutes.append(told)
print(json.dumps({
    "memory": memory,
    "minutes": minutes,
    "late": sum(counters.late for counters in stream.counters.values()),
    "taken": stream.counters["ppg"].samples,
    "sent": periods * ppg,
    "periods": periods,
}))
"""


def test_hours_pass_without_a_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORN, str(HOURS)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    told = json.loads(done.stdout)
    memory, minutes = told["memory"], told["minutes"]
    assert len(memory) == HOURS
    assert max(memory) - memory[0] <= MOST_GROWTH
    assert told["late"] == told["periods"]  # what comes again only after the hole in ppg
    assert told["taken"] == told["sent"]
    first = minutes[0]
    assert len(first) == 50
    assert sum(rate is not None for _, _, rate in first) > 20
    for later in minutes[1:]:
        assert later == first
