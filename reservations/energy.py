"""The energy of what is reserved, each direction for itself, and how people read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reservations.isps import HOUR
from reservations.remaining import DayFigures


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in watt-minutes: `up` of positive power, `down`, which is not above 0, of negative power."""

    up: int = 0
    down: int = 0

    @classmethod
    def of(cls, watts: int, minutes: int) -> Energy:
        return cls(up=watts * minutes) if watts > 0 else cls(down=watts * minutes)

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


def of_day(day: DayFigures) -> Totals:
    """The energy of a contract on a day."""
    sums = [0] * 6
    for run in day.runs():
        place = 0 if run.contracted > 0 else 1
        many = run.last - run.first + 1
        sums[place] += run.contracted * many
        sums[place + 2] += run.remaining * many
        sums[place + 4] += run.released * many
    minutes = day.version.isp_minutes
    up_down = [Energy(up * minutes, down * minutes) for up, down in zip(sums[::2], sums[1::2], strict=True)]
    return Totals(*up_down)


def total(parts: Iterable[Totals]) -> Totals:
    """The sum of several."""
    return sum(parts, Totals())


def _kwh(watt_minutes: int) -> str:
    watt_hours = (2 * abs(watt_minutes) + HOUR) // (2 * HOUR)
    said = f"{watt_hours // 1000:,}.{watt_hours % 1000:03}".rstrip("0").rstrip(".")
    return f"{'−' if watt_minutes < 0 else ''}{said} kWh"
