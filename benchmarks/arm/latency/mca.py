"""Blocks of Arm code in, the cycles of one pass through each out, as llvm-mca has them.

A pass is one of many in a row with every load a hit of the first cache: what a core of that
scheduling model does at best. Branches are never mistaken, and a call is an instruction like
another, since what it calls is counted too. One process does many blocks, and what has been
worked out is kept in a file.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency.blocks import Block, hottest, instructions
from onwrist.files import written_beside

COVERED = 0.999  # of the instructions; the rest of the blocks takes as long a piece
PASSES = 100
BATCH = 500  # blocks of a process
FEATURES = "+v8.2a,+dotprod,+fullfp16,+lse,+rdm,+rcpc,+crc,+sha2,+aes"
TRIPLE = "aarch64-linux-gnu"
OPTIONS = (
    f"-mattr={FEATURES}",
    f"-iterations={PASSES}",
    "-call-latency=1",
    "-all-views=false",
    "-summary-view",
    "-json",
)
# LLVM's model for each emulated core. Its model of the A53 has loads and vector multiplies wait
# for each other and is off by a factor of 3 between float and integer code: the A55's serves.
CPUS = {
    "Cortex-A53": "cortex-a55",
    "Cortex-A55": "cortex-a55",
    "Cortex-A72": "cortex-a72",
    "Cortex-A76": "neoverse-n1",
}


class ModelError(Exception):
    """llvm-mca is not there, or does not do what it should."""


@dataclass(frozen=True)
class Cycles:
    """What counted blocks would take.

    Attributes
    ----------
    cycles : of all executions, blocks left out taken at the mean of the others.
    unknown : share of the instructions in blocks that llvm-mca could not do.
    """

    cycles: float
    unknown: float


@dataclass(frozen=True)
class Tools:
    """LLVM's tools in a folder of unpacked Debian packages.

    What they have worked out is kept there as well, and goes with them.
    """

    folder: Path

    def cycles(self, counted: Counter[Block], cpu: str) -> Cycles:
        """Weigh the cycles of blocks on `cpu`, LLVM's name of a core, by their executions."""
        whole, kept = instructions(counted), hottest(counted, COVERED)
        passes = self.passes([block.code for block in kept], cpu)
        known = {block: n for block, n in kept.items() if passes[block.code] is not None}
        modelled = sum(block.instructions * times for block, times in known.items())
        if not modelled:
            raise ModelError(f"llvm-mca knows none of these blocks on {cpu}")
        cycles = sum((passes[block.code] or 0) * times for block, times in known.items())
        unknown = instructions(kept) - modelled
        return Cycles(cycles * whole / modelled, unknown / whole)

    def passes(self, codes: Sequence[str], cpu: str) -> Mapping[str, float | None]:
        """Cycles of a pass through each block; None where llvm-mca cannot tell."""
        how = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
        path = self.folder / "cycles" / f"{cpu}-{how}.json"
        remembered: dict[str, float | None] = (
            json.loads(path.read_text()) if path.exists() else {}
        )
        new = [code for code in dict.fromkeys(codes) if code not in remembered]
        if new:
            text = self._disassemble({word for code in new for word in _words(code)})
            for start in range(0, len(new), BATCH):
                batch = new[start : start + BATCH]
                remembered |= self._analyse(batch, text, cpu)
            with written_beside(path) as beside:
                beside.write_text(json.dumps(remembered))
        return {code: remembered[code] for code in codes}

    def texts(self, codes: Sequence[str]) -> dict[str, list[str]]:
        """The instructions of each block, without those that LLVM does not know."""
        text = self._disassemble({word for code in codes for word in _words(code)})
        return {code: [text[word] for word in _words(code) if word in text] for code in codes}

    def _disassemble(self, words: Iterable[str]) -> dict[str, str]:
        """The text of each instruction that LLVM knows."""
        ordered = sorted(words)
        lines = [" ".join(f"0x{word[i : i + 2]}" for i in (0, 2, 4, 6)) for word in ordered]
        done = self._run("llvm-mc", "\n".join(lines), "--disassemble", f"--mattr={FEATURES}")
        refused = {int(n) - 1 for n in re.findall(r"^<stdin>:(\d+):", done.stderr, re.M)}
        texts = [
            line.strip()
            for line in done.stdout.splitlines()
            if line.startswith("\t") and not line.startswith("\t.")
        ]
        known = [word for number, word in enumerate(ordered) if number not in refused]
        if len(known) != len(texts):
            raise ModelError(f"llvm-mc gave {len(texts)} lines for {len(known)} instructions")
        return dict(zip(known, texts, strict=True))

    def _analyse(
        self, codes: Sequence[str], text: Mapping[str, str], cpu: str
    ) -> dict[str, float | None]:
        """Cycles of a pass, with the blocks halved until those that fail are alone."""
        known = [code for code in codes if all(word in text for word in _words(code))]
        given: dict[str, float | None] = dict.fromkeys(codes)
        if not known:
            return given
        regions = "\n".join(
            "\n".join(
                [
                    f"# LLVM-MCA-BEGIN {n}",
                    *(_assembly(text[w], cpu) for w in _words(code)),
                    "# LLVM-MCA-END",
                ]
            )
            for n, code in enumerate(known)
        )
        done = self._run("llvm-mca", regions + "\n", f"-mcpu={cpu}", *OPTIONS)
        if done.returncode == 0:
            for region in json.loads(done.stdout)["CodeRegions"]:
                summary = region["SummaryView"]
                given[known[int(region["Name"])]] = (
                    summary["TotalCycles"] / summary["Iterations"]
                )
        elif "unsupported instruction" not in done.stderr:
            raise ModelError(f"llvm-mca on {cpu}: {done.stderr.strip().partition(chr(10))[0]}")
        elif len(known) > 1:
            half = len(known) // 2
            given |= self._analyse(known[:half], text, cpu)
            given |= self._analyse(known[half:], text, cpu)
        return given

    def _run(self, tool: str, given: str, *options: str) -> subprocess.CompletedProcess[str]:
        program = self.folder / "usr/lib/llvm-19/bin" / tool
        if not program.exists():
            raise ModelError(f"{program} is not there: make it by benchmarks/arm/lane.sh")
        libraries = ":".join(
            f"{self.folder}/{place}"
            for place in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
        )
        return subprocess.run(
            [
                program,
                f"--triple={TRIPLE}" if tool == "llvm-mc" else f"-mtriple={TRIPLE}",
                *options,
            ],
            input=given,
            capture_output=True,
            text=True,
            env={"LD_LIBRARY_PATH": libraries},
        )


def _assembly(text: str, cpu: str) -> str:
    """An instruction as llvm-mca is to see it.

    Its model of the A55 lets the update of an address wait for what is loaded, 3 to 5 cycles
    where the core takes one: there it becomes an instruction of its own.
    """
    if cpu != "cortex-a55":
        return text
    if after := re.search(r"\[(x\d+|sp)\], (#-?\d+|x\d+)$", text):
        base, step = after.groups()
        return f"{text[: after.start()]}[{base}]\nadd {base}, {base}, {step}"
    if before := re.search(r"\[(x\d+|sp), (#-?\d+)\]!$", text):
        base, step = before.groups()
        return f"add {base}, {base}, {step}\n{text[: before.start()]}[{base}]"
    return text


def _words(code: str) -> list[str]:
    return [code[start : start + 8] for start in range(0, len(code), 8)]
