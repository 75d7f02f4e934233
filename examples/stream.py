"""An app on the wrist: bursts of samples in as they arrive, predictions out as they come due.

python examples/stream.py
"""

from collections.abc import Iterator

import numpy as np

import onwrist
from onwrist.simulate import simulate


def main() -> None:
    model = onwrist.load()
    stream = model.stream(lateness=3.0)
    print(f"{model.name} {model.version}, one {stream.mode} every {stream.hop:g} s")

    for number, (sensor, times, samples) in enumerate(arriving()):
        for prediction in stream.push(sensor, times, samples):
            show(prediction, stream)
        if number == 60:
            # The system may end an app at any time: some kilobytes are all it has to keep.
            blob = stream.save()
            stream = model.restore_stream(blob)
            print(f"went on from {len(blob) / 1000:.0f} kB")
    for prediction in stream.flush():  # no more samples will come
        show(prediction, stream)

    print()
    for channel, count in stream.counters.items():
        age = stream.staleness[channel]
        last = "never comes" if age is None else f"last {age:.1f} s before the newest"
        print(
            f"{channel}: {count.samples} samples, {last}; "
            f"{count.late} too late, {count.duplicate} twice, {count.repaired} repaired"
        )


def arriving() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What a wrist sends: sensor, times and samples of about a second; temp is broken.

    Here it is simulated; an app has this from Bluetooth, or from the system's sensors.
    """
    wrist = simulate(seconds=45.0, seed=1, dropout=(15.0, 20.0)).signals
    acc = np.stack([wrist[f"acc_{axis}"].values for axis in "xyz"], axis=1)  # (n, 3)
    sensors = {
        "ppg": (wrist["ppg"].times, wrist["ppg"].values),
        "acc": (wrist["acc_x"].times, acc),
        "eda": (wrist["eda"].times, wrist["eda"].values),
    }
    delayed = None
    for second in range(45):
        for sensor, (times, samples) in sensors.items():
            now = (times >= second) & (times < second + 1)
            burst = sensor, times[now], samples[now]
            if sensor == "acc" and second % 7 == 3:
                delayed = burst  # the radio was busy: this one comes a second later
                continue
            yield burst
            if sensor == "acc" and delayed is not None:
                yield delayed
                yield delayed  # and twice
                delayed = None


def show(prediction: onwrist.Prediction, stream: onwrist.Stream) -> None:
    heart_rate = prediction["heart_rate"]
    if heart_rate.abstained:
        said = f"abstained, {heart_rate.reason}"
    else:
        said = f"{heart_rate.value:.1f} {heart_rate.unit} ({heart_rate.confidence:.0%})"
    print(
        f"{prediction.start:6.2f} to {prediction.end:6.2f} s: heart rate {said}; "
        f"{stream.latency:.1f} s behind the newest sample"
    )


if __name__ == "__main__":
    main()
