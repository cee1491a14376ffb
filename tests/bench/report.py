"""What the benchmark says: rows of figures against their limits, a table for people, one JSON object for programs."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Verdict = Literal["wish", "must", "missed", "printed", "not measured"]
_HEAD = ("row", "ours", "limit", "ratio", "spread", "must", "wish", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of ours against its limit.

    `ratio` is the median of the ratios of pairs that were measured one right behind the other, `spread` their lowest
    and highest. Without a limit, `must` and `wish` are about `ours` itself. `later` rows are judged and fail nothing.
    """

    name: str
    unit: str
    ours: float = math.nan
    limit: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    must: float | None = None
    wish: float | None = None
    lower_is_better: bool = False
    later: bool = False
    note: str = ""
    problem: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Which promise the row keeps."""
        if self.problem:
            return "not measured"
        if self.must is None:
            return "printed"
        value = self.ours if self.ratio is None else self.ratio
        if self.wish is not None and self._keeps(value, self.wish):
            return "wish"
        return "must" if self._keeps(value, self.must) else "missed"

    def _keeps(self, value: float, bound: float) -> bool:
        return value <= bound if self.lower_is_better else value >= bound

    @property
    def is_met(self) -> bool:
        """False where a promise was broken, or nobody knows whether it was kept."""
        return self.later or self.verdict not in {"missed", "not measured"}

    def __str__(self) -> str:
        return format_cells(self._cells()) + (f"  {self.problem or self.note}" if self.problem or self.note else "")

    def _cells(self) -> tuple[str, ...]:
        spread = "" if self.spread is None else f"{self.spread[0]:.2f}-{self.spread[1]:.2f}"
        verdict = self.verdict + (" (later)" if self.later and self.verdict == "missed" else "")
        limit, ratio = _figure(self.limit), "" if self.ratio is None else f"{self.ratio:.2f}"
        ours = "" if self.problem else f"{_figure(self.ours)} {self.unit}"
        return (self.name, ours, limit, ratio, spread, self._bound(self.must), self._bound(self.wish), verdict)

    def _bound(self, bound: float | None) -> str:
        return "" if bound is None else f"{'<=' if self.lower_is_better else '>='} {bound:g}"

    def figures(self) -> dict[str, Any]:
        """Everything of it, for JSON."""
        plain = {name: value for name, value in asdict(self).items() if value not in (None, "", {}) and value == value}
        return {**plain, "verdict": self.verdict}


def head() -> str:
    """The table's first line."""
    return format_cells(_HEAD)


def format_cells(cells: Sequence[str]) -> str:
    """One line of the table."""
    widths = (29, 18, 9, 6, 10, 7, 7, 12)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _figure(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def compare(
    row: Row, ours: Callable[[], float], limit: Callable[[], float], rounds: int, tell: Callable[[str], None]
) -> Row:
    """Fill a row: `rounds` pairs, each of ours and the limit back to back, the order swapped from pair to pair.

    Other work on the machine then slows both halves of a pair alike, and what drifts cancels out.
    """
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            theirs = limit()
            mine = ours()
        else:
            mine = ours()
            theirs = limit()
        pairs.append((mine, theirs))
        tell(f"{row.name}: round {number + 1} of {rounds}: {_figure(mine)} against {_figure(theirs)} {row.unit}")
    return paired(row, pairs)


def paired(row: Row, pairs: Sequence[tuple[float, float]]) -> Row:
    """Fill a row from pairs of ours and limit: the median ratio of the pairs, never the ratio of two medians."""
    ratios = [mine / theirs for mine, theirs in pairs]
    return replace(
        row,
        ours=statistics.median(mine for mine, _ in pairs),
        limit=statistics.median(theirs for _, theirs in pairs),
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
    )


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The object of the last line."""
    missed = [row.name for row in rows if not row.is_met]
    return {"ok": not missed, "missed": missed, "rows": [row.figures() for row in rows]}
