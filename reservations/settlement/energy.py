"""The energy of reserved power, each direction on its own, and its text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reservations.isps.calendar import HOUR
from reservations.settlement.remaining import DayFigures


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in watt-minutes: `up` of positive power (at least 0), `down` of negative power (at most 0)."""

    up: int = 0
    down: int = 0

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.up + other.up, self.down + other.down)

    def __bool__(self) -> bool:
        return bool(self.up or self.down)

    def __str__(self) -> str:
        """Return kWh to the nearest Wh: `62.5 kWh`, `−3 kWh`, `62.5 kWh and −3 kWh`."""
        return " and ".join(_kwh(each) for each in (self.up, self.down) if each) or "0 kWh"


@dataclass(frozen=True, slots=True)
class Totals:
    """Contracted and remaining energy, and the released energy, which is the rest."""

    contracted: Energy = Energy()
    remaining: Energy = Energy()

    @property
    def released(self) -> Energy:
        """Return the difference of both as they are shown, to the Wh, so that what is shown adds up."""
        contracted, remaining = self.contracted, self.remaining
        return Energy(
            HOUR * (_watt_hours(contracted.up) - _watt_hours(remaining.up)),
            HOUR * (_watt_hours(contracted.down) - _watt_hours(remaining.down)),
        )

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.contracted + other.contracted, self.remaining + other.remaining)


def of_watts(watts: Iterable[int], minutes: int) -> Energy:
    """Return the energy of `watts`, one value for each ISP of `minutes`."""
    found = list(watts)
    return Energy(
        minutes * sum(each for each in found if each > 0), minutes * sum(each for each in found if each < 0)
    )


def of_day(day: DayFigures) -> Totals:
    """Return the energy of a contract on a day."""
    minutes = day.version.isp_minutes
    up = _sums(day, minutes, above=True) if max(day.contracted) > 0 else (0, 0)
    down = _sums(day, minutes, above=False) if min(day.contracted) < 0 else (0, 0)
    return Totals(*(Energy(*both) for both in zip(up, down, strict=True)))


def _sums(day: DayFigures, minutes: int, *, above: bool) -> tuple[int, int]:
    """Return the contracted and the remaining watt-minutes in one direction.

    Remaining power always has the direction of the contracted power of its ISP.
    """
    both = []
    for watts in (day.contracted, day.remaining):
        one_way = (min(watts) >= 0) if above else (max(watts) <= 0)
        both.append(minutes * (sum(watts) if one_way else sum(each for each in watts if (each > 0) is above)))
    return both[0], both[1]


def _watt_hours(watt_minutes: int) -> int:
    """Return the energy to the nearest Wh; a half is rounded away from 0."""
    watt_hours = (2 * abs(watt_minutes) + HOUR) // (2 * HOUR)
    return -watt_hours if watt_minutes < 0 else watt_hours


def _kwh(watt_minutes: int) -> str:
    watt_hours = abs(_watt_hours(watt_minutes))
    text = f"{watt_hours // 1000:,}.{watt_hours % 1000:03}".rstrip("0").rstrip(".")
    return f"{'−' if watt_minutes < 0 else ''}{text} kWh"
