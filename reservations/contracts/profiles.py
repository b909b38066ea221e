"""The power that a contract reserves, ISP by ISP: for every day, for days of the week, and for single days.

Watts are signed: the sign is the direction. 0 W reserves nothing, and an ISP with 0 W is not in the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from reservations.isps import calendar

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Days of the week are numbered from 1, Monday, as by ISO 8601."""

MOST_WATTS = 10**12
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)
"""The days that a contract can be about."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """ISPs `first` to `last`, both inclusive, from 1, with the same power in watts."""

    first: int
    last: int
    watts: int


Stretches = tuple[Stretch, ...]


class ProfileError(ValueError):
    """A profile that cannot be: `days` says whose (`every day`, `Monday`, `2026-12-25`), the text what is wrong.

    `stretch` is the place, from 0, of the wrong one among the stretches of these days as given; `other` that of the one
    before it that names the same ISPs; `column` what is wrong of it, by the name of its column in a file.
    """

    def __init__(
        self, days: str, text: str, column: str = "days", stretch: int | None = None, other: int | None = None
    ) -> None:
        self.days, self.column, self.stretch, self.other = days, column, stretch, other
        super().__init__(text)

    @property
    def is_out_of_bounds(self) -> bool:
        """Whether it is about ISPs that the day does not have."""
        return self.column in ("first_isp", "last_isp") and self.other is None


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
            return tuple(laid_out(own, calendar.count(day, minutes, time_zone)))
        usual = laid_out(self.weekdays.get(day.isoweekday(), self.every_day), calendar.usual_count(minutes))
        slots = calendar.slots(day, minutes, time_zone)
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
    for fault in faults(profile, minutes, time_zone):
        raise fault


def faults(profile: Profile, minutes: int, time_zone: str) -> Iterator[ProfileError]:
    """Everything that is wrong with `profile`, in the order of its parts."""
    usual = calendar.usual_count(minutes)
    yield from _faults("every day", profile.every_day, usual)
    for number, stretches in profile.weekdays.items():
        yield from _faults(WEEKDAYS[number - 1], stretches, usual)
    for day, stretches in profile.days.items():
        if FIRST_DAY <= day <= LAST_DAY:
            yield from _faults(day.isoformat(), stretches, calendar.count(day, minutes, time_zone))
        else:
            yield ProfileError(day.isoformat(), f"not a day from {FIRST_DAY} to {LAST_DAY}")


def _faults(days: str, stretches: Stretches, many: int) -> Iterator[ProfileError]:
    for place, each in enumerate(stretches):
        if not 1 <= each.first <= each.last <= many:
            column = "last_isp" if 1 <= each.first <= many else "first_isp"
            wrong = "it ends before it begins" if each.last < each.first else f"the day has ISPs 1 to {many}"
            text = f"ISPs {each.first} to {each.last}: {wrong}"
            yield ProfileError(days, text, column, place)
        if abs(each.watts) > MOST_WATTS:
            text = f"{each.watts} W: at most {MOST_WATTS} W either way"
            yield ProfileError(days, text, "reserved_w", place)
    furthest, whose = 0, 0
    for place, each in sorted(enumerate(stretches), key=lambda found: (found[1].first, found[0])):
        last = min(each.last, furthest, many)
        if max(each.first, 1) <= last:
            twice = f"ISP {last} is" if each.first == last else f"ISPs {each.first} to {last} are"
            other, later = sorted((place, whose))
            yield ProfileError(days, f"{twice} named twice", "first_isp", later, other)
        if each.last > furthest:
            furthest, whose = each.last, place


def from_watts(watts: Iterable[int]) -> Stretches:
    """Return the stretches of a day with these watts, one for each ISP."""
    return normal(Stretch(isp, isp, power) for isp, power in enumerate(watts, start=1))


def converted(profile: Profile, minutes: int, to: int) -> Profile:
    """Return a profile that has ISPs of `minutes` with ISPs of `to` minutes; unchanged where that is impossible."""

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


def laid_out(stretches: Sequence[Stretch], many: int) -> list[int]:
    """The watts of each ISP of a day of so `many`; 0 where no stretch is."""
    watts = [0] * many
    for each in stretches:
        watts[each.first - 1 : each.last] = [each.watts] * (min(each.last, many) - each.first + 1)
    return watts
