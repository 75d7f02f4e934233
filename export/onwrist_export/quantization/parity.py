"""What a quantized graph must hold, and the record of what it did hold.

Everything that decides whether a bundle may be written stands here: the limits, once,
and the comparison with them. `check` measures; `pack` refuses what `Parity.require` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onwrist_runtime.errors import ParityError

# What engines that round otherwise may be off at the stage outputs, in steps of the integer:
# a step in one layer makes more in the next.
OFF_ROUNDING_OTHERWISE = 3


@dataclass(frozen=True)
class Limits:
    """The least and the most that a bundle may show.

    Attributes
    ----------
    centred_cosine : least mean over windows, of the embedding against the float graph's.
    equal : least share of int8 outputs of all layers that engines of one rounding have
        in common.
    off : most that any of them differs, in steps of the integer.
    off_rounding_otherwise : the same for the stage outputs of engines that round
        otherwise, where a step in one layer makes more in the next; None to only record.
    error : most that a rate's mean absolute error may change, in its unit.
    auroc : most that a class task's AUROC may change.
    imputed : most that the error of imputed minutes may grow, as a share of it.
    share : most that the accuracy or macro-F1 of a class task may change.
    """

    centred_cosine: float
    equal: float = 0.97
    off: int = 1
    off_rounding_otherwise: int | None = OFF_ROUNDING_OTHERWISE
    error: float = 0.2
    auroc: float = 0.01
    imputed: float = 0.02
    share: float = 0.03


TRAINED = Limits(centred_cosine=0.98)
# Two quantizers around every GELU let differently rounded steps grow, by how much depends
# on weights that are not ours to change; the loose tolerance of the bundle covers them.
IMPORTED = Limits(centred_cosine=0.97, off_rounding_otherwise=None)
DAY = Limits(centred_cosine=0.99)
FUSION = Limits(centred_cosine=0.98)


@dataclass(frozen=True)
class TaskParity:
    """One task on the labelled windows where it may be answered.

    Attributes
    ----------
    metric : "mean absolute error" or "AUROC"; where sensors are fused, "accuracy" and
        "macro-F1", every subject weighing as much.
    windows : how many labelled windows it is over.
    fp32, int8 : the metric of the float and of the quantized graph.
    flips : share of answerable windows, labelled or not, on which one abstains and the
        other does not, or their labels differ.
    """

    task: str
    metric: str
    windows: int
    fp32: float
    int8: float
    flips: float


@dataclass(frozen=True)
class Condition:
    """Float against INT8 under one kind of missingness.

    Attributes
    ----------
    name : what was taken away from the windows, such as "50 % missing".
    sqnr : signal to quantization noise of the embedding, dB.
    centred_cosine, centred_cosine_p5 : mean and 5th percentile over windows of the
        cosine between embeddings less their mean.
    """

    name: str
    windows: int
    sqnr: float
    centred_cosine: float
    centred_cosine_p5: float
    tasks: tuple[TaskParity, ...]


@dataclass(frozen=True)
class Imputation:
    """Mean absolute error of the grid points of a channel that were hidden, in its unit.

    Where sensors are fused those are all of a sensor, which others restore.

    Attributes
    ----------
    minutes : how many hidden grid points, whose truth is known, it is over.
    fp32, int8 : the error of the float and of the quantized graphs.
    """

    channel: str
    minutes: int
    fp32: float
    int8: float


@dataclass(frozen=True)
class Layer:
    """SQNR of one layer's output in dB, and the noise to signal that this layer added."""

    name: str
    sqnr: float
    added: float


@dataclass(frozen=True)
class Agreement:
    """Two ways of running the same integers.

    Attributes
    ----------
    engine, reference : file and engine of both.
    rounds_alike : whether both round as the other does.
    equal : share of int8 outputs that are the same: of all layers if both round alike,
        of the stages otherwise.
    off : largest difference between two of them, and
    layer : where it is.
    input_equal : whether the normalized, quantized input is the same in every bit.
    outputs : largest absolute difference by output of the graph.
    compared : share of int8 outputs that `off` is over: all, or those of a day's layers that
        both engines computed from the same integers.
    """

    engine: str
    reference: str
    rounds_alike: bool
    equal: float
    off: int
    layer: str
    input_equal: bool
    outputs: dict[str, float]
    compared: float = 1.0


@dataclass(frozen=True)
class Trial:
    """A TFLite file, or one of its sizes alone, that was given to an engine of its own.

    Not that engine's arithmetic in LiteRT, as in an `Agreement`, but the engine itself, on
    the golden inputs of the bundle. What is not claimed is no failure: hosts read why.

    Attributes
    ----------
    size : the graph that was cut out of a file of several; empty for the whole file.
    engine, version : the package that ran it.
    operators : whose kernels the engine must have.
    flash : bytes of the file; the engine's code comes on top.
    claimed : whether it loads and runs, and `off` and the outputs are within their limits.
    reason : why it is not claimed; empty if it is.
    off : largest difference from LiteRT of the int8 outputs that are limited: what each stage
        ends with, of a day those of every layer. At most `OFF_ROUNDING_OTHERWISE`.
    agreement : with LiteRT, in all layers; None if it did not run.
    arena : bytes of the smallest arena in which TFLite-Micro loads it on this processor.
    head, tail : those it then holds for tensors, and for what it keeps beside them.
    """

    file: str
    size: str
    engine: str
    version: str
    operators: tuple[str, ...]
    flash: int
    claimed: bool
    reason: str = ""
    off: int | None = None
    agreement: Agreement | None = None
    arena: int | None = None
    head: int | None = None
    tail: int | None = None


@dataclass(frozen=True)
class Parity:
    """All that was compared; `parity.json` of a bundle.

    `files` are the SHA-256 of the model files that were compared, by name; `unchecked`
    those that no engine could run, because the processor has no VNNI. `trials` are of
    engines in environments of their own, none if the bundle was packed without.
    """

    files: dict[str, str]
    limits: Limits
    conditions: tuple[Condition, ...]
    layers: tuple[Layer, ...]
    worst_layer: str
    agreements: tuple[Agreement, ...]
    unchecked: tuple[str, ...] = ()
    imputations: tuple[Imputation, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """What breaks a limit, in words: the figure, and the limit."""
        return tuple(self._failures())

    def _failures(self) -> Iterator[str]:
        limits = self.limits
        for c in self.conditions:
            # written so that a figure that is NaN fails
            if not c.centred_cosine >= limits.centred_cosine:
                yield (
                    f"centred cosine of the embedding is {c.centred_cosine:.4f} with {c.name}, "
                    f"below {limits.centred_cosine}"
                )
            for t in c.tasks:
                most = {"AUROC": limits.auroc, "mean absolute error": limits.error}.get(
                    t.metric, limits.share
                )
                if not abs(t.int8 - t.fp32) <= most:
                    yield (
                        f"{t.metric} of {t.task} goes from {t.fp32:.4g} to {t.int8:.4g} with "
                        f"{c.name}, more than {most}"
                    )
        for i in self.imputations:
            if not i.int8 <= (1 + limits.imputed) * i.fp32:
                yield (
                    f"error of imputed {i.channel} goes from {i.fp32:.4g} to {i.int8:.4g}, "
                    f"more than {limits.imputed:.0%}"
                )
        for a in self.agreements:
            pair = f"{a.engine} against {a.reference}"
            if not a.input_equal:
                yield f"{pair}: the quantized input is not the same"
            if a.rounds_alike and not a.equal >= limits.equal:
                share = f"{a.equal:.2%} of int8 outputs are equal"
                yield f"{pair}: {share}, below {limits.equal:.0%}"
            most = limits.off if a.rounds_alike else limits.off_rounding_otherwise
            if most is not None and a.off > most:
                yield f"{pair}: {a.layer} is off by {a.off}, more than {most}"

    def require(self, excludable: bool = True) -> None:
        """Raise unless every limit is kept.

        Parameters
        ----------
        excludable : whether `quantize --exclude` can keep layers of this graph in float.

        Raises
        ------
        ParityError
            Names each figure, its limit, and the worst layer.
        """
        if self.failures:
            advice = (
                f": keep it in float with --exclude {self.worst_layer}" if excludable else ""
            )
            raise ParityError(
                f"{'; '.join(self.failures)}. The worst layer is {self.worst_layer}{advice}"
            )
