"""Power in each ISP of a contract's day: contracted, and remaining after the updates that count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.db.models import Exists, OuterRef

from registry.periods import DAY
from reservations.contracts.profiles import Profile
from reservations.contracts.stored_profiles import in_force, profiles_of
from reservations.isps import calendar
from reservations.models import (
    Contract,
    ContractVersion,
    ReservationUpdate,
    UpdateState,
)


@dataclass(frozen=True, slots=True)
class CountingUpdate:
    """An update that counts.

    `isps` holds (Start, Duration, Power) as stated. On a day that is settled in ISPs of another duration, they are
    converted to those (`calendar.converted`). `message_id` is the MessageID of the DSO's update.
    """

    id: int
    version_id: int
    reference: str
    message_id: str
    received_at: datetime
    isps: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Run:
    """ISPs `first` to `last`, both inclusive, with the same figures from the same update.

    `source` is that update, or None when no counting update names the ISPs. Power is in watts.
    """

    first: int
    last: int
    contracted: int
    remaining: int
    source: CountingUpdate | None

    @property
    def released(self) -> int:
        """Return the released watts."""
        return self.contracted - self.remaining


@dataclass(frozen=True, slots=True)
class DayFigures:
    """The figures of a contract on one day.

    Attributes:
        contract: The contract.
        day: The day.
        version: The contract version by which the day is settled.
        contracted: The contracted watts of each ISP.
        remaining: The remaining watts of each ISP.
        source: The update that states the remaining watts of each ISP; None when no counting update names the ISP.
        updates: All updates that count, in order.
    """

    contract: Contract
    day: date
    version: ContractVersion
    contracted: tuple[int, ...]
    remaining: tuple[int, ...]
    source: tuple[CountingUpdate | None, ...]
    updates: tuple[CountingUpdate, ...]

    @property
    def released(self) -> tuple[int, ...]:
        """Return the released watts of each ISP; they have the sign of the contracted power."""
        return tuple(
            contracted - remaining
            for contracted, remaining in zip(self.contracted, self.remaining, strict=True)
        )

    def runs(self) -> Iterator[Run]:
        """Yield the longest runs of equal ISPs of the day, also runs that are not in the contract (0 W contracted)."""
        contracted, remaining, source = self.contracted, self.remaining, self.source
        start, count = 0, len(contracted)
        for end in range(1, count + 1):
            if (
                end == count
                or contracted[end] != contracted[start]
                or remaining[end] != remaining[start]
                or source[end] is not source[start]
            ):
                yield Run(start + 1, end, contracted[start], remaining[start], source[start])
                start = end


def fold(
    contracted: Sequence[int], updates: Iterable[CountingUpdate]
) -> tuple[tuple[int, ...], tuple[CountingUpdate | None, ...]]:
    """Return the remaining watts of each ISP, and the update that states it (docs/rules.md F11).

    `updates` are in order. An ISP that no update names keeps its contracted watts. An update that was checked against
    an earlier version of the contract may state more than `contracted`, or the other direction. Then the contracted
    watts remain, or 0 W.
    """
    remaining = list(contracted)
    source: list[CountingUpdate | None] = [None] * len(contracted)
    for update in updates:
        for start, duration, watts in update.isps:
            begin, end = start - 1, min(start - 1 + duration, len(remaining))
            source[begin:end] = [update] * (end - begin)
            for index in range(begin, end):
                most = contracted[index]
                if most > 0:
                    remaining[index] = 0 if watts < 0 else watts if watts < most else most
                else:
                    remaining[index] = 0 if watts > 0 else watts if watts > most else most
    return tuple(remaining), tuple(source)


def figures(
    contracts: Sequence[Contract], first: date, last: date, known_at: datetime | None = None
) -> Iterator[DayFigures]:
    """Yield the figures of each contract, in the order given, on each of its days from `first` to `last`, inclusive.

    Drafts have no figures. The facts are as known at `known_at` (aware), or as known at present. With `known_at`, call
    `registry.changes.wait_for_stamped_changes` first. It takes five queries for any number of contracts and days.
    """
    in_force_then = in_force(known_at).filter(contract__in=[contract.pk for contract in contracts])
    latest = {version.contract_id: version for version in in_force_then}
    counting: dict[int, dict[date, list[CountingUpdate]]] = {contract.pk: {} for contract in contracts}
    for (contract_id, day), rows in groupby(
        _counting(contracts, first, last, known_at), key=lambda row: row[:2]
    ):
        counting[contract_id][day] = [CountingUpdate(*row[2:]) for row in rows]
    versions = {version.pk: version for version in latest.values()}
    used = {each.version_id for days in counting.values() for found in days.values() for each in found}
    versions |= ContractVersion.objects.in_bulk(used - versions.keys())
    profiles = profiles_of(versions.values())
    for contract in contracts:
        version = latest.get(contract.pk)
        if version is not None:
            yield from _days(contract, version, versions, profiles, counting[contract.pk], first, last)


def _days(
    contract: Contract,
    version: ContractVersion,
    versions: dict[int, ContractVersion],
    profiles: dict[int, Profile],
    counting: dict[date, list[CountingUpdate]],
    first: date,
    last: date,
) -> Iterator[DayFigures]:
    usual: dict[tuple[int, int, tuple[int, ...]], tuple[int, ...]] = {}
    day = max(first, version.period.lower)
    end = min(last + DAY, version.period.upper or date.max)
    while day < end:
        updates = tuple(counting.get(day, ()))
        # F17: a day with updates that count is settled by the version that the latest of them was checked against.
        settled_by = versions[updates[-1].version_id] if updates else version
        updates = tuple(
            _in_isps_of(settled_by, update, versions[update.version_id].isp_minutes) for update in updates
        )
        contracted = _contracted(settled_by, profiles[settled_by.pk], day, usual)
        remaining, source = fold(contracted, updates)
        yield DayFigures(contract, day, settled_by, contracted, remaining, source, updates)
        day += DAY


def _in_isps_of(version: ContractVersion, update: CountingUpdate, minutes: int) -> CountingUpdate:
    """Convert `update` from ISPs of `minutes` to the ISPs of `version`."""
    if minutes == version.isp_minutes:
        return update
    return replace(update, isps=calendar.converted(update.isps, minutes, version.isp_minutes))


def _contracted(
    version: ContractVersion,
    profile: Profile,
    day: date,
    usual: dict[tuple[int, int, tuple[int, ...]], tuple[int, ...]],
) -> tuple[int, ...]:
    """Return the contracted watts of `day`. `usual` caches those of days without stretches of their own."""
    minutes, time_zone = version.isp_minutes, version.time_zone
    if day in profile.days:
        return profile.watts_on(day, minutes, time_zone)
    key = version.pk, day.isoweekday(), calendar.slots(day, minutes, time_zone)
    if key not in usual:
        usual[key] = profile.watts_on(day, minutes, time_zone)
    return usual[key]


def _counting(
    contracts: Sequence[Contract], first: date, last: date, known_at: datetime | None
) -> Iterable[tuple[Any, ...]]:
    """Return the updates that count, sorted by contract, Period and the order in which they apply."""
    states = UpdateState.objects.filter(update=OuterRef("pk"), state__in=UpdateState.COUNTING)
    states = states.current() if known_at is None else states.known_at(known_at)
    return (
        ReservationUpdate.objects.filter(
            Exists(states), contract__in=[contract.pk for contract in contracts], period__range=(first, last)
        )
        .order_by("contract_id", "period", "time_stamp", "id")
        .values_list(
            "contract_id",
            "period",
            "id",
            "version_id",
            "reference",
            "message__message_id",
            "received_at",
            "isps",
        )
    )
