"""One stream of one client: its messages in, the texts that answer them out, in order.

Nothing here knows of sockets or threads; whoever calls does so for one message at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.plausible import Screen
from onwrist.serve import answers, messages
from onwrist.serve.held import Held
from onwrist.serve.messages import Asked, Flush, Hello, Push, Reset, State
from onwrist.serve.settings import Limits
from onwrist_runtime.errors import InputError, OnwristError
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.signals import LATEST

PROTOCOL = 1


class Session:
    """A stream, and what the client was told of it.

    Attributes
    ----------
    count, errors, predictions : of messages, the hello among them, and what came of them.
    errors_in_a_row : since the last message that was right.

    Raises
    ------
    OnwristError
        `Model.stream` cannot use what the hello asks.
    """

    def __init__(self, model: Model, hello: Hello, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self._stream = model.stream(
            hello.hop, hello.lateness, hello.mode, hello.rates, hello.midnight
        )
        self.count, self.errors, self.errors_in_a_row, self.predictions = 1, 0, 0, 0
        self._held = Held(model.manifest, self._stream, hello.rates, limits.held)
        self._begin()

    def _begin(self) -> None:
        self._held.clear()
        self._screen = Screen(self._model.manifest)
        self._newest = -math.inf

    def greeting(self) -> str:
        """The answer to the hello."""
        model, limits = self._model, self._limits
        sensors: dict[str, list[str]] = {}
        for channel in model.manifest.channels:
            sensors.setdefault(channel.sensor, []).append(channel.name)
        told = {
            "protocol": PROTOCOL,
            "model": answers.identity(model),
            "mode": self._stream.mode,
            "hop": self._stream.hop,
            "lateness": self._stream.lateness,
            "rate": model.rate,
            "window_samples": model.window_samples,
            "sensors": sensors,
            "limits": {
                "message_bytes": limits.message,
                "ahead_seconds": limits.ahead / model.rate,
                "held_samples": limits.held,
                "errors_in_a_row": limits.errors,
            },
        }
        return answers.text({"hello": told})

    def answer(self, message: str | bytes) -> Iterator[str]:
        """What a message gives; it is worked on as the answers are read."""
        self.count += 1
        before, number = self.predictions, None
        try:
            self._check_length(message)
            number = messages.id_of(message)
            yield from self._done(messages.read(message, self._model.manifest))
        except OnwristError as error:
            self.errors += 1
            self.errors_in_a_row += 1
            at = {"message": self.count, "id": number}
            yield answers.failure(str(error), at)
        else:
            self.errors_in_a_row = 0
            if number is not None:
                gave = self.predictions - before
                yield answers.text({"done": {"id": number, "predictions": gave}})

    def _check_length(self, message: str | bytes) -> None:
        most = self._limits.message
        # No character is less than a byte.
        if len(message) > most or (isinstance(message, str) and len(message.encode()) > most):
            raise InputError(f"a message is at most {most} bytes: send the samples in several")

    def _done(self, asked: Asked) -> Iterator[str]:
        if isinstance(asked, Push):
            yield from self._rows(self._push(asked))
        elif isinstance(asked, Flush):
            yield from self._rows(self._stream.flush(at_least_one=asked.at_least_one))
        elif isinstance(asked, Reset):
            self._stream.reset()
            self._begin()
        elif isinstance(asked, State):
            yield answers.text({"state": self._state()})
        else:
            raise InputError("hello is the first message only; for other settings reconnect")

    def _rows(self, predictions: Iterator[Prediction]) -> Iterator[str]:
        for prediction in predictions:
            self.predictions += 1
            yield f'{{"prediction": {answers.row(prediction, self._model.manifest)}}}'

    def _push(self, push: Push) -> Iterator[Prediction]:
        before = self._newest, self._screen.left_out.copy()
        values = self._screen.passed(push.sensor, push.values)
        try:
            times = push.times[~np.isnan(values).all(axis=1)]
            self._newest = self._newest_after(times)
            new = 0
            if len(times) and self._newest > -math.inf:
                new = self._held.new(times, before[0], self._newest)
            predictions = self._stream.push(push.sensor, push.times, values)
        except InputError:
            self._newest, self._screen.left_out = before
            raise
        if new:
            self._held.add(new, self._newest)
        return predictions

    def _newest_after(self, times: NDArray[np.float64]) -> float:
        """The newest time of any sample after a push of some.

        Raises
        ------
        InputError
            It is too far ahead: one message would be work for hours.
        """
        if not len(times) or not (np.abs(times) <= LATEST).all():
            return self._newest  # the stream says what is wrong
        newest = max(self._newest, float(times.max()))
        before = float(times.min()) if self._newest == -math.inf else self._newest
        most = self._limits.ahead / self._model.rate
        if newest - before > most:
            raise InputError(
                f"this push goes {newest - before:g} s ahead, and one may go {most:g} s: send "
                'a recording in parts; {"reset": {}} begins at another time'
            )
        return newest

    def _state(self) -> dict[str, Any]:
        stream, left_out = self._stream, self._screen.left_out
        counters = {
            name: {
                "samples": count.samples,
                "late": count.late,
                "duplicate": count.duplicate,
                "repaired": count.repaired,
                "implausible": left_out[name],
            }
            for name, count in stream.counters.items()
        }
        return {
            "coverage": stream.coverage,
            "staleness": stream.staleness,
            "latency": stream.latency,
            "counters": counters,
            "messages": self.count,
            "errors": self.errors,
            "predictions": self.predictions,
        }
