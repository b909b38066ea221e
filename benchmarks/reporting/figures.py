"""The figures: a median of this CRO, a median of the floor or the peer, their ratio, and its bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `ours` and `theirs` are the values of the ratio, in `unit`. Without `theirs`, the bound is for `ours` itself. A
    figure without a bound is for information.
    """

    number: str
    what: str
    ours: float
    unit: str
    theirs: float | None = None
    against: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """Return the ratio; without `theirs`, return `ours`."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def is_within_bound(self) -> bool:
        """Return whether the value is within the bound."""
        return not (
            (self.at_most is not None and self.value > self.at_most)
            or (self.at_least is not None and self.value < self.at_least)
        )

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Return the texts of the row: number, what, this CRO, the floor or peer, ratio, bound."""
        theirs = "" if self.theirs is None else f"{amount(self.theirs)} {self.unit} ({self.against})"
        value = "" if self.theirs is None else f"{self.value:.2f} ×"
        unit = "×" if self.theirs is not None else self.unit
        bound = ""
        if self.at_most is not None:
            bound = f"at most {self.at_most:g} {unit}"
        elif self.at_least is not None:
            bound = f"at least {self.at_least:g} {unit}"
        if bound and not self.is_within_bound:
            bound = f"**over**: {bound}" if self.at_most is not None else f"**under**: {bound}"
        return self.number, self.what, f"{amount(self.ours)} {self.unit}", theirs, value, bound


@dataclass(frozen=True)
class Series:
    """A line of a chart: (size, seconds)."""

    name: str
    points: tuple[tuple[float, float], ...]


def amount(value: float) -> str:
    """Write a number with three significant digits, and without a fraction from a thousand on."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return float(median(values))
