"""Published times of boards and counts of the same networks in, factors and their error out.

A call is taken to last

    factor x cycles / clock  +  exposed x 64 B x L2 misses / (2 x memcpy)

where cycles are llvm-mca's, memcpy is the published rate at which one core of the board copies
memory (reading alone is twice as fast), and `exposed` is the share of that reading that does
not hide behind arithmetic. It is one number for all cores without a third-level cache and 0
for those that have one, as the count ends at the second level. A factor belongs to a core.

`sigma` is in logarithms and over all cores: how far boards are off that the fit did not see,
and networks that it did not see, added as independent, since ours are neither.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNTED = HERE / "counted.csv"
LINE = 64  # bytes of a cache line
THIRD_LEVEL = ("Cortex-A76", "Cortex-A78")  # cores with a cache that the count does not follow
NCNN = "1.0.20261020"  # the version that was counted
# When ncnn last rewrote its kernels for these cores ("infrastructure and optimization for a53
# and a55", "arm optimization for convolution int8 packed"): what was published before tells of
# other code than what was counted.
SINCE_FLOAT, SINCE_INT8 = "2023-04-07", "2023-11-15"
STEPS = 50  # of the search for `exposed`, from none to all


@dataclass(frozen=True)
class Call:
    """What one call takes on an emulated core."""

    instructions: float
    cycles: float
    l2_misses: float


@dataclass(frozen=True)
class Board:
    """A board or device; `counted` is the emulated core that stands for its own."""

    name: str
    core: str
    counted: str
    ghz: float
    memcpy: float

    def compute(self, call: Call) -> float:
        """Milliseconds of llvm-mca's cycles."""
        return call.cycles / self.ghz / 1e6

    def plain(self, call: Call) -> float:
        """Milliseconds at one instruction a cycle."""
        return call.instructions / self.ghz / 1e6

    def memory(self, call: Call) -> float:
        """Milliseconds to read what the second level missed."""
        return LINE * call.l2_misses / (2 * self.memcpy) / 1e3


@dataclass(frozen=True)
class Row:
    """A published time, and what it is to be explained by, in milliseconds."""

    board: str
    core: str
    network: str
    published: float
    compute: float
    plain: float
    memory: float


@dataclass(frozen=True)
class Estimate:
    """Milliseconds with an interval of two sigma."""

    p50: float
    low: float
    high: float


@dataclass(frozen=True)
class Held:
    """A time published elsewhere, of one thread or several, and what the model says."""

    board: Board
    network: str
    published: float
    threads: int
    estimate: Estimate
    source: str
    remark: str

    @property
    def words(self) -> str:
        """What is known of one thread."""
        if self.threads == 1:
            return f"{self.published:g}"
        return f"{self.published:g} to {self.published * self.threads:g}"


@dataclass(frozen=True)
class Model:
    """What the boards taught.

    Attributes
    ----------
    factors : of llvm-mca's cycles, by core.
    cpi : cycles an instruction, by core, of the cross-check that knows nothing else.
    exposed : share of the reading from memory that is waited for.
    sigma, sigma_plain : error on what was left out, of the model and of the cross-check.
    """

    factors: dict[str, float]
    cpi: dict[str, float]
    exposed: float
    sigma: float
    sigma_plain: float

    def estimate(self, board: Board, call: Call) -> Estimate:
        """How long a call takes on a board."""
        exposed = _exposed(board.core, self.exposed)
        p50 = self.factors[board.core] * board.compute(call) + exposed * board.memory(call)
        return _interval(p50, self.sigma)

    def of(self, row: Row) -> float:
        """What the model says of a published time."""
        return row.published / math.exp(error(row, self.factors[row.core], self.exposed))

    def plain(self, board: Board, call: Call) -> Estimate:
        """The same by instructions alone."""
        return _interval(self.cpi[board.core] * board.plain(call), self.sigma_plain)


def read_calls() -> dict[tuple[str, str], Call]:
    """Calls of counted networks, by core and network."""
    return {
        (row["core"], row["network"]): Call(
            float(row["instructions"]), float(row["cycles"]), float(row["l2_misses"])
        )
        for row in records(COUNTED)
    }


def read_devices() -> list[Board]:
    """The devices to predict for."""
    return [_board(record) for record in records(HERE / "devices.csv")]


def validate(model: Model) -> list[Held]:
    """What the model says of networks in another engine, whose time was published."""
    calls = read_calls()
    found = []
    for r in records(HERE / "validation.csv"):
        board = _board(r)
        estimate = model.estimate(board, calls[board.counted, r["network"]])
        threads, ms = int(r["threads"]), float(r["ms"])
        found.append(Held(board, r["network"], ms, threads, estimate, r["source"], r["remark"]))
    return found


def read_rows(old: bool = False) -> list[Row]:
    """Every published time of a network that was counted, also of old kernels if so wanted."""
    calls = read_calls()
    boards = {record["name"]: record for record in records(HERE / "boards.csv")}
    rows = []
    for record in records(HERE / "published.csv"):
        network, board = record["network"], _board(boards[record["board"]])
        since = SINCE_INT8 if network.endswith("int8") else SINCE_FLOAT
        call = calls.get((board.counted, network))
        if call and (old or boards[board.name]["published"] >= since):
            parts = board.compute(call), board.plain(call), board.memory(call)
            rows.append(Row(board.name, board.core, network, float(record["ms"]), *parts))
    return rows


def fit(rows: Sequence[Row]) -> Model:
    """Factors, the exposed share that serves boards unseen best, and the error on those."""
    tried = [step / STEPS for step in range(STEPS + 1)]
    exposed = min(tried, key=lambda share: spread(left_out(rows, board_of, share)))
    cores = sorted({row.core for row in rows})
    return Model(
        {core: factor(_of(rows, core), exposed) for core in cores},
        {core: cpi(_of(rows, core)) for core in cores},
        exposed,
        sigma(rows, exposed),
        sigma(rows, None),
    )


def factor(rows: Sequence[Row], exposed: float) -> float:
    """The factor of a core at which the errors of these rows cancel, in logarithms."""
    low, high = 1e-3, 1e3
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        if sum(error(row, middle, exposed) for row in rows) > 0:
            low = middle
        else:
            high = middle
    return middle


def cpi(rows: Sequence[Row]) -> float:
    """Cycles an instruction of a core: the geometric mean of what was published."""
    return math.exp(sum(math.log(row.published / row.plain) for row in rows) / len(rows))


def error(row: Row, factor: float, exposed: float) -> float:
    """Logarithm of published over predicted."""
    memory = _exposed(row.core, exposed) * row.memory
    return math.log(row.published / (factor * row.compute + memory))


def board_of(row: Row) -> str:
    return row.board


def network_of(row: Row) -> str:
    return row.network


def left_out(
    rows: Sequence[Row], group: Callable[[Row], str], exposed: float | None
) -> dict[str, list[float]]:
    """Errors by group, each predicted by a factor from the other groups of its core.

    Without `exposed` they are those of the cross-check. A board that is alone of its core
    cannot be left out and has none.
    """
    errors: dict[str, list[float]] = {}
    for core in sorted({row.core for row in rows}):
        of = _of(rows, core)
        for name in sorted({group(row) for row in of}):
            seen = [row for row in of if group(row) != name]
            if not seen:
                continue
            out = [row for row in of if group(row) == name]
            if exposed is None:
                mean = cpi(seen)
                found = [math.log(row.published / (mean * row.plain)) for row in out]
            else:
                known = factor(seen, exposed)
                found = [error(row, known, exposed) for row in out]
            errors.setdefault(name, []).extend(found)
    return errors


def spread(errors: dict[str, list[float]]) -> float:
    """Root of the mean square of the errors, each group's mean square counted once."""
    if not errors:
        return math.nan
    squares = [sum(e * e for e in of) / len(of) for of in errors.values()]
    return math.sqrt(sum(squares) / len(squares))


def sigma(rows: Sequence[Row], exposed: float | None) -> float:
    """Error on boards and on networks that the fit did not see."""
    errors = (left_out(rows, group, exposed) for group in (board_of, network_of))
    return math.hypot(*map(spread, errors))


def _board(record: Mapping[str, str]) -> Board:
    ghz, memcpy = float(record["ghz"]), float(record["memcpy"])
    return Board(record["name"], record["core"], record["counted"], ghz, memcpy)


def _of(rows: Iterable[Row], core: str) -> list[Row]:
    return [row for row in rows if row.core == core]


def _exposed(core: str, exposed: float) -> float:
    return 0.0 if core in THIRD_LEVEL else exposed


def _interval(p50: float, sigma: float) -> Estimate:
    return Estimate(p50, p50 * math.exp(-2 * sigma), p50 * math.exp(2 * sigma))


def records(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
