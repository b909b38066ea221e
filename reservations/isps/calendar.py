"""ISPs (imbalance settlement periods): their number in a day, their start, and their text.

ISPs are numbered from 1. A day is a calendar day of its time zone, so it has an hour more or less when the clock
changes (docs/rules.md F16).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR, DAY = 60, 24 * 60
"""Minutes of an hour and of a day without a change of the clock."""

_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d*)?)S)?)?",
    re.ASCII,
)
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_LONGEST = 40


def minutes_of(duration: str) -> int | None:
    """Return the minutes of an xs:duration, or None if it cannot be an ISP duration.

    An ISP duration is a whole number of minutes that divides an hour. Only the length counts: PT15M, PT900S and
    P0DT0H15M are the same.
    """
    text = duration.strip(" \t\r\n")
    found = _DURATION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    seconds = sum(Decimal(found[name] or 0) * length for name, length in _SECONDS.items())
    if not 0 < seconds <= HOUR * 60:
        return None
    whole, rest = divmod(seconds, 60)
    return None if rest or HOUR % whole else int(whole)


def duration_of(minutes: int) -> str:
    """Return the xs:duration of an ISP of `minutes`: `PT15M`, `PT1H`."""
    return "PT1H" if minutes == HOUR else f"PT{minutes}M"


@lru_cache(maxsize=1 << 12)
def starts(day: date, minutes: int, time_zone: str) -> tuple[datetime, ...]:
    """Return the start of each ISP of `day`, in UTC."""
    zone = ZoneInfo(time_zone)
    begins = datetime.combine(day, time(), zone).astimezone(UTC)
    ends = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    length = timedelta(minutes=minutes)
    return tuple(begins + number * length for number in range(-((begins - ends) // length)))


def count(day: date, minutes: int, time_zone: str) -> int:
    """Return the number of ISPs of `day`: 96 quarter-hours, or 92 or 100 when the clock changes."""
    return len(starts(day, minutes, time_zone))


@lru_cache(maxsize=1 << 12)
def slots(day: date, minutes: int, time_zone: str) -> tuple[int, ...]:
    """Return the local clock time of each ISP of `day` as a number: 1 at midnight, 1 more for each `minutes`.

    On a day without a change of the clock, these are the numbers of its ISPs. The numbers of a repeated hour come
    twice. Those of a skipped hour do not come.
    """
    zone = ZoneInfo(time_zone)
    local = (moment.astimezone(zone) for moment in starts(day, minutes, time_zone))
    return tuple((moment.hour * HOUR + moment.minute) // minutes + 1 for moment in local)


def usual_count(minutes: int) -> int:
    """Return the number of ISPs of a day without a change of the clock."""
    return DAY // minutes


def converted(stated: Iterable[Sequence[int]], minutes: int, other: int) -> list[tuple[int, int, int]]:
    """Convert (Start, Duration, Power) from ISPs of `minutes` to ISPs of `other` minutes.

    An ISP is in the result when one and the same power is stated for all of its time. It is left out when a part of it
    is not named, or when its parts differ (docs/rules.md F11). Each stated ISP becomes an entry in memory, so call this
    only for ISPs that are within a day.
    """
    powers: dict[int, int] = {}
    for start, duration, power in stated:
        powers.update(dict.fromkeys(range(start, start + duration), power))
    found: list[tuple[int, int, int]] = []
    for isp in range(1, -(-max(powers, default=0) * minutes // other) + 1):
        within = range((isp - 1) * other // minutes + 1, -(-isp * other // minutes) + 1)
        powers_within = {powers.get(each) for each in within}
        stated_power = powers_within.pop()
        if powers_within or stated_power is None:
            continue
        if found and (found[-1][0] + found[-1][1], found[-1][2]) == (isp, stated_power):
            found[-1] = found[-1][0], found[-1][1] + 1, stated_power
        else:
            found.append((isp, 1, stated_power))
    return found


def in_words(numbers: Iterable[int]) -> list[str]:
    """Return ISPs as text with neighbours joined, sorted, each once: `["1-4", "7"]`."""
    return ranges_in_words((number, number) for number in numbers)


def ranges_in_words(ranges: Iterable[tuple[int, int]]) -> list[str]:
    """Return ranges of ISPs as text like `in_words`; first and last are inclusive, and a range may have any length."""
    runs: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = runs[-1][0], max(last, runs[-1][1])
        else:
            runs.append((first, last))
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs]
