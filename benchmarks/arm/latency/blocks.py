"""What count.c wrote in, executions of each block of code out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """Code that runs from its first instruction to its last: `code` is in hexadecimal."""

    instructions: int
    code: str


def read_blocks(path: Path) -> Counter[Block]:
    """How often each block ran, under whichever label.

    Raises
    ------
    ValueError
        It is not a file of blocks, or has none.
    """
    try:
        return parse_blocks(path.read_text(encoding="ascii").splitlines())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_blocks(lines: Iterable[str]) -> Counter[Block]:
    """How often each block ran, of lines "label executions instructions code"."""
    counted: Counter[Block] = Counter()
    for number, line in enumerate(lines, 1):
        fields = line.split()
        try:
            _, executions, instructions = map(int, fields[:3])
            code = bytes.fromhex(fields[3])
        except (ValueError, IndexError):
            raise ValueError(f"line {number} is not of count.c's blocks") from None
        if len(fields) != 4 or len(code) != 4 * instructions or executions < 1:
            raise ValueError(f"line {number} is not of count.c's blocks")
        counted[Block(instructions, fields[3])] += executions
    if not counted:
        raise ValueError("has no blocks")
    return counted


def instructions(counted: Counter[Block]) -> int:
    """All that these executions ran."""
    return sum(block.instructions * times for block, times in counted.items())


def hottest(counted: Counter[Block], share: float) -> Counter[Block]:
    """The fewest blocks that ran `share` of the instructions."""
    wanted = share * instructions(counted)
    kept: Counter[Block] = Counter()
    for block, times in sorted(
        counted.items(), key=lambda item: (-item[0].instructions * item[1], item[0].code)
    ):
        if wanted <= 0:
            break
        kept[block] = times
        wanted -= block.instructions * times
    return kept
