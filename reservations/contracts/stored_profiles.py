"""Queries for contract versions and their power profiles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from reservations.contracts.profiles import Profile, Stretch
from reservations.models import ContractVersion, KnownQuerySet, VersionProfile


def in_force(known_at: datetime | None) -> KnownQuerySet[ContractVersion]:
    """Return the version of each contract as known at `known_at` (aware), or at present; drafts are left out."""
    versions = ContractVersion.objects.all()
    versions = versions.current() if known_at is None else versions.known_at(known_at)
    return versions.exclude(state=ContractVersion.State.DRAFT)


def profiles_of(versions: Iterable[ContractVersion]) -> dict[int, Profile]:
    """Return the profile of each version by the version's primary key, in one query."""
    rows: dict[int, list[VersionProfile]] = {version.pk: [] for version in versions}
    for row in VersionProfile.objects.filter(version__in=list(rows)):
        rows[row.version_id].append(row)
    return {pk: _profile(found) for pk, found in rows.items()}


def _profile(rows: Iterable[VersionProfile]) -> Profile:
    every_day: tuple[Stretch, ...] = ()
    weekdays, days = {}, {}
    for row in rows:
        stretches = tuple(Stretch(*stretch) for stretch in row.stretches)
        if row.day is not None:
            days[row.day] = stretches
        elif row.weekday is not None:
            weekdays[row.weekday] = stretches
        else:
            every_day = stretches
    return Profile(every_day, weekdays, days)
