"""`onwrist stream`: lines and recordings in, predictions out as they come due."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist import InputError, Model, Prediction, Recording, Signal, load, readers
from onwrist.cli import main
from onwrist.commands import output
from onwrist.commands.replay import bursts
from onwrist.lines import LONGEST_LINE, Lines, Samples, together
from onwrist.live import View
from onwrist.simulate import simulate

Capture = pytest.CaptureFixture[str]
SECONDS = 9.0


@pytest.fixture(scope="module")
def model(toy_bundle: Path) -> Model:
    return load(toy_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def wrist() -> Recording:
    """Nine seconds in which ppg is silent for two."""
    return simulate(SECONDS, dropout=(3.0, 5.0), dies={})


Row = tuple[float, str, list[float]]


def rows(recording: Recording) -> list[Row]:
    """Time, sensor and values of each sample, in the order of time."""
    s = recording.signals
    found: list[Row] = []
    for t, v in zip(s["ppg"].times.tolist(), s["ppg"].values.tolist(), strict=True):
        found.append((t, "ppg", [v]))
    axes = np.stack([s["acc_x"].values, s["acc_y"].values], axis=1).tolist()
    found += [(t, "acc", xy) for t, xy in zip(s["acc_x"].times.tolist(), axes, strict=True)]
    return sorted(found)


def as_jsonl(samples: Sequence[Row]) -> str:
    objects = [{"sensor": name, "time": t, "values": values} for t, name, values in samples]
    return "".join(json.dumps(x) + "\n" for x in objects)


def as_bursts(samples: Sequence[Row]) -> str:
    """A line each half second and sensor, ppg as bare numbers, acc by channel."""
    text = ""
    for begin in np.arange(0, SECONDS, 0.5):
        for name, axis, channel in (
            ("ppg", 0, "ppg"),
            ("acc", 0, "acc_x"),
            ("acc", 1, "acc_y"),
        ):
            part = [x for x in samples if x[1] == name and begin <= x[0] < begin + 0.5]
            times, values = [x[0] for x in part], [x[2][axis] for x in part]
            text += json.dumps({"sensor": channel, "times": times, "values": values}) + "\n"
    return text


def as_long(samples: Sequence[Row]) -> str:
    lines = [",".join([name, repr(t), *map(repr, values)]) for t, name, values in samples]
    return "sensor,time,value,value\n" + "\n".join(lines)


def as_wide(samples: Sequence[Row]) -> str:
    cells: dict[float, list[str]] = {}
    for t, name, values in samples:
        row = cells.setdefault(t, ["", "", ""])
        row[slice(0, 1) if name == "ppg" else slice(1, 3)] = map(repr, values)
    lines = [f"{x};{t!r};{p};{y};" for t, (p, x, y) in cells.items()]
    return "\ufeffAccel X [g];Time;BVP;acc_y;note\r\n" + "\r\n\r\n".join(lines) + "\r\n"


FORMS = [as_jsonl, as_bursts, as_long, as_wide]


def said(predictions: Sequence[Prediction], model: Model) -> list[Any]:
    """As JSON says it."""
    found = [output.as_json(x, model.manifest) for x in predictions]
    return [json.loads(json.dumps(x)) for x in found]


def one_by_one(model: Model, samples: Sequence[Row], **options: Any) -> list[list[Prediction]]:
    """What the library gives after each sample, and at the end."""
    live = model.stream(**options)
    found = [list(live.push(name, [t], [values])) for t, name, values in samples]
    return [*found, list(live.flush())]


def flat(found: Sequence[Sequence[Prediction]]) -> list[Prediction]:
    return [x for each in found for x in each]


def command(bundle: Path, *arguments: object) -> list[str]:
    words = [sys.executable, "-m", "onwrist", "stream", "--bundle", bundle, *arguments]
    return [str(word) for word in words]


def begin(bundle: Path, *arguments: object) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    # With that variable, output that waits in a buffer would not be noticed.
    buffered = {name: x for name, x in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = command(bundle, *arguments)
    return subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=buffered
    )


def read_lines(process: subprocess.Popen[bytes], count: int) -> list[Any]:
    """So many objects, while the process goes on waiting for more input."""
    assert process.stdout is not None
    text = b""
    while text.count(b"\n") < count:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, f"no prediction came: {text!r}"
        chunk = os.read(process.stdout.fileno(), 65536)
        assert chunk, "the output ended"
        text += chunk
    assert process.poll() is None
    return [json.loads(line) for line in text.splitlines()]


def streamed(bundle: Path, text: str, *arguments: object) -> tuple[list[Any], str]:
    """Objects and stderr of a stream of lines that must succeed."""
    done = subprocess.run(
        command(bundle, "--json", *arguments), input=text.encode(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


@pytest.fixture
def typed(
    toy_bundle: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process on some input; exit code, stdout and stderr."""

    def run(text: str | bytes, *arguments: object) -> tuple[int, str, str]:
        path = tmp_path / "lines"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        words = ["stream", "--bundle", toy_bundle, *arguments]
        with path.open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                code = main([str(word) for word in words])
            except SystemExit as wrong_use:  # argparse
                code = int(wrong_use.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


# Lines


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_the_library_gives(
    form: Callable[[Sequence[Row]], str], model: Model, toy_bundle: Path, wrist: Recording
) -> None:
    expected = said(flat(one_by_one(model, rows(wrist))), model)
    assert len(expected) == 8
    assert {x["coverage"]["ppg"] for x in expected} > {1.0}
    assert streamed(toy_bundle, form(rows(wrist)))[0] == expected


def test_no_line_waits_for_a_later_one(
    model: Model, toy_bundle: Path, wrist: Recording
) -> None:
    samples = rows(wrist)
    *due, rest = one_by_one(model, samples, lateness=0.5)
    process = begin(toy_bundle, "--json", "--lateness", 0.5)
    assert process.stdin is not None
    for sample, expected in zip(samples, due, strict=True):
        process.stdin.write(as_jsonl([sample]).encode())
        if expected:
            assert read_lines(process, len(expected)) == said(expected, model)
    out, err = process.communicate(timeout=60)
    assert [json.loads(line) for line in out.splitlines()] == said(rest, model)
    assert len(rest) < sum(map(len, due))
    assert (process.returncode, err) == (0, b"")


def test_options_reach_the_stream(model: Model, toy_bundle: Path, wrist: Recording) -> None:
    halved = [x for x in rows(wrist) if x[1] == "acc" or x[0] * 32 % 1 == 0]
    options = {"hop": 0.4, "lateness": 0.0, "rates": {"ppg": 32.0}}
    expected = said(flat(one_by_one(model, halved, **options)), model)
    arguments = ["--hop", 0.4, "--lateness", 0, "--rate", "ppg=32", "--mode", "window"]
    found, _ = streamed(toy_bundle, as_long(halved), *arguments, "--input", "csv")
    assert found == expected
    assert found != said(flat(one_by_one(model, halved, hop=0.4, lateness=0.0)), model)


def test_late_lines_are_told(model: Model, toy_bundle: Path, wrist: Recording) -> None:
    samples = rows(wrist)
    samples = [x for x in samples if x[1] == "ppg"] + [x for x in samples if x[1] == "acc"]
    expected = said(flat(one_by_one(model, samples)), model)
    found, err = streamed(toy_bundle, as_long(samples))
    assert found == expected
    assert f"dropped: {7 * 32} of acc_x, {7 * 32} of acc_y; --lateness" in err
    assert "late" not in streamed(toy_bundle, as_long(samples), "--lateness", SECONDS)[1]


def test_columns_can_be_named(model: Model, toy_bundle: Path, wrist: Recording) -> None:
    ppg = [x for x in rows(wrist) if x[1] == "ppg"]
    text = "clock [ms]\tLED 1\n" + "".join(f"{1000 * t!r}\t{v[0]!r}\n" for t, _, v in ppg)
    columns = ["--column", "time=clock [ms]", "--column", "ppg=LED 1"]
    assert streamed(toy_bundle, text, *columns)[0] == said(flat(one_by_one(model, ppg)), model)


def test_columns_of_no_channel_are_told(typed: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = typed("time,ppg,note\n0,1,asleep\n")
    assert code == 0
    assert "columns 'note' are not used" in err
    assert "no prediction: the samples span less than one window of 2 s" in err


def test_a_pulse_of_zero_is_not_a_sample(
    typed: Callable[..., tuple[int, str, str]], day_bundle: Path
) -> None:
    rows = "".join(f"{60 * k},{3 if k % 2 else -3},{0 if k < 60 else 70}\n" for k in range(240))
    options = ("--bundle", day_bundle, "--json")
    code, out, err = typed(f"time,steps,heart_rate\n{rows}", *options)
    assert code == 0
    assert "60 samples of heart_rate outside 25 to 250 bpm count as missing" in err
    assert "120 samples of steps outside 0 to 1000 steps a minute count as missing" in err
    coverage = json.loads(out.splitlines()[-1])["coverage"]
    assert coverage == pytest.approx({"steps": 1 / 12, "intensity": 0, "heart_rate": 1 / 8})


BAD = [
    ("nonsense", "malformed"),
    ("[1]", "Expected `object`"),
    ('{"sensor": "pgg", "time": 9, "values": 1}', "no channel or sensor 'pgg'"),
    ('{"sensor": "ppg", "time": 9}', "missing required field `values`"),
    ('{"sensor": "ppg", "time": 9, "value": 1}', "unknown field `value`"),
    ('{"sensor": "ppg", "values": 1}', "either 'time'"),
    ('{"sensor": "ppg", "time": 9, "times": [9], "values": [1]}', "either 'time'"),
    ('{"sensor": "ppg", "time": 9, "values": [1, 2]}', "one number"),
    ('{"sensor": "acc", "time": 9, "values": 1}', "2 numbers"),
    ('{"sensor": "acc", "times": [9, 10], "values": [1, 2]}', "2 numbers"),
    ('{"sensor": "acc", "times": [9, 10], "values": [[1, 2], [1]]}', "not of one length"),
    ('{"sensor": "ppg", "times": [9, 10], "values": [1]}', "each of the 2 times"),
    ('{"sensor": "ppg", "time": 9, "values": NaN}', "malformed"),
    ('{"sensor": "ppg", "time": 9, "values": 1e30}', "below 1e+15"),
    ('{"sensor": "ppg", "time": 1.7e12, "values": 1}', "milliseconds, perhaps?"),
    ('{"sensor": "ppg", "time": 1.7e9, "values": 1}', "one clock"),
]


@pytest.mark.parametrize(("line", "word"), BAD)
def test_a_bad_line_ends_the_stream_after_what_came_before(
    line: str, word: str, model: Model, wrist: Recording,
    typed: Callable[..., tuple[int, str, str]],
) -> None:  # fmt: skip
    samples = rows(wrist)
    *due, _ = one_by_one(model, samples)
    text = as_jsonl(samples)
    code, out, err = typed(text + line + "\n" + text, "--json")
    assert code == 2
    assert [json.loads(x) for x in out.splitlines()] == said(flat(due), model)
    assert f"error: line {len(samples) + 1}: " in err
    assert word in err
    assert line in err


BAD_CSV = [
    ("time,ppg\n0,1\n1,x", "line 3: 'x' where a number of ppg belongs: 1,x"),
    ("time,ppg\n0,1\nnoon,1", "line 3: 'noon' where a time in seconds belongs: noon,1"),
    ("time,ppg\n0,1\n,1", "line 3: '' where a time"),
    ("time,ppg\n0,1\nnan,1", "line 3: "),
    ("time,ppg\n0,1\n1,2,3", "line 3: 3 cells, but the header has 2: 1,2,3"),
    ("time,ppg\n0,1\n1,inf", "line 3: "),
    ("ppg\n0", "line 1: the header: no time column among ['ppg']"),
    ("time,volts\n0,1", 'say which is which: --column "ppg=HEADER": time,volts'),
    ("time,ppg,ppg\n0,1,1", "line 1: "),
    ("time,acc_x [stone]\n0,1", "'stone'"),
    ("sensor,time,value\nacc,0,1", "line 2: 1 values, but a sample of 'acc' has 2: acc,0,1"),
    ("sensor,time,value,value\nppg,0,1,1", "line 2: 2 values, but a sample of 'ppg' has 1"),
    ("sensor,time,value\nwrist,0,1", "line 2: there is no channel or sensor 'wrist'"),
    ("sensor,time,value [mg]\nacc_x,0,1", "line 1: values under 'sensor'"),
    ("sensor,time,value\nppg", "line 2: 1 cells"),
    (b"time,ppg\n0,\xff1", "line 2: this is no UTF-8 text: 0,\\xff1"),
    ("", "no samples came"),
    ("time,ppg\n\n,\n", "no samples came"),
]


@pytest.mark.parametrize(("text", "words"), BAD_CSV)
def test_bad_tables_are_refused_in_the_users_words(
    text: str | bytes, words: str, typed: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = typed(text)
    assert (code, out) == (2, "")
    assert words in err


def test_a_line_without_end_does_not_fill_the_memory(model: Model) -> None:
    reader = Lines(model.manifest, None, {})
    assert not list(reader.read(b"1" * LONGEST_LINE))
    with pytest.raises(InputError, match=f"line 1 is longer than {LONGEST_LINE} bytes"):
        list(reader.read(b"1"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "2"], "--speed is for replaying"),
        (["x.npz", "--input", "csv"], "not for x.npz"),
        (["x.npz"], "x.npz: no such file"),
        (["--speed", "fast"], "'fast' must be a number above 0, or max"),
        (["--hop", "-1"], "'-1' must be a number of seconds above 0"),
        (["--lateness", "-1"], "not -1"),
        (["--lateness", "nan"], "not nan"),
        (["--rate", "pgg=3"], "'pgg'"),
        (["--mode", "step"], "no step graph in toy"),
        (["--live"], "--live needs a terminal"),
        (["--live", "--json"], "choose one"),
        (["--input", "xml"], "'xml'"),
    ],
)
def test_wrong_use_is_told(
    arguments: list[str], words: str, typed: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = typed("time,ppg\n0,1\n", *arguments)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.filterwarnings("ignore:the columns 'note'")
@settings(max_examples=50)
@given(data=st.data(), form=st.sampled_from(FORMS))
def test_bytes_may_come_in_any_pieces(
    model: Model, wrist: Recording, data: st.DataObject, form: Callable[[Sequence[Row]], str]
) -> None:
    whole = form(rows(wrist)[:40]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    def read(chunks: Sequence[bytes]) -> list[tuple[object, ...]]:
        reader = Lines(model.manifest, None, {})
        given = [x for chunk in [*filter(None, chunks), b""] for x in reader.read(chunk)]
        return [(x.number, x.name, x.times, x.values.tolist()) for x in given]

    assert read(pieces) == read([whole])


@settings(max_examples=50)
@given(data=st.data(), seed=st.integers(0, 2**32), lateness=st.sampled_from([0.0, 0.3, 2.0]))
def test_pushing_together_changes_nothing(
    model: Model, data: st.DataObject, seed: int, lateness: float
) -> None:
    random = np.random.default_rng(seed)
    delay = data.draw(st.sampled_from([0.0, 0.2, 1.0, 4.0]))
    samples = []
    for name, rate, axes in (("ppg", 64.0, 1), ("acc", 32.0, 2), ("acc_x", 32.0, 1)):
        for t in np.arange(0, 5, 1 / rate):
            value = random.normal(size=(1, axes))
            arrives = t + random.uniform(0, delay)
            samples.append((arrives, Samples(name, [t], value, 1, "")))
    arrived = [x for _, x in sorted(samples, key=lambda x: x[0])]
    one, other = (model.stream(lateness=lateness) for _ in range(2))
    for x in arrived:
        list(one.push(x.name, x.times, x.values))
    newest, pushes = -np.inf, 0
    while arrived:
        count = data.draw(st.integers(1, 400))
        chunk, arrived = arrived[:count], arrived[count:]
        for group in together(chunk, newest, lateness):
            times, values = zip(*((x.times, x.values) for x in group), strict=True)
            list(other.push(group[0].name, np.concatenate(times), np.concatenate(values)))
            pushes += 1
        newest = max([newest, *(t for x in chunk for t in x.times)])
    assert one.save() == other.save()
    assert one.counters == other.counters
    assert pushes <= len(samples)


# Recordings


@pytest.fixture
def holed(tmp_path: Path) -> tuple[Path, Recording]:
    """A recording with a gap of all sensors, and one of NaN; ppg not at the bundle's rate."""
    given = simulate(20.0, dropout=None, dies={}).signals
    signals = {}
    for name, x in given.items():
        keep = (x.times < 6.3) | (x.times > 9.9)
        values = np.where((x.times > 12) & (x.times < 15), np.float32(np.nan), x.values)
        signals[name] = Signal(values[keep], x.times[keep] + 1_644_226_061.37, x.rate)
    times = np.arange(0, 20, 1 / 50) + 1_644_226_061.37
    signals["ppg"] = Signal(np.sin(7 * times).astype(np.float32), times, 50.0)
    recording = Recording("holed", None, signals)
    return readers.write_recording(recording, tmp_path), recording


@pytest.mark.parametrize("speed", ["max", "500"])
@pytest.mark.parametrize("lateness", [0.0, 2.0])
def test_a_replay_is_what_the_recording_gives_at_once(
    speed: str, lateness: float, holed: tuple[Path, Recording], model: Model,
    toy_bundle: Path, capsys: Capture,
) -> None:  # fmt: skip
    path, recording = holed
    at_once = model.stream(lateness=lateness, rates={"ppg": 50.0})
    expected = [*at_once.push_recording(recording.signals), *at_once.flush()]
    common = [str(path), "--bundle", str(toy_bundle), "--json"]
    assert main(["stream", *common, "--speed", speed, "--lateness", str(lateness)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 18
    assert found == said(expected, model)
    assert main(["predict", *common]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found


def test_bursts_are_all_samples_second_by_second(holed: tuple[Path, Recording]) -> None:
    _, recording = holed
    signals = {k: x for k, x in recording.signals.items() if k != "ppg"}
    part = Recording("part", None, signals)
    given = list(bursts(part, ["acc_x", "eda"], 1.0))
    seconds = [round(until - part.start, 6) for until, _ in given]
    assert seconds == [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 16, 17, 18, 19, 19.96875]
    for name in ("acc_x", "eda"):
        whole = signals[name]
        real = ~np.isnan(whole.values)
        pieces = [burst[name] for _, burst in given if name in burst]
        np.testing.assert_array_equal(
            np.concatenate([x.values for x in pieces]), whole.values[real]
        )
        np.testing.assert_array_equal(
            np.concatenate([x.times for x in pieces]), whole.times[real]
        )
    for until, burst in given:
        assert burst.keys() <= {"acc_x", "eda"}
        assert all(until - 1 <= x.times[0] and x.times[-1] <= until for x in burst.values())


def test_rows_come_one_a_prediction(
    holed: tuple[Path, Recording], toy_bundle: Path, capsys: Capture
) -> None:
    common = [str(holed[0]), "--bundle", str(toy_bundle)]
    assert main(["stream", *common, "--speed", "max"]) == 0
    header, *shown, rate, stress = capsys.readouterr().out.splitlines()
    for word in ("time", "heart rate, bpm", "stress", "coverage", "abstained"):
        assert word in header
    assert [x.split()[0] for x in shown] == [f"0:{second:02}" for second in range(18)]
    assert "acc 0 %" in shown[7]
    assert "stress: too little of all of: acc_x" in shown[7]
    assert re.fullmatch(r"heart rate: answered in \d+ of 18 windows", rate)
    assert re.fullmatch(r"stress: answered in \d+ of 18 windows", stress)
    header = header.rstrip()
    assert all(x.index("acc") >= header.index("coverage") for x in shown if "acc" in x)


def test_a_recording_of_other_sensors_is_refused(
    tmp_path: Path, toy_bundle: Path, capsys: Capture
) -> None:
    eda = {"eda": simulate(5.0).signals["eda"]}
    path = readers.write_recording(Recording("eda", None, eda), tmp_path)
    assert main(["stream", str(path), "--bundle", str(toy_bundle)]) == 2
    assert "eda has eda, but toy takes ppg, acc_x, acc_y" in capsys.readouterr().err


# How it ends


def test_a_reader_that_leaves_early_is_no_error(toy_bundle: Path, wrist: Recording) -> None:
    process = begin(toy_bundle, "--json", "--lateness", 0.1)
    assert process.stdin is not None
    assert process.stdout is not None
    text = as_jsonl(rows(wrist)).encode()
    process.stdin.write(text[: len(text) // 2])
    read_lines(process, 1)
    process.stdout.close()
    process.stdin.write(text[len(text) // 2 :])
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


def test_ctrl_c_predicts_on_what_has_come(
    model: Model, toy_bundle: Path, wrist: Recording
) -> None:
    *due, rest = one_by_one(model, rows(wrist))
    process = begin(toy_bundle, "--json")
    assert process.stdin is not None
    process.stdin.write(as_jsonl(rows(wrist)).encode())
    # All that is due has come: the command waits, or has the interrupt wait until it does.
    assert read_lines(process, len(flat(due))) == said(flat(due), model)
    process.send_signal(signal.SIGINT)
    # The input does not end: that would end the command as well.
    assert process.wait(60) == 130
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    assert [json.loads(line) for line in out.splitlines()] == said(rest, model)
    assert rest
    assert err == b"onwrist: error: interrupted\n"
    process.stdin.close()


# In a terminal


class Terminal:
    """A command in a terminal of 80 x 24."""

    def __init__(self, words: Sequence[str]) -> None:
        self.child, self.end = pty.fork()
        if self.child == 0:
            os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", LC_ALL="C.UTF-8")
            os.execvp(words[0], list(words))
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def pieces(self) -> Iterator[str]:
        """What it prints until it ends."""
        while True:
            ready, _, _ = select.select([self.end], [], [], 60)
            assert ready, "it hangs"
            try:
                piece = os.read(self.end, 65536)
            except OSError:  # Linux: the other end is closed
                return
            if not piece:
                return
            yield piece.decode(errors="replace")

    def exit_code(self) -> int:
        _, status = os.waitpid(self.child, 0)
        os.close(self.end)
        return os.waitstatus_to_exitcode(status)


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_the_live_view_is_drawn_and_left_whole(
    holed: tuple[Path, Recording], toy_bundle: Path
) -> None:
    terminal = Terminal(command(toy_bundle, holed[0], "--speed", 40))
    shown = "".join(terminal.pieces())
    assert terminal.exit_code() == 0
    assert "Traceback" not in shown
    assert shown.index(HIDE) < shown.index(SHOW)
    for word in ("toy 1.0 in onnxruntime, one window every 1 s, holed at 40 x", "silent for"):
        assert word in shown
    last = shown[shown.rindex("toy 1.0") :]
    assert "0:17" in last
    assert "ended" in last


def test_a_slow_replay_waits_and_ctrl_c_leaves_its_view_clean(
    holed: tuple[Path, Recording], toy_bundle: Path
) -> None:
    terminal = Terminal(command(toy_bundle, holed[0], "--speed", 0.001))
    shown, pressed = "", False
    for piece in terminal.pieces():
        shown += piece
        # Drawn more than once: without a wait the replay would be over by now.
        if shown.count("silent for") > 2 and not pressed:
            os.write(terminal.end, b"\x03")
            pressed = True
    assert terminal.exit_code() == 130
    assert SHOW in shown[shown.rindex(HIDE) :]
    last = shown[shown.rindex("toy 1.0") :]
    assert "the first window is filling" in last
    assert "never came" in last
    assert "interrupted" in shown
    assert "Traceback" not in shown


def test_no_live_prints_rows_in_a_terminal(
    holed: tuple[Path, Recording], toy_bundle: Path
) -> None:
    terminal = Terminal(command(toy_bundle, holed[0], "--speed", "max", "--no-live"))
    shown = "".join(terminal.pieces())
    assert terminal.exit_code() == 0
    assert "\x1b" not in shown
    assert "answered in" in shown


def picture(view: View, **options: Any) -> str:
    from rich.console import Console

    console = Console(record=True, markup=False, file=io.StringIO(), **options)
    console.print(view.picture(console))
    return console.export_text()


def test_the_picture_says_what_goes_on(model: Model, wrist: Recording) -> None:
    live = model.stream()
    view = View(model, live, "a test", None)
    size = {"width": 80, "height": 24, "force_terminal": True}
    assert "the first window is filling" in picture(view, **size)
    assert "never came" in picture(view, **size)
    ppg, starts = wrist.signals["ppg"], []
    for piece in (slice(0, 200), slice(None)):
        for prediction in live.push("ppg", ppg.times[piece] + 1e9, ppg.values[piece]):
            view.add(prediction)
            starts.append(prediction.start)
    shown = picture(view, **size)
    rows_of_channels = {x.split()[0]: x.split() for x in shown.splitlines() if x.strip()}
    late = live.counters["ppg"].late + live.counters["ppg"].duplicate
    assert late == 200
    assert rows_of_channels["ppg"][-4:-1] == [
        f"{live.counters['ppg'].samples}",
        f"{live.counters['ppg'].late}",
        f"{live.counters['ppg'].duplicate}",
    ]
    assert "never came" in shown
    stress = next(x for x in shown.splitlines() if x.split()[:1] == ["stress"])
    assert "acc" in stress  # the reason why it abstains
    assert f"  {output.clock(starts[-1] - starts[0])}  " in shown
    assert len(shown.splitlines()) <= 24
    assert f"latency {live.latency:.1f} s" in shown


@pytest.mark.parametrize("height", [10, 24, 60])
def test_the_picture_fits_the_terminal(model: Model, wrist: Recording, height: int) -> None:
    live = model.stream(hop=0.1)
    view = View(model, live, "a test", 0.0)
    for prediction in live.push_recording(wrist.signals):
        view.add(prediction)
    shown = picture(view, width=80, height=height, force_terminal=True)
    rows_shown = len(re.findall(r"^ +\d:\d\d ", shown, re.MULTILINE))
    assert rows_shown == {10: 1, 24: 4, 60: 40}[height]
    assert len(shown.splitlines()) <= max(height, 20)
    assert all(len(line) <= 80 for line in shown.splitlines())
    # a row of the table is a line: nothing was broken into two
    assert len(re.findall(r"^ +(ppg|acc_x|acc_y) ", shown, re.MULTILINE)) == 3
