"""What the list of reservation updates is filtered by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from common import clock
from participants.admin_base.filters import MAX_SUGGESTIONS, TextFilter
from registry.admin.facts.filters import DaysFilter
from registry.market.market import market, today_at
from registry.periods import Days
from reservations.models import Contract, ReservationUpdate, UpdateState

UNREPLACED = "unreplaced"
"""What the list's address says of undone updates that nothing has replaced."""


def in_state(updates: QuerySet[ReservationUpdate], state: str) -> QuerySet[ReservationUpdate]:
    """Those of `updates` that are in `state`."""
    return updates.filter(states__superseded_by=None, states__current=state)


def unreplaced(updates: QuerySet[ReservationUpdate], today: date) -> QuerySet[ReservationUpdate]:
    """Those of `updates` that are undone, for a Period that is not over, and no later one counts in their place."""
    later = ReservationUpdate.objects.filter(
        Q(time_stamp__gt=OuterRef("time_stamp"))
        | Q(time_stamp=OuterRef("time_stamp"), pk__gt=OuterRef("pk")),
        contract=OuterRef("contract"),
        period=OuterRef("period"),
        states__superseded_by=None,
        states__state__in=UpdateState.COUNTING,
    )
    return in_state(updates, UpdateState.State.UNDONE).filter(~Exists(later), period__gte=today)


class StateFilter(admin.SimpleListFilter):
    """Updates by their state."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*UpdateState.State.choices, (UNREPLACED, "Undone, and nothing replaced it")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReservationUpdate]
    ) -> QuerySet[ReservationUpdate]:
        asked = self.value()
        if asked == UNREPLACED:
            return unreplaced(queryset, today_at(clock.now(), market().time_zone))
        return in_state(queryset, asked) if asked in UpdateState.State.values else queryset


class PeriodFilter(DaysFilter):
    """Updates for the days typed in, first and last included; either end may be left open."""

    named = "Period"

    def about(self, queryset: QuerySet[Any], asked: Days) -> QuerySet[Any]:
        found = queryset.filter(**{f"{self.field_path}__gte": asked.lower})
        return found if asked.upper is None else found.filter(**{f"{self.field_path}__lt": asked.upper})


class ContractFilter(TextFilter):
    """Updates under the contracts with the ContractID typed in."""

    title = "ContractID"
    parameter_name = "contract"

    def suggestions(self) -> Iterable[str]:
        seen = self.seen.restrict(Contract.objects.all(), "dso", "agr")
        return seen.order_by("contract_id").values_list("contract_id", flat=True).distinct()[:MAX_SUGGESTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        meant = self.seen.restrict(Contract.objects.filter(contract_id=self.text), "dso", "agr")
        return queryset.filter(contract__in=list(meant.values_list("pk", flat=True)))
