"""The energy of what is reserved, each direction for itself, and how people read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reservations.isps.calendar import HOUR
from reservations.settlement.remaining import DayFigures


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in watt-minutes: `up` of positive power, `down`, which is not above 0, of negative power."""

    up: int = 0
    down: int = 0

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.up + other.up, self.down + other.down)

    def __bool__(self) -> bool:
        return bool(self.up or self.down)

    def __str__(self) -> str:
        """`62.5 kWh`, `−3 kWh`, `62.5 kWh and −3 kWh`, to the nearest Wh."""
        return " and ".join(_kwh(each) for each in (self.up, self.down) if each) or "0 kWh"


@dataclass(frozen=True, slots=True)
class Totals:
    """What was contracted, what remains reserved of it, and what was released."""

    contracted: Energy = Energy()
    remaining: Energy = Energy()
    released: Energy = Energy()

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.contracted + other.contracted,
            self.remaining + other.remaining,
            self.released + other.released,
        )


def of_watts(watts: Iterable[int], minutes: int) -> Energy:
    """The energy of so many watts in each of several ISPs of so many minutes."""
    found = list(watts)
    return Energy(
        minutes * sum(each for each in found if each > 0), minutes * sum(each for each in found if each < 0)
    )


def of_day(day: DayFigures) -> Totals:
    """The energy of a contract on a day."""
    minutes = day.version.isp_minutes
    up = _sums(day, minutes, above=True) if max(day.contracted) > 0 else (0, 0)
    down = _sums(day, minutes, above=False) if min(day.contracted) < 0 else (0, 0)
    contracted, remaining = (Energy(*both) for both in zip(up, down, strict=True))
    return Totals(
        contracted,
        remaining,
        Energy(contracted.up - remaining.up, contracted.down - remaining.down),
    )


def _sums(day: DayFigures, minutes: int, *, above: bool) -> tuple[int, int]:
    """The watt-minutes contracted and remaining in one direction; what remains has that of what is contracted."""
    both = []
    for watts in (day.contracted, day.remaining):
        one_way = (min(watts) >= 0) if above else (max(watts) <= 0)
        both.append(minutes * (sum(watts) if one_way else sum(each for each in watts if (each > 0) is above)))
    return both[0], both[1]


def _kwh(watt_minutes: int) -> str:
    watt_hours = (2 * abs(watt_minutes) + HOUR) // (2 * HOUR)
    said = f"{watt_hours // 1000:,}.{watt_hours % 1000:03}".rstrip("0").rstrip(".")
    return f"{'−' if watt_minutes < 0 else ''}{said} kWh"
