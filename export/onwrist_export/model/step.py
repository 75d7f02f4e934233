"""The graph of one step: new samples and the state so far in, the window's outputs out.

A causal `DeployGraph` computes a stream once, 32 samples at a time. What it must remember
travels as one flat tensor, so that a host copies one thing and can save it, or hold many
streams beside one graph. Shapes: B streams, C channels, N samples of a window, E embedding.

The state, (B, S), all zeros before the first step:
    input       the last 3 normalized inputs, (C', 3)
    total       sum of what `sums` holds, (2 E,): whole multiples of one power of two, so that
                adding and taking away never errs
    sums        sum and sum of squares of every stage's outputs in each of the steps of a
                window but the newest, newest first, (steps - 1, 2 E)
    histories   what the convolutions look back on: for each stage the last 3 inputs
                (but for the first) and the last 4 outputs of its first convolution,
                oldest first, channels together, as TFLite lays them out
    past        values and then observed of a window but its newest step, (C, N - step) each
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from onwrist_export.model.graph import DeployGraph, deviation
from onwrist_export.model.himae import HISTORY, EncoderStage
from onwrist_export.model.normalize import StreamNormalize


class StepGraph(nn.Module):
    """One or more steps of a causal graph, with the state carried from call to call.

    Parameters
    ----------
    graph : with causal padding; it is copied, and its batch norms folded.
    steps : how many of them one call takes. The numbers do not depend on it.
    """

    def __init__(self, graph: DeployGraph, steps: int = 1) -> None:
        super().__init__()
        if not isinstance(graph.normalize, StreamNormalize):
            raise ValueError("only a causal graph runs in steps")
        step = graph.normalize.step
        self.deploy = copy.deepcopy(graph).eval()
        config = self.deploy.encoder.config
        self.stages: list[EncoderStage] = list(self.deploy.encoder.encoder_layers)
        for stage in self.stages:
            fold(stage)
        self.step, self.steps, self.samples = step, steps, config.samples
        self.channels = graph.channels
        self.entries = config.samples // step - 1  # steps of a window but the newest
        self.inputs, self.widths = config.inputs, config.widths
        self._lengths = [step // stride for stride in config.strides]  # of a step's outputs
        # What the sums become means by, and what one unit of each channel stands for.
        counts = [float(config.samples // stride) for stride in config.strides]
        self.register_buffer("share", self._each_channel([1 / count for count in counts]))
        self.register_buffer("share_of_squares", self.share.clone())

    def _each_channel(self, by_stage: Sequence[float]) -> Tensor:
        """One number a stage, for each of its channels: (1, E)."""
        return torch.tensor(by_stage).repeat_interleave(torch.tensor(self.widths))[None]

    @property
    def output_names(self) -> tuple[str, ...]:
        return (*self.deploy.output_names, "next_state")

    def example(self) -> dict[str, Tensor]:
        """Inputs by name: the samples of one call, and the state before it."""
        shape = 1, self.channels, self.steps * self.step
        inputs = {"values": torch.zeros(shape), "observed": torch.ones(shape)}
        return self.deploy.example() | inputs | {"state": self.first_state()}

    @property
    def history_shapes(self) -> list[tuple[int, int]]:
        """Samples and channels of each history, in the order of the state."""
        before, after = HISTORY
        shapes = [(after, self.widths[0])]
        for inputs, width in pairwise(self.widths):
            shapes += [(before, inputs), (after, width)]
        return shapes

    @property
    def part_sizes(self) -> tuple[int, ...]:
        """Numbers in each part of the state."""
        both = 2 * sum(self.widths)
        return (
            self.inputs * HISTORY[0],
            both,
            self.entries * both,
            sum(length * width for length, width in self.history_shapes),
            *2 * (self.channels * (self.samples - self.step),),
        )

    @property
    def depth(self) -> int:
        """Stages of the encoder."""
        return len(self.widths)

    @property
    def state_size(self) -> int:
        return sum(self.part_sizes)

    def first_state(self, batch: int = 1) -> Tensor:
        """(batch, S) before the first step."""
        return torch.zeros(batch, self.state_size)

    @torch.no_grad()
    def rescale(self, hidden: Sequence[float], outputs: Sequence[float]) -> None:
        """Multiply what each stage computes inside and gives out; the results stay.

        A ReLU passes a factor through, and the next weights take it back. This is how
        activations that differ in range come to share one scale of integers.
        """
        incoming = 1.0
        for stage, inner, outer in zip(self.stages, hidden, outputs, strict=True):
            first, second, shortcut = stage.main_path[0], stage.main_path[3], stage.shortcut[0]
            for layer, factor, before in (
                (first, inner, incoming),
                (second, outer, inner),
                (shortcut, outer, incoming),
            ):
                layer.weight *= factor / before
                layer.bias *= factor
            incoming = outer
        factors = self._each_channel(outputs)
        self.share /= factors
        self.share_of_squares /= factors * factors

    def forward(
        self, values: Tensor, observed: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:  # 2 x (B, C, steps x step), [baseline,] state
        *baseline, state = rest
        ends = pairwise(accumulate(self.part_sizes, initial=0))
        last_input, total, _, histories, *past = (state[:, a:b] for a, b in ends)
        recent = [
            torch.cat([old.unflatten(1, (self.channels, -1)), new], dim=-1)
            for old, new in zip(past, (values, observed), strict=True)
        ]
        x, alive = self._normalize(*recent)
        x = torch.cat([last_input.unflatten(1, (self.inputs, HISTORY[0])), x], dim=-1)
        stages, kept = self._encode(x, self._unpack(histories))

        embedding, newest = sum(self.widths), self._sum(stages)
        for k, entry in enumerate(newest):
            whole = total + entry
            total = whole - self._oldest(state, newest, k)
        means = whole[:, :embedding] * self.share
        deviations = deviation(means, whole[:, embedding:] * self.share_of_squares)

        window = (signal[..., -self.samples :] for signal in recent)
        rates, context = self.deploy.read(means, deviations, alive, *window, *baseline)
        kept_sums = newest[::-1][: self.entries]
        if self.steps < self.entries:
            kept_sums.append(self._entries(state, 0, self.entries - self.steps))
        small = torch.cat([x[..., -HISTORY[0] :].flatten(1), total], dim=1)
        past = [signal[..., self.steps * self.step :].flatten(1) for signal in recent]
        state = torch.cat([small, *kept_sums, self._pack(kept), *past], dim=1)
        return means, *rates.values(), *self.deploy.classify(context), state

    def _entries(self, state: Tensor, start: int, stop: int) -> Tensor:
        """Entries of `sums`; taken from the state itself, each number is copied once."""
        first, both = sum(self.part_sizes[:2]), 2 * sum(self.widths)
        return state[:, first + start * both : first + stop * both]

    def _oldest(self, state: Tensor, newest: list[Tensor], k: int) -> Tensor:
        """The sums of the step that leaves the window when the one after new step k comes."""
        place = self.entries - 1 - k
        return self._entries(state, place, place + 1) if place >= 0 else newest[-place - 1]

    def _normalize(self, values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """The new steps, each scaled as part of the window that it ends; see `alive`."""
        normalize, new = self.deploy.normalize, []
        for end in range(self.samples, values.shape[-1] + 1, self.step):
            window = [s[..., end - self.samples : end] for s in (values, observed)]
            low, high = normalize.extremes(*window)
            step = (s[..., end - self.step : end] for s in (values, observed))
            new.append(normalize.scale(*step, low, high))
        return torch.cat(new, dim=-1) if len(new) > 1 else new[0], normalize.alive(low, high)

    def _encode(self, x: Tensor, histories: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Stage outputs, and what they leave for the next step, as in `history_shapes`."""
        before, after = HISTORY
        stages, kept = [], []
        for k, stage in enumerate(self.stages):
            if k:
                x = torch.cat([histories[2 * k - 1], x], dim=-1)
                kept.append(x[..., -before:])
            x, hidden = stage.step(x, histories[2 * k])
            kept.append(hidden[..., -after:])
            stages.append(x)
        return stages, kept

    def _unpack(self, histories: Tensor) -> list[Tensor]:
        ends = accumulate((length * width for length, width in self.history_shapes), initial=0)
        return [
            histories[:, start:stop].unflatten(1, shape).transpose(1, 2)
            for (start, stop), shape in zip(pairwise(ends), self.history_shapes, strict=True)
        ]

    def _pack(self, kept: list[Tensor]) -> Tensor:
        return torch.cat([history.transpose(1, 2).flatten(1) for history in kept], dim=1)

    def _sum(self, stages: list[Tensor]) -> list[Tensor]:
        """Sums and sums of squares over each step: (B, 2 E) each."""
        sums = []
        for k in range(self.steps):
            parts = [
                s[..., k * n : (k + 1) * n] for s, n in zip(stages, self._lengths, strict=True)
            ]
            sums.append(
                torch.cat([p.sum(-1) for p in parts] + [(p * p).sum(-1) for p in parts], dim=1)
            )
        return sums


def fold(stage: EncoderStage) -> None:
    """Move the batch norms of a stage into its convolutions: same numbers, biases instead."""
    for path, positions in ((stage.main_path, (0, 3)), (stage.shortcut, (0,))):
        for k in positions:
            path[k] = fuse_conv_bn_eval(path[k], path[k + 1])
            path[k + 1] = nn.Identity()


def stream(
    graph: StepGraph, values: Tensor, observed: Tensor, *baseline: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    """Outputs of every call over 2 x (B, C, T), from the first state on."""
    state = graph.first_state(len(values))
    length = graph.step * graph.steps
    for start in range(0, values.shape[-1], length):
        part = slice(start, start + length)
        *outputs, state = graph(values[..., part], observed[..., part], *baseline, state)
        yield *outputs, state
