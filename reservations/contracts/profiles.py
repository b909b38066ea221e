"""The power that a contract reserves in each ISP of every day, of days of the week and of single days.

Watts are signed: the sign is the direction. An ISP with 0 W is not in the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from reservations.isps import calendar

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Names of the days of the week. Their numbers start at 1 for Monday, as in ISO 8601."""

MOST_WATTS = 10**12
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)
"""The first and the last day that a contract may have."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The same power in watts in ISPs `first` to `last`, both inclusive, numbered from 1."""

    first: int
    last: int
    watts: int


Stretches = tuple[Stretch, ...]


class ProfileError(ValueError):
    """A profile that is not valid; the text says why.

    Attributes:
        days: The part of the profile: `every day`, `Monday`, `2026-12-25`.
        column: The wrong value, by the name of its column in a file.
        stretch: The index, from 0, of the wrong stretch in this part, in the order given.
        other: The index of an earlier stretch that names the same ISPs.
    """

    def __init__(
        self, days: str, text: str, column: str = "days", stretch: int | None = None, other: int | None = None
    ) -> None:
        self.days, self.column, self.stretch, self.other = days, column, stretch, other
        super().__init__(text)

    @property
    def is_out_of_bounds(self) -> bool:
        """Return whether the error is about ISPs that the day does not have."""
        return self.column in ("first_isp", "last_isp") and self.other is None


@dataclass(frozen=True, slots=True)
class Profile:
    """The reserved power of each kind of day.

    A day uses its own stretches in `days`. Without them it uses the stretches of its day of the week, and otherwise
    `every_day`. Empty stretches reserve nothing.

    In `every_day` and `weekdays`, ISPs are numbered by local clock time, as on a day without a change of the clock. In
    `days`, they are the ISPs of that day itself (docs/rules.md F16).
    """

    every_day: Stretches = ()
    weekdays: Mapping[int, Stretches] = field(default_factory=dict)
    days: Mapping[date, Stretches] = field(default_factory=dict)

    def watts_on(self, day: date, minutes: int, time_zone: str) -> tuple[int, ...]:
        """Return the watts reserved in each ISP of `day`, one value for each ISP that it has (docs/rules.md F16)."""
        own = self.days.get(day)
        if own is not None:
            return tuple(watts_per_isp(own, calendar.count(day, minutes, time_zone)))
        usual = watts_per_isp(
            self.weekdays.get(day.isoweekday(), self.every_day), calendar.usual_count(minutes)
        )
        slots = calendar.slots(day, minutes, time_zone)
        return tuple(usual[slot - 1] for slot in slots)

    def parts(self) -> list[tuple[str, Stretches]]:
        """Return all parts in order, each with its name: `every day`, `Monday` …, `2026-12-25` …."""
        return [
            ("every day", self.every_day),
            *((WEEKDAYS[number - 1], self.weekdays[number]) for number in sorted(self.weekdays)),
            *((day.isoformat(), self.days[day]) for day in sorted(self.days)),
        ]


def normalised_stretches(stretches: Iterable[Stretch]) -> Stretches:
    """Return `stretches` sorted, with neighbours of the same power joined and stretches of 0 W removed.

    Profiles that reserve the same power are equal after this.
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
    """Raise the first error of `profile`, if there is one.

    Raises:
        ProfileError: An ISP does not exist, is named twice, or has more than MOST_WATTS.
    """
    for fault in faults(profile, minutes, time_zone):
        raise fault


def faults(profile: Profile, minutes: int, time_zone: str) -> Iterator[ProfileError]:
    """Yield all errors of `profile`, in the order of its parts."""
    usual = calendar.usual_count(minutes)
    yield from _faults("every day", profile.every_day, usual)
    for number, stretches in profile.weekdays.items():
        yield from _faults(WEEKDAYS[number - 1], stretches, usual)
    for day, stretches in profile.days.items():
        if FIRST_DAY <= day <= LAST_DAY:
            yield from _faults(day.isoformat(), stretches, calendar.count(day, minutes, time_zone))
        else:
            yield ProfileError(day.isoformat(), f"not a day from {FIRST_DAY} to {LAST_DAY}")


def _faults(days: str, stretches: Stretches, count: int) -> Iterator[ProfileError]:
    for place, each in enumerate(stretches):
        if not 1 <= each.first <= each.last <= count:
            column = "last_isp" if 1 <= each.first <= count else "first_isp"
            wrong = "it ends before it begins" if each.last < each.first else f"the day has ISPs 1 to {count}"
            text = f"ISPs {each.first} to {each.last}: {wrong}"
            yield ProfileError(days, text, column, place)
        if abs(each.watts) > MOST_WATTS:
            text = f"{each.watts} W: at most {MOST_WATTS} W either way"
            yield ProfileError(days, text, "reserved_w", place)
    furthest, whose = 0, 0
    for place, each in sorted(enumerate(stretches), key=lambda found: (found[1].first, found[0])):
        last = min(each.last, furthest, count)
        if max(each.first, 1) <= last:
            twice = f"ISP {last} is" if each.first == last else f"ISPs {each.first} to {last} are"
            other, later = sorted((place, whose))
            yield ProfileError(days, f"{twice} named twice", "first_isp", later, other)
        if each.last > furthest:
            furthest, whose = each.last, place


def from_watts(watts: Iterable[int]) -> Stretches:
    """Return the stretches of a day with these watts, one for each ISP."""
    return normalised_stretches(Stretch(isp, isp, power) for isp, power in enumerate(watts, start=1))


def converted(profile: Profile, minutes: int, to: int) -> Profile:
    """Convert a profile from ISPs of `minutes` to ISPs of `to` minutes.

    It is returned unchanged when a stretch begins or ends within one of the new ISPs.
    """

    def convert(stretches: Stretches) -> Stretches:
        return tuple(
            Stretch((each.first - 1) * minutes // to + 1, each.last * minutes // to, each.watts)
            for each in stretches
        )

    stretches = [each for _, part in profile.parts() for each in part]
    if any(edge * minutes % to for each in stretches for edge in (each.first - 1, each.last)):
        return profile
    return Profile(
        convert(profile.every_day),
        {number: convert(part) for number, part in profile.weekdays.items()},
        {day: convert(part) for day, part in profile.days.items()},
    )


def watts_per_isp(stretches: Sequence[Stretch], count: int) -> list[int]:
    """Return the watts of each of `count` ISPs of a day; 0 in an ISP that no stretch names."""
    watts = [0] * count
    for each in stretches:
        watts[each.first - 1 : each.last] = [each.watts] * (min(each.last, count) - each.first + 1)
    return watts
