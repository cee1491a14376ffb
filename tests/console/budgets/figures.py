"""Figures against their bounds: what is measured, what it may be, and whether it decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; a gate fails the whole, anything else is printed for people to judge."""

    name: str
    value: float
    most: float
    unit: str
    is_gate: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it is within its bound."""
        return self.value <= self.most

    def __str__(self) -> str:
        verdict = "ok" if self.is_kept else "OVER" if self.is_gate else "over"
        value = f"{self.value:,.1f}" if self.value % 1 else f"{self.value:,.0f}"
        return f"{self.name:34} {value:>12} {self.unit:4} of {self.most:>9,.0f}  {verdict}"


def at(values: Sequence[float], share: float) -> float:
    """The value below which this share of all values is; infinite where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf
