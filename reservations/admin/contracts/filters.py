"""What the list of contracts is filtered by: what their current versions say."""

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
"""What the list's address says of contracts whose days begin after today."""


def in_state(
    versions: KnownQuerySet[ContractVersion], state: str, today: date
) -> KnownQuerySet[ContractVersion]:
    """Those of `versions` that are a draft, or else in force on `today`, ended before it, or coming after it."""
    draft = Q(state=State.DRAFT)
    if state == State.DRAFT:
        return versions.filter(draft)
    if state == State.IN_FORCE:
        return versions.filter(~draft, period__contains=today)
    if state == COMING:
        return versions.filter(~draft, period__startswith__gt=today)
    return versions.filter(~draft, period__endswith__lte=today)


def with_version(contracts: QuerySet[Contract], versions: QuerySet[ContractVersion]) -> QuerySet[Contract]:
    """Those of `contracts` that have one of `versions`."""
    return contracts.filter(Exists(versions.filter(contract=OuterRef("pk"))))


class StateFilter(admin.SimpleListFilter):
    """Contracts by whether they are in force today."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (State.DRAFT, "Draft"),
            (State.IN_FORCE, "In force"),
            (COMING, "In force from a later day"),
            (State.ENDED, "Ended"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contract]) -> QuerySet[Contract]:
        asked = self.value()
        if asked not in (*State.values, COMING):
            return queryset
        today = today_at(clock.now(), market().time_zone)
        return with_version(queryset, in_state(ContractVersion.objects.current(), asked, today))


class ContractDaysFilter(DaysFilter):
    """Contracts one of whose days, at least, is among those typed in."""

    named = "days in force"

    def about(self, queryset: QuerySet[Any], asked: Days) -> QuerySet[Any]:
        return with_version(queryset, ContractVersion.objects.current().filter(period__overlap=asked))


class PointFilter(TextFilter):
    """Contracts about the congestion point with the entity address typed in, or its beginning."""

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
