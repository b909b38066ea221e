"""Local clock times of ISPs, and power as text, for staff to read and to type."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from reservations.isps import calendar

TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DayTimes:
    """The local clock times of the ISPs of a day.

    Attributes:
        minutes: The minutes of an ISP.
        boundaries: The start of each ISP as text, and last the end of the last one.
        clock_minutes: The minutes after midnight on the local clock at the start of each ISP.
        note: A sentence about a change of the clock on this day; empty without one.
    """

    minutes: int
    boundaries: tuple[str, ...]
    clock_minutes: tuple[int, ...]
    note: str = ""

    @property
    def count(self) -> int:
        """Return the number of ISPs."""
        return len(self.clock_minutes)

    @property
    def slots(self) -> tuple[int, ...]:
        """Return the local start of each ISP as a number from 1; see `calendar.slots`."""
        return tuple(wall // self.minutes + 1 for wall in self.clock_minutes)

    def span(self, first: int, last: int) -> str:
        """Return the clock times of ISPs `first` to `last`, inclusive: `07:00–22:00`."""
        return f"{self.boundaries[first - 1]}–{self.boundaries[last]}"

    def first_isp(self, text: str) -> int:
        """Return the ISP with the number `text`, or that begins at the time `text`.

        Raises:
            ValueError: There is no such ISP; the message is for staff.
        """
        return self._number(text, "begins", 1)

    def last_isp(self, text: str) -> int:
        """Return the ISP with the number `text`, or that ends at the time `text`.

        Raises:
            ValueError: There is no such ISP; the message is for staff.
        """
        return self._number(text, "ends", 0)

    def _number(self, text: str, word: str, offset: int) -> int:
        text = text.strip()
        if re.fullmatch(r"\d{1,5}", text, re.ASCII):
            if not 1 <= int(text) <= self.count:
                raise ValueError(f"there is no ISP {text}: the day has ISPs 1 to {self.count}")
            return int(text)
        found = TIME.fullmatch(text)
        wall = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else -1
        if not 0 <= wall <= calendar.DAY:
            raise ValueError(f"“{text}” is neither a time, such as 07:00, nor the number of an ISP")
        if wall % self.minutes:
            raise ValueError(f"no ISP {word} at {text}: each takes {self.minutes} minutes")
        if word == "ends" and not wall:
            wall = calendar.DAY
        isp = (
            next((index for index, begins in enumerate(self.clock_minutes) if begins >= wall), self.count)
            + offset
        )
        if not 1 <= isp <= self.count:
            raise ValueError(f"no ISP of this day {word} at {text}")
        return isp


@lru_cache(maxsize=64)
def usual_day(minutes: int) -> DayTimes:
    """Return the clock times of a day on which the clock does not change."""
    walls = tuple(range(0, calendar.DAY, minutes))
    return DayTimes(minutes, tuple(_clock(wall) for wall in (*walls, calendar.DAY)), walls)


@lru_cache(maxsize=1 << 10)
def of_day(day: date, minutes: int, time_zone: str) -> DayTimes:
    """Return the clock times of `day`. A time that comes twice has the abbreviation of its zone beside it."""
    here = [moment.astimezone(ZoneInfo(time_zone)) for moment in calendar.starts(day, minutes, time_zone)]
    walls = tuple(moment.hour * 60 + moment.minute for moment in here)
    like_others = usual_day(minutes)
    if walls == like_others.clock_minutes:
        return like_others
    often = Counter(walls)
    edges = [
        f"{_clock(wall)} {moment:%Z}" if often[wall] > 1 else _clock(wall)
        for wall, moment in zip(walls, here, strict=True)
    ]
    note = [f"The clock changes on this day, which has {len(walls)} ISPs"]
    for words, times in (
        ("come twice", [wall for wall in like_others.clock_minutes if often[wall] > 1]),
        ("do not come", [wall for wall in like_others.clock_minutes if not often[wall]]),
    ):
        if times:
            note.append(f"the times from {_clock(times[0])} to {_clock(times[-1] + minutes)} {words}")
    return DayTimes(minutes, (*edges, _clock(calendar.DAY)), walls, f"{': '.join(note)}.")


def in_watts(watts: int) -> str:
    """Return exact watts as text: `1,500 W`, `−1,500 W`."""
    return f"{watts:,} W".replace("-", "−")


def in_power(watts: int) -> str:
    """Return exact power as text in the largest unit that needs at most two decimals: `1.5 kW`."""
    for unit, size in (("GW", 10**9), ("MW", 10**6), ("kW", 10**3)):
        if abs(watts) >= size and watts % (size // 100) == 0:
            return f"{watts / size:g} {unit}".replace("-", "−")
    return in_watts(watts)


def _clock(wall: int) -> str:
    return f"{wall // 60:02}:{wall % 60:02}"
