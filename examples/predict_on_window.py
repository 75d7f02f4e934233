"""One window by hand: samples at native rates in, heart rate, stress and coverage out.

python examples/predict_on_window.py
"""

import numpy as np

import onwrist
from onwrist.simulate import simulate


def main() -> None:
    model = onwrist.load()
    seconds = model.window_samples / model.rate
    print(f"{model.name} {model.version} takes {seconds:g} s of {', '.join(model.channels)}")

    # Any arrays do; these are ten seconds of a simulated wrist, all sensors at once.
    wrist = simulate(seconds=10.0, seed=1).signals
    ppg = wrist["ppg"].values
    acc = np.stack([wrist[f"acc_{axis}"].values for axis in "xyz"], axis=1)  # (n, 3)

    show("every sensor", model.predict({
        "ppg": (ppg, 64.0), "acc": (acc, 32.0),
        "eda": (wrist["eda"].values, 4.0), "temp": (wrist["temp"].values, 4.0),
    }))  # fmt: skip

    show("ppg alone", model.predict({"ppg": (ppg, 64.0)}))

    holes = ppg.copy()
    holes[40:640] = np.nan  # nine seconds in which the watch sat loose
    show("ppg with a hole", model.predict({"ppg": (holes, 64.0), "acc": (acc, 32.0)}))


def show(what: str, prediction: onwrist.Prediction) -> None:
    print(f"\n{what}: coverage of ppg {prediction.coverage['ppg']:.0%}")
    for task, result in prediction.tasks.items():
        if result.abstained:
            print(f"  {task}: abstained, {result.reason}")
        else:
            answer = result.label or f"{result.value:.1f} {result.unit}"
            print(f"  {task}: {answer} (confidence {result.confidence:.0%})")


if __name__ == "__main__":
    main()
