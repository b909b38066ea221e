"""The power that a contract reserves, ISP by ISP: for every day, for days of the week, and for single days.

Watts are signed: the sign is the direction. 0 W reserves nothing, and an ISP with 0 W is not in the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from reservations import isps

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Days of the week are numbered from 1, Monday, as by ISO 8601."""

MOST_WATTS = 10**12


@dataclass(frozen=True, slots=True)
class Stretch:
    """ISPs `first` to `last`, both inclusive, from 1, with the same power in watts."""

    first: int
    last: int
    watts: int


Stretches = tuple[Stretch, ...]


class ProfileError(ValueError):
    """A profile that cannot be: `days` says whose (`every day`, `Monday`, `2026-12-25`), the text what is wrong."""

    def __init__(self, days: str, text: str) -> None:
        self.days = days
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is reserved when: a single day's own stretches, else those of its day of the week, else those of every day.

    Stretches of every day and of a day of the week count the ISPs of a usual day by the clock on the wall; those of
    a single day count that day's own (docs/rules.md F16). Empty stretches reserve nothing.
    """

    every_day: Stretches = ()
    weekdays: Mapping[int, Stretches] = field(default_factory=dict)
    days: Mapping[date, Stretches] = field(default_factory=dict)

    def watts_on(self, day: date, minutes: int, time_zone: str) -> tuple[int, ...]:
        """The watts reserved in each ISP of `day`, as many as it has (docs/rules.md F16)."""
        own = self.days.get(day)
        if own is not None:
            return tuple(laid_out(own, isps.count(day, minutes, time_zone)))
        usual = laid_out(self.weekdays.get(day.isoweekday(), self.every_day), isps.usual_count(minutes))
        slots = isps.slots(day, minutes, time_zone)
        return tuple(usual[slot - 1] for slot in slots)

    def parts(self) -> list[tuple[str, Stretches]]:
        """Everything that the profile says, in order, each part named: `every day`, `Monday` …, `2026-12-25` …."""
        return [
            ("every day", self.every_day),
            *((WEEKDAYS[number - 1], self.weekdays[number]) for number in sorted(self.weekdays)),
            *((day.isoformat(), self.days[day]) for day in sorted(self.days)),
        ]


def normal(stretches: Iterable[Stretch]) -> Stretches:
    """`stretches` in the order of the day, neighbours of the same power as one, without those of 0 W.

    Profiles that reserve the same compare as equal where their stretches are normal.
    """
    joined: list[Stretch] = []
    for each in sorted(stretches, key=lambda each: each.first):
        before = joined[-1] if joined else None
        if before and (before.last + 1, before.watts) == (each.first, each.watts):
            joined[-1] = Stretch(before.first, each.last, each.watts)
        elif each.watts:
            joined.append(each)
    return tuple(joined)


def check(profile: Profile, minutes: int, time_zone: str) -> None:
    """Raises ProfileError where an ISP does not exist, is named twice, or has more than MOST_WATTS."""
    usual = isps.usual_count(minutes)
    whole = [("every day", profile.every_day, usual)]
    for number, stretches in profile.weekdays.items():
        whole.append((WEEKDAYS[number - 1], stretches, usual))
    for day, stretches in profile.days.items():
        whole.append((day.isoformat(), stretches, isps.count(day, minutes, time_zone)))
    for days, stretches, many in whole:
        _check(days, stretches, many)


def _check(days: str, stretches: Stretches, many: int) -> None:
    for each in stretches:
        if not 1 <= each.first <= each.last <= many:
            raise ProfileError(days, f"ISPs {each.first} to {each.last}: the day has ISPs 1 to {many}")
        if abs(each.watts) > MOST_WATTS:
            raise ProfileError(days, f"{each.watts} W: at most {MOST_WATTS} W either way")
    for before, after in pairwise(sorted(stretches, key=lambda each: each.first)):
        if after.first <= before.last:
            raise ProfileError(days, f"ISP {after.first} is named twice")


def laid_out(stretches: Sequence[Stretch], many: int) -> list[int]:
    """The watts of each ISP of a day of so `many`; 0 where no stretch is."""
    watts = [0] * many
    for each in stretches:
        watts[each.first - 1 : each.last] = [each.watts] * (min(each.last, many) - each.first + 1)
    return watts
