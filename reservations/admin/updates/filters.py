"""Filter reservation updates by state, Period and ContractID."""

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
"""Value of the state filter for undone updates that no later update replaces."""


def in_state(updates: QuerySet[ReservationUpdate], state: str) -> QuerySet[ReservationUpdate]:
    """Return the updates whose current state is `state`."""
    return updates.filter(states__superseded_by=None, states__current=state)


def unreplaced(updates: QuerySet[ReservationUpdate], today: date) -> QuerySet[ReservationUpdate]:
    """Return the undone updates for a Period from `today` on, without a later update that counts in their place."""
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
    """Filter updates by their current state."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*UpdateState.State.choices, (UNREPLACED, "Undone and not replaced")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReservationUpdate]
    ) -> QuerySet[ReservationUpdate]:
        state = self.value()
        if state == UNREPLACED:
            return unreplaced(queryset, today_at(clock.now(), market().time_zone))
        return in_state(queryset, state) if state in UpdateState.State.values else queryset


class PeriodFilter(DaysFilter):
    """Filter updates by Period, first and last day inclusive; either may be left open."""

    default_title = "Period"

    def about(self, queryset: QuerySet[Any], days: Days) -> QuerySet[Any]:
        found = queryset.filter(**{f"{self.field_path}__gte": days.lower})
        return found if days.upper is None else found.filter(**{f"{self.field_path}__lt": days.upper})


class ContractFilter(TextFilter):
    """Filter updates by the ContractID typed in, among contracts in scope."""

    title = "ContractID"
    parameter_name = "contract"

    def suggestions(self) -> Iterable[str]:
        seen = self.seen.restrict(Contract.objects.all(), "dso", "agr")
        return seen.order_by("contract_id").values_list("contract_id", flat=True).distinct()[:MAX_SUGGESTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        matching = self.seen.restrict(Contract.objects.filter(contract_id=self.text), "dso", "agr")
        return queryset.filter(contract__in=list(matching.values_list("pk", flat=True)))
