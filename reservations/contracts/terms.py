"""The terms of a contract, their validation, and their text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from common.identifiers import is_entity_address, odd_character
from registry.models import Market
from registry.periods import half_open, in_words, last_day
from reservations.contracts import profiles
from reservations.contracts.profiles import (
    FIRST_DAY,
    LAST_DAY,
    Profile,
    Stretch,
    Stretches,
    normalised_stretches,
)
from reservations.contracts.stored_profiles import profiles_of
from reservations.deadlines import Deadline
from reservations.isps import calendar
from reservations.isps.clock_times import in_watts
from reservations.models import LONGEST_CONTRACT_ID, ContractVersion

EARLIEST_DEADLINE_DAYS = 366
EARLIEST_DEADLINE_HOURS = 24 * EARLIEST_DEADLINE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a contract says. Its days are `first` to `last`, inclusive; it is open-ended when `last` is None."""

    congestion_point: str
    first: date
    last: date | None
    isp_minutes: int
    deadline: Deadline
    profile: Profile


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a contract is not valid.

    Attributes:
        field: The column of the CSV file, or empty.
        text: A sentence for staff.
        days: The part of the profile: `every day`, `Monday`, `2026-12-25`; otherwise empty.
        stretch: The index, from 0, of the wrong stretch in that part, in the order given.
        other: The index of another stretch that names the same ISPs.
    """

    field: str
    text: str
    days: str = ""
    stretch: int | None = None
    other: int | None = None


class ContractError(ValueError):
    """A contract that is not valid, or a change of it that is not allowed; the texts are for staff.

    Attributes:
        problems: All problems.
        errors: For each problem the field (a column of the CSV file, or empty) and a sentence.
        field: The field of the first problem.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        self.errors = [
            (each.field, f"{each.days}: {each.text}" if each.days else each.text) for each in problems
        ]
        self.field = self.errors[0][0]
        super().__init__(" ".join(text for _, text in self.errors))


def terms_of(version: ContractVersion, profile: Profile | None = None) -> Terms:
    """Return the terms of `version`; its profile is read from the database when `profile` is None."""
    return Terms(
        congestion_point=version.congestion_point,
        first=version.period.lower,
        last=last_day(version.period),
        isp_minutes=version.isp_minutes,
        deadline=version.deadline,
        profile=profiles_of([version])[version.pk] if profile is None else profile,
    )


def problems(terms: Terms, market: Market, time_zone: str = "") -> Iterator[Problem]:
    """Yield the problems of `terms` in `market`.

    `time_zone` is the time zone of an earlier version whose ISPs the terms keep. With it, another ISP duration than the
    market's is allowed.
    """
    address = terms.congestion_point
    if not is_entity_address(address):
        odd = odd_character(address)
        yield Problem(
            "congestion_point",
            f"{address!r} is not an entity address: ean. and 12 to 34 digits, or ea1., a month, a domain backwards, a"
            f" colon and a name, such as ea1.2026-01.example.grid:feeder-7.{odd and f' It has {odd}.'}",
        )
    yield from _problems_of_days(terms.first, terms.last)
    yield from _problems_of_deadline(terms.deadline)
    other_isps = not time_zone and terms.isp_minutes != calendar.minutes_of(market.isp_duration)
    if other_isps:
        duration = calendar.duration_of(terms.isp_minutes)
        yield Problem(
            "isp_duration", f"{duration} is not the market's ISP duration, which is {market.isp_duration}."
        )
    if 0 < terms.isp_minutes <= calendar.HOUR and calendar.HOUR % terms.isp_minutes == 0:
        for fault in profiles.faults(terms.profile, terms.isp_minutes, time_zone or market.time_zone):
            if not (other_isps and fault.is_out_of_bounds):
                yield Problem(fault.column, f"{fault}.", fault.days, fault.stretch, fault.other)
    for day in terms.profile.days:
        if day < terms.first or (terms.last is not None and day > terms.last):
            days = in_words(half_open(terms.first, terms.last)) if terms.first <= (terms.last or day) else ""
            yield Problem(
                "days", f"This day lies outside the contract's days{days and f', {days}'}.", str(day)
            )


def problems_of_id(contract_id: str) -> Iterator[Problem]:
    """Yield the problem of a ContractID, if there is one."""
    if not contract_id:
        yield Problem("contract_id", "Give the ContractID on which the DSO and the AGR have agreed.")
    elif len(contract_id) > LONGEST_CONTRACT_ID:
        yield Problem("contract_id", f"A ContractID has at most {LONGEST_CONTRACT_ID} characters.")
    elif odd := odd_character(contract_id):
        yield Problem(
            "contract_id",
            f"{contract_id!r} has {odd}; a ContractID is printable ASCII without white space at its ends.",
        )


def normalised(terms: Terms) -> Terms:
    """Return `terms` with a normalised profile. Terms that mean the same are equal after this."""
    profile = terms.profile
    return replace(
        terms,
        profile=Profile(
            normalised_stretches(profile.every_day),
            {number: normalised_stretches(profile.weekdays[number]) for number in sorted(profile.weekdays)},
            {day: normalised_stretches(profile.days[day]) for day in sorted(profile.days)},
        ),
    )


def terms_in_words(terms: Terms, state: str, time_zone: str) -> dict[str, str]:
    """Return the content of a version as text by name, the profile part by part.

    Versions with the same text have the same content.
    """
    tidy = normalised(terms)
    return {
        "state": str(state),
        "congestion point": tidy.congestion_point,
        "days": in_words(half_open(tidy.first, tidy.last)),
        "ISP duration": calendar.duration_of(tidy.isp_minutes),
        "time zone": time_zone,
        "deadline": str(tidy.deadline),
        **{days: _stretches_in_words(stretches) for days, stretches in tidy.profile.parts()},
    }


def _problems_of_days(first: date, last: date | None) -> Iterator[Problem]:
    for field, day in (("start", first), ("end", None if last == date.max else last)):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            yield Problem(field, f"{day} is not a day from {FIRST_DAY} to {LAST_DAY}.")
    if last is not None and last < first:
        yield Problem("end", f"The last day, {last}, lies before the first, {first}.")


def _problems_of_deadline(deadline: Deadline) -> Iterator[Problem]:
    days, at, hours = deadline.days, deadline.at, deadline.hours
    if (days is None and at is None) == (hours is None):
        yield Problem(
            "deadline_hours",
            "Give either the days before the Period and a time of day, or the hours before its first ISP.",
        )
    elif hours is None and at is None:
        yield Problem("deadline_time", "Give the time of day too.")
    elif hours is None and days is None:
        yield Problem("deadline_days", "Give the number of days before the Period too.")
    if at is not None and at.microsecond:
        yield Problem("deadline_time", "Give the time of day to the second at most.")
    for field, number, most in (
        ("deadline_days", days, EARLIEST_DEADLINE_DAYS),
        ("deadline_hours", hours, EARLIEST_DEADLINE_HOURS),
    ):
        if number is not None and not 0 <= number <= most:
            yield Problem(field, f"{number}: give a number from 0 to {most}.")


def _stretches_in_words(stretches: Stretches) -> str:
    return ", ".join(f"{_isps(each)}: {in_watts(each.watts)}" for each in stretches) or "nothing"


def _isps(stretch: Stretch) -> str:
    return str(stretch.first) if stretch.first == stretch.last else f"{stretch.first}-{stretch.last}"
