"""Lay out lanes of bars over days: which days a chart shows, and which of these its axis names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from registry.periods import Days

YEARS_DRAWN = 10
"""Days further from today than this are outside the chart."""

TICKS = 8
MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120)
DAY_STEPS = (1, 2, 7)


@dataclass(frozen=True, slots=True)
class Bar:
    """Days (half-open) with a `style` (effective, contested, refused, terms or marked), a label and a tooltip."""

    days: Days
    style: str
    label: str
    tooltip: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """The bars of one row of the chart."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes under a heading, and days that are marked across all of them."""

    heading: str
    lanes: tuple[Lane, ...]
    marked: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The days of a chart: from `first` up to, not including, `stop`."""

    first: date
    stop: date

    def place(self, day: date | None) -> float:
        """Return where `day` begins, in per cent of the width; None stands for an open end, at the right edge."""
        if day is None or day >= self.stop:
            return 100.0
        return 100 * max((day - self.first).days, 0) / (self.stop - self.first).days


def window(days: Sequence[Days], today: date) -> Window:
    """Return the days to draw: today, and all days on which something begins or ends, with room at both sides.

    Without any days, that is a year back and a year ahead. It is never more than YEARS_DRAWN from today.
    """
    if not days:
        return Window(_in_years(today, -1), _in_years(today, 1))
    earliest, latest = _in_years(today, -YEARS_DRAWN), _in_years(today, YEARS_DRAWN)
    edges = [today, *(edge for span in days for edge in (span.lower, span.upper) if edge)]
    first = max(min(edges), earliest)
    stop = min(max(edges), latest)
    span = (stop - first).days
    room = timedelta(days=max(span // 12, 3))
    ahead = timedelta(days=max(span // 3, 5)) if any(each.upper is None for each in days) else room
    return Window(_before(first, room), _after(stop, ahead))


def ticks(drawn: Window) -> list[tuple[date, str]]:
    """Return the days that the axis names, TICKS at most, each with its name: a year, a month or a day."""
    for step in DAY_STEPS:
        if (drawn.stop - drawn.first).days <= step * TICKS:
            return [(day, day.isoformat()) for day in _days(drawn, step)]
    for step in MONTH_STEPS:
        found = list(_months(drawn, step))
        if len(found) <= TICKS:
            break
    return [(day, f"{day:%Y-%m}" if step < 12 else f"{day:%Y}") for day in found]


def _days(drawn: Window, step: int) -> Iterator[date]:
    """Yield every `step`-th day; a step of a week begins on Mondays."""
    offset = drawn.first.weekday() if step == 7 else drawn.first.toordinal() % step
    day = drawn.first + timedelta(days=-offset % step)
    while day < drawn.stop:
        yield day
        day += timedelta(days=step)


def _months(drawn: Window, step: int) -> Iterator[date]:
    """Yield the first day of every `step`-th month, counted from the year 0."""
    month = -(-(drawn.first.year * 12 + drawn.first.month - (drawn.first.day == 1)) // step) * step
    while (day := date(month // 12, month % 12 + 1, 1)) < drawn.stop:
        yield day
        month += step


def _in_years(day: date, years: int) -> date:
    """Return the same day some years later, within the calendar; 28 February for 29 February."""
    year = min(max(day.year + years, 1), 9999)
    return day.replace(year=year, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=year)


def _before(day: date, room: timedelta) -> date:
    return day - room if day - date.min > room else date.min


def _after(day: date, room: timedelta) -> date:
    return day + room if date.max - day > room else date.max
