"""Convert periods between inclusive days and half-open days (docs/rules.md D1).

Days are inclusive in messages, in files and on screens. They are half-open, `[first, last + 1)`, in the database. No
other module converts between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

DAY = timedelta(days=1)
Days = Range[date]
FAR = 10
"""A day more than this number of years from today is probably a mistake."""


def half_open(first: date, last: date | None) -> Days:
    """Return the days from `first` to `last` as a half-open range.

    Args:
        first: The first day.
        last: The last day, inclusive. None means open-ended, and so does 9999-12-31, the last day of the calendar.

    Returns:
        The half-open range; it is empty if `last` is before `first`.
    """
    upper = day_after(last)
    if upper is not None and upper <= first:
        return Range(empty=True)
    return Range(first, upper, "[)")


def day_after(last: date | None) -> date | None:
    """Return the first day after an inclusive last day; None if the period is open-ended."""
    return None if last is None or last == date.max else last + DAY


def last_day(days: Days) -> date | None:
    """Return the last day, inclusive, of a stored period; None if the period is open-ended."""
    return None if days.upper is None else days.upper - DAY


def last_day_sql(days: str) -> str:
    """Return SQL for the last day, inclusive, of a stored period; null if the period is open-ended.

    Args:
        days: An SQL expression for the stored period.
    """
    return f"upper({days}) - 1"


def in_words(days: Days) -> str:
    """Return a stored period for people to read, with its last day inclusive: `2026-01-01 to 2026-03-31`."""
    last = last_day(days)
    if last == days.lower:
        return str(days.lower)
    return f"{days.lower} to {last}" if last else f"from {days.lower}"


def list_in_words(periods: Multirange[date] | Iterable[Days]) -> str:
    """Return several stored periods for people to read, joined by commas."""
    return ", ".join(in_words(days) for days in periods)


def distance(day: date, today: date) -> str:
    """Return how far a day is from today, as `1,999 years before today`; empty up to FAR years."""
    earlier, later = sorted((day, today))
    anniversary = (later.month, later.day), (earlier.month, earlier.day)
    years = later.year - earlier.year - (anniversary[0] < anniversary[1])
    if years < FAR or (years == FAR and anniversary[0] == anniversary[1]):
        return ""
    return f"{years:,} years {'before' if day < today else 'after'} today"


def day_after_sql(last: str) -> str:
    """Return SQL for the first day after an inclusive last day.

    Args:
        last: An SQL expression for the last day, which may be null.
    """
    return f"nullif({last}, DATE '9999-12-31') + 1"
