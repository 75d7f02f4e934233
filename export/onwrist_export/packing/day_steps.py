"""The steps from a day checkpoint to a bundle, each from folder to folder, as `steps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from onwrist_export.days import store
from onwrist_export.model.day_graph import DayGraph, DecodeGraph, EmbedGraph, EncodeGraph
from onwrist_export.packing import artifact, day_card, day_source, records
from onwrist_export.packing.day_bundle import ROLES, describe, pack_days
from onwrist_export.packing.day_source import DaySource
from onwrist_export.packing.day_windows import calibration, checking
from onwrist_export.packing.trials import Parities, pack_tried
from onwrist_export.quantization.day import quantize
from onwrist_export.quantization.day_check import check_days
from onwrist_export.quantization.parity import DAY, Parity
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_runtime.manifest import Manifest, Role

CALIBRATION_DAYS, CHECK_DAYS = 200, 200
CALIBRATION_SEEDS, CHECK_SEEDS, GOLDEN_SEEDS = range(12), range(100, 112), range(200, 203)


def quantize_checkpoint(
    checkpoint: Path,
    folder: Path,
    recordings: Path | None,
    exclude: Sequence[str],
    command: str,
) -> DaySource:
    """Quantize a checkpoint into `folder`, its scales chosen on recordings or simulation."""
    trained, commands = store.load(checkpoint)
    config = trained.config
    days = calibration(
        recordings, config.channels, config.patch, CALIBRATION_DAYS, CALIBRATION_SEEDS
    )
    graphs: dict[Role, DayGraph] = {
        "embed": EmbedGraph(trained.model),
        "encode": EncodeGraph(trained.model, dict(trained.heads.items())),
        "decode": DecodeGraph(trained.model),
    }
    models = quantize(graphs, describe(config, trained.least_confidence), days, exclude)
    words = "simulated days" if recordings is None else f"the first half of {recordings.name}"
    source = DaySource(
        kind="day",
        config=config,
        least_confidence=trained.least_confidence,
        reached=trained.reached,
        commands=[*commands, command],
        calibration=f"{len(days)} windows of {words}",
        excluded=list(exclude),
    )
    artifact.clear(folder)
    for model in models.values():
        model.save(folder)
    artifact.keep_checkpoint(folder, checkpoint)
    records.write_record(folder / records.SOURCE, source)
    return source


def check_folder(
    folder: Path, recordings: Path | None, say: Callable[[str], None]
) -> dict[Role, Parity]:
    """Compare float and INT8 and all files; writes `parity.json`."""
    source, manifest, models = _opened(folder)
    config = source.config
    days = checking(recordings, config.channels, config.patch, CHECK_DAYS, CHECK_SEEDS)
    say(f"comparing float and INT8 on {len(days)} windows of a day")
    parities = check_days(models, manifest, days, DAY)
    records.write_record(folder / records.PARITY, parities)
    return parities


def pack_folder(
    folder: Path, path: Path, notes: Sequence[str], elsewhere: Mapping[str, str] | None = None
) -> None:
    """Write the bundle of a checked folder, or nothing, as `steps`."""
    source, manifest, models = _opened(folder)
    parities = records.read_parities(folder)
    days = checking(None, source.config.channels, source.config.patch, 100, GOLDEN_SEEDS)

    def write(path: Path, parities: Parities) -> None:
        card = day_card.write(source, manifest, parities, notes)
        pack_days(path, models, parities, manifest, days, card)

    pack_tried(path, write, parities, elsewhere or {})


def _opened(folder: Path) -> tuple[DaySource, Manifest, dict[Role, QuantizedModel]]:
    source = day_source.read(folder)
    models = {role: QuantizedModel.load(folder, role) for role in ROLES}
    return source, describe(source.config, source.least_confidence), models
