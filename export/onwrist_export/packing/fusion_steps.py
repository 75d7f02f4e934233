"""The steps from a fusion checkpoint to a bundle, each from folder to folder, as `steps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onwrist_export.fusion import plausible, store
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.packing import (
    artifact,
    fusion_card,
    fusion_source,
    fusion_windows,
    records,
)
from onwrist_export.packing.fusion_bundle import describe, pack_fusion
from onwrist_export.packing.fusion_source import KIND, FusionSource
from onwrist_export.packing.pack import hashes
from onwrist_export.packing.trials import Parities, pack_tried
from onwrist_export.quantization.fusion import DECODE, FUSE, quantize
from onwrist_export.quantization.fusion_check import check_fusion
from onwrist_export.quantization.parity import FUSION, Parity
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_export.quantization.restoration import Restored
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.manifest_plausible import Plausible

CALIBRATION_WINDOWS, CHECK_WINDOWS = 400, 400
CALIBRATION_SEED, CHECK_SEED, GOLDEN_SEED = 0, 100, 200


@dataclass(frozen=True)
class Restoration:
    """`results.json`: what the files of these hashes restore."""

    files: dict[str, str]
    restored: tuple[Restored, ...]


def quantize_checkpoint(
    checkpoint: Path,
    folder: Path,
    recordings: Path | None,
    exclude: Sequence[str],
    command: str,
) -> FusionSource:
    """Quantize a checkpoint into `folder`, its scales chosen on recordings or simulation."""
    merged, config, commands = store.load(checkpoint)
    windows = fusion_windows.calibration(
        recordings, config, CALIBRATION_WINDOWS, CALIBRATION_SEED
    )
    models = quantize(merged, config, windows, exclude)
    words = (
        "simulated motion"
        if recordings is None
        else f"the training subjects in {recordings.name}"
    )
    source = FusionSource(
        kind=KIND,
        config=config,
        commands=[*commands, command],
        calibration=f"{len(windows)} windows of {words}",
        excluded=list(exclude),
        plausible=_plausible(recordings, config),
    )
    artifact.clear(folder)
    for model in models.values():
        model.save(folder)
    artifact.keep_checkpoint(folder, checkpoint)
    records.write_record(folder / records.SOURCE, source)
    return source


def _plausible(recordings: Path | None, config: FusionConfig) -> tuple[Plausible, ...]:
    """What samples are held against, as training shows them."""
    if recordings is None:
        return ()
    windows = fusion_windows.plain(recordings, config)
    return plausible.fit(
        windows.values,
        windows.observed,
        config.channels,
        windows.subjects,
        config.window.rate,
        windows.targets.get("fall"),  # falls turn gravity as nothing else does
    )


def check_folder(
    folder: Path, recordings: Path | None, say: Callable[[str], None]
) -> dict[str, Parity]:
    """Compare float and INT8 and all files; writes `parity.json` and `results.json`."""
    source, _, models = _opened(folder)
    windows = fusion_windows.checking(recordings, source.config, CHECK_WINDOWS, CHECK_SEED)
    say(f"comparing float and INT8 on {len(windows)} windows, in every pattern of sensors")
    parities, restored = check_fusion(models, source.config, windows, FUSION)
    records.write_record(folder / records.PARITY, parities)
    # nothing is known of people's signals from simulated ones
    told = Restoration(hashes(models), restored if recordings else ())
    records.write_record(folder / records.RESULTS, told)
    return parities


def pack_folder(
    folder: Path, path: Path, notes: Sequence[str], elsewhere: Mapping[str, str] | None = None
) -> None:
    """Write the bundle of a checked folder, or nothing, as `steps`."""
    source, manifest, models = _opened(folder)
    parities = records.read_parities(folder)
    found = records.read_record(folder / records.RESULTS, Restoration)
    restored = found.restored if found is not None and found.files == hashes(models) else ()
    golden = fusion_windows.golden(source.config, GOLDEN_SEED)

    def write(path: Path, parities: Parities) -> None:
        card = fusion_card.write(source, manifest, parities, restored, notes)
        pack_fusion(path, models, parities, manifest, golden, card)

    pack_tried(path, write, parities, elsewhere or {})


def _opened(folder: Path) -> tuple[FusionSource, Manifest, dict[str, QuantizedModel]]:
    source = fusion_source.read(folder)
    config = source.config
    models = {
        f"sense.{sensor}": QuantizedModel.load(folder, "sense", sensor)
        for sensor in config.names
    }
    models[FUSE] = QuantizedModel.load(folder, "fuse")
    if config.fusion.fill == "restored":
        models[DECODE] = QuantizedModel.load(folder, "decode")
    return source, describe(config, source.plausible), models
