"""Say, before a change of a contract is saved, what it does to past days (docs/rules.md F17)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from registry.periods import DAY, Days, half_open
from reservations.contracts.profiles import FIRST_DAY
from reservations.contracts.terms import Terms, terms_of
from reservations.models import ContractVersion, ReservationUpdate, UpdateState
from reservations.settlement.energy import Energy, of_watts

MAX_DAYS = 1500
"""How many past days have their energy added up; of more, no energy is stated."""


def retroactive_effects(version: ContractVersion, to: Terms, time_zone: str, today: date) -> list[str]:
    """Return what happens to the days before `today` when `to` becomes the next version.

    Args:
        version: The current version.
        to: The terms of the next version.
        time_zone: The time zone of `to`.
        today: The market's day.

    Returns:
        Sentences; none for a draft, and none where no day is past.
    """
    if version.state == ContractVersion.State.DRAFT:
        return []
    then = half_open(to.first, to.last) if to.last is None or to.last >= to.first else version.period
    first = max(FIRST_DAY, min(version.period.lower, then.lower))
    past = [day for day in _days(first, today) if day in version.period or day in then]
    settled = _settled(version, first, today)
    changing = [day for day in past if day not in settled]
    staying = [day for day in past if day in settled and day in then]
    sentences = []
    if changing:
        count = _days_in_words(
            changing, "{} has no update that counts, and changes", "{} have no update that counts, and change"
        )
        sentences.append(
            f"What you save holds for every day of the contract. Of those that are past, {count} with it."
        )
        if len(changing) <= MAX_DAYS:
            before = _energy(terms_of(version), version.time_zone, version.period, changing)
            after = _energy(to, time_zone, then, changing)
            sentences.append(f"Contracted there: {before} at present, {after} by what stands in this form.")
    if staying:
        count = _days_in_words(
            staying, "{} has updates that count, and stays", "{} have updates that count, and stay"
        )
        sentences.append(f"{count} with the version that these were checked against.")
    return sentences


def _days(first: date, end: date) -> list[date]:
    return [first + DAY * number for number in range((end - first).days)]


def _settled(version: ContractVersion, first: date, end: date) -> set[date]:
    """Return the days from `first` up to `end`, half-open, that have updates that count."""
    counting = UpdateState.objects.current().filter(state__in=UpdateState.COUNTING)
    updates = ReservationUpdate.objects.filter(
        contract=version.contract_id, period__gte=first, period__lt=end, pk__in=counting.values("update")
    )
    return set(updates.order_by().values_list("period", flat=True).distinct())


def _energy(terms: Terms, time_zone: str, within: Days, days: Sequence[date]) -> Energy:
    """Return the energy contracted on those `days` that are `within` the contract."""
    of_days = (
        of_watts(terms.profile.watts_on(day, terms.isp_minutes, time_zone), terms.isp_minutes)
        for day in days
        if day in within
    )
    return sum(of_days, Energy())


def _days_in_words(days: Sequence[date], one: str, more: str) -> str:
    """Return the days in words: `1 day, 2026-03-01, has …`, or `5 days from 2026-02-01 to 2026-03-01 have …`."""
    if len(days) == 1:
        return one.format(f"1 day, {days[0]},")
    return more.format(f"{len(days):,} days from {days[0]} to {days[-1]}")
