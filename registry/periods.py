"""Days: inclusive in messages, files and on screens; half-open `[first, last + 1)` in the database.

This is the one place that converts between the two (docs/rules.md D1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

DAY = timedelta(days=1)
Days = Range[date]
FAR = 10
"""Days further from today than so many years are unlikely to be meant."""


def half_open(first: date, last: date | None) -> Days:
    """The days from `first` to `last`, both inclusive; open-ended without `last`.

    9999-12-31, the last day that the calendar has, means open-ended too. The result is empty where `last` is before
    `first`.
    """
    upper = day_after(last)
    if upper is not None and upper <= first:
        return Range(empty=True)
    return Range(first, upper, "[)")


def day_after(last: date | None) -> date | None:
    """The first day after an inclusive `last`; None where there is none."""
    return None if last is None or last == date.max else last + DAY


def last_day(days: Days) -> date | None:
    """The last day, inclusive, of a stored period; None where it is open-ended."""
    return None if days.upper is None else days.upper - DAY


def last_day_sql(days: str) -> str:
    """The last day, inclusive, in SQL, null where it is open-ended: `days` is an expression of a stored period."""
    return f"upper({days}) - 1"


def in_words(days: Days) -> str:
    """A stored period as people read it, its last day included: `2026-01-01 to 2026-03-31`."""
    last = last_day(days)
    if last == days.lower:
        return str(days.lower)
    return f"{days.lower} to {last}" if last else f"from {days.lower}"


def list_in_words(periods: Multirange[date] | Iterable[Days]) -> str:
    """Several stored periods as people read them, joined by commas."""
    return ", ".join(in_words(days) for days in periods)


def distance(day: date, today: date) -> str:
    """How far a day more than FAR years from today is from it: `1,999 years before today`; else empty."""
    earlier, later = sorted((day, today))
    anniversary = (later.month, later.day), (earlier.month, earlier.day)
    years = later.year - earlier.year - (anniversary[0] < anniversary[1])
    if years < FAR or (years == FAR and anniversary[0] == anniversary[1]):
        return ""
    return f"{years:,} years {'before' if day < today else 'after'} today"


def day_after_sql(last: str) -> str:
    """The first day after an inclusive last day, in SQL: `last` is an expression of a date that may be null."""
    return f"nullif({last}, DATE '9999-12-31') + 1"
