"""Names of Arm cores by what /proc/cpuinfo says of them.

Implementer and part are those of MIDR_EL1; the names are of Arm's technical reference
manuals and of cputype.h in Linux's arch/arm and arch/arm64.
"""

from __future__ import annotations

_NAMES = {
    ("0x41", "0xb76"): "ARM1176",
    ("0x41", "0xc05"): "Cortex-A5",
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xc08"): "Cortex-A8",
    ("0x41", "0xc09"): "Cortex-A9",
    ("0x41", "0xc0d"): "Cortex-A12",
    ("0x41", "0xc0e"): "Cortex-A17",
    ("0x41", "0xc0f"): "Cortex-A15",
    ("0x41", "0xd01"): "Cortex-A32",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4b"): "Cortex-A78C",
    ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4e"): "Cortex-X3",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720",
    ("0x41", "0xd82"): "Cortex-X4",
    ("0x51", "0x800"): "Kryo 2xx Gold (Cortex-A73)",
    ("0x51", "0x801"): "Kryo 2xx Silver (Cortex-A53)",
    ("0x51", "0x802"): "Kryo 3xx Gold (Cortex-A75)",
    ("0x51", "0x803"): "Kryo 3xx Silver (Cortex-A55)",
    ("0x51", "0x804"): "Kryo 4xx Gold (Cortex-A76)",
    ("0x51", "0x805"): "Kryo 4xx Silver (Cortex-A55)",
}


def name_of(implementer: str | None, part: str | None) -> str | None:
    """The core's name; None if it is not in the table."""
    return _NAMES.get(((implementer or "").lower(), (part or "").lower()))
