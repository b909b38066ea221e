"""Filter contracts by what their current versions state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from common import clock
from participants.admin_base.filters import TextFilter
from registry.admin.facts.filters import DaysFilter
from registry.market.market import market, today_at
from registry.periods import Days
from reservations.models import Contract, ContractVersion, KnownQuerySet

State = ContractVersion.State

COMING = "coming"
"""Value of the state filter for contracts that begin after today."""


def in_state(
    versions: KnownQuerySet[ContractVersion], state: str, today: date
) -> KnownQuerySet[ContractVersion]:
    """Return the versions that are in a state on `today`.

    Args:
        versions: The versions to choose from.
        state: `draft`, `in force` on `today`, `ended` before it, or `coming` after it.
        today: The market's day.
    """
    draft = Q(state=State.DRAFT)
    if state == State.DRAFT:
        return versions.filter(draft)
    if state == State.IN_FORCE:
        return versions.filter(~draft, period__contains=today)
    if state == COMING:
        return versions.filter(~draft, period__startswith__gt=today)
    return versions.filter(~draft, period__endswith__lte=today)


def with_version(contracts: QuerySet[Contract], versions: QuerySet[ContractVersion]) -> QuerySet[Contract]:
    """Return the contracts that have one of `versions`."""
    return contracts.filter(Exists(versions.filter(contract=OuterRef("pk"))))


class StateFilter(admin.SimpleListFilter):
    """Filter contracts by their state today."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (State.DRAFT, "Draft"),
            (State.IN_FORCE, "In force"),
            (COMING, "In force from a later day"),
            (State.ENDED, "Ended"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contract]) -> QuerySet[Contract]:
        state = self.value()
        if state not in (*State.values, COMING):
            return queryset
        today = today_at(clock.now(), market().time_zone)
        return with_version(queryset, in_state(ContractVersion.objects.current(), state, today))


class ContractDaysFilter(DaysFilter):
    """Filter contracts that have at least one of the days typed in."""

    default_title = "days in force"

    def about(self, queryset: QuerySet[Any], days: Days) -> QuerySet[Any]:
        return with_version(queryset, ContractVersion.objects.current().filter(period__overlap=days))


class PointFilter(TextFilter):
    """Filter contracts by the beginning of the congestion point's entity address."""

    title = "congestion point"
    parameter_name = "point"

    @property
    def suggest_url(self) -> str:
        return reverse("admin:registry_congestionpoint_suggest")

    def suggestions(self) -> Iterable[str]:
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        versions = ContractVersion.objects.current().filter(congestion_point__startswith=self.text)
        return with_version(queryset, versions)
