"""Show staff the reservation updates: the list, and the page of each with its history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import Truncator

from common.search import FieldCondition, by
from participants.admin_base.filters import DayRangeFilter
from participants.admin_base.html import link, moment, party_link
from participants.admin_base.pages import CHANGE, Page, may_read
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import of_parties
from reservations.admin.filters import AGRFilter, DSOFilter
from reservations.admin.updates import outcome, together
from reservations.admin.updates import page as update_page
from reservations.admin.updates.filters import ContractFilter, PeriodFilter, StateFilter
from reservations.admin.updates.page import state_of, with_state
from reservations.admin.updates.states import meaning, state_badge
from reservations.isps import clock_times
from reservations.models import INDEXED_REFERENCE_LENGTH, Contract, ReservationUpdate, UpdateState

MAX_CONTRACTS = 100
"""At most this many contracts may match a text by which updates are searched for."""

MAX_REFERENCE_LENGTH = 60
"""How many characters of a Reference the list shows."""


def update_view(model_admin: ScalableAdmin, request: HttpRequest, update: ReservationUpdate) -> HttpResponse:
    """Return the page of an update, with its history."""
    state, seen, version = state_of(update), model_admin.seen(request), update.version
    siblings, more = update_page.siblings(update)
    to_agr = update.addressed_to == ReservationUpdate.AddressedTo.AGR
    context = {
        "update": update,
        "state": state_badge(state),
        "meaning": meaning(update, state),
        "counts": state in UpdateState.COUNTING,
        "contract": link(update.contract),
        "day": reverse("admin:reservations_contract_day", args=[update.contract_id, update.period]),
        "parties": [
            (party.role, link(party) if party in seen else party.domain) for party in (update.dso, update.agr)
        ],
        "version": version,
        "message": link(update.message, update.message.message_id)
        if update.dso in seen
        else update.message.message_id,
        "stamped": moment(update.time_stamp),
        "received": moment(update.received_at),
        "deadline": moment(update.deadline),
        "deadline_in_words": str(version.deadline),
        "lines": update_page.lines(update),
        "note": clock_times.of_day(update.period, version.isp_minutes, version.time_zone).note,
        "history": update_page.history(update, seen),
        "siblings": siblings,
        "all_siblings": _all_siblings(model_admin, update) if more else "",
        "cro_responses": update_page.cro_responses(update, seen),
        "agr_responses": update_page.agr_responses(update, seen),
        "pass_on_status": update_page.pass_on_status(update, model_admin.admin_site, seen)
        if to_agr
        else None,
        "outcome_url": model_admin.url_to("outcome", update.pk)
        if outcome.is_offered(model_admin, request, update)
        else "",
        **model_admin.page_context(request, update),
    }
    return model_admin.page(request, "admin/reservations/update.html", _title(update), **context)


@admin.register(ReservationUpdate)
class ReservationUpdateAdmin(ReadOnlyAdmin, ScalableAdmin):
    """Show reservation updates; nothing of them can be edited."""

    scope_by = ("contract__dso", "contract__agr")
    list_display = (
        "for_day",
        "of_contract",
        "dso_domain",
        "agr_domain",
        "state",
        "to",
        "reference_in_short",
        "received",
    )
    export_display = (
        ("Period", "period"),
        ("ContractID", "contract.contract_id"),
        ("DSO", "dso.domain"),
        ("AGR", "agr.domain"),
        ("Congestion point", "version.congestion_point"),
        ("State", state_of),
        ("Addressed to", "addressed_to"),
        "reference",
        ("TimeStamp", "time_stamp"),
        ("Received", "received_at"),
        ("Deadline", "deadline"),
        ("MessageID", "message.message_id"),
        ("Version of the contract", "version.number"),
    )
    list_filter = (
        StateFilter,
        ("period", PeriodFilter),
        ContractFilter,
        DSOFilter,
        AGRFilter,
        ("received_at", DayRangeFilter),
    )
    list_select_related = ("contract", "dso", "agr", "version", "message")
    change_list_template = "admin/reservations/updates.html"
    actions = ("send_again", "record_outcome")
    pages = (outcome.PAGE, Page(CHANGE, "change", update_view, may=may_read))
    search_fields = (
        "message__message_id__startswith",
        "contract__contract_id__exact",
        "found_by__startswith",
    )
    search_help_text = (
        "The beginning of a MessageID or Reference, a ContractID or a part of it, or a party's domain"
    )
    sortable_by = ("for_day", "received")
    linked_lookups = (
        "contract__id__exact",
        "recorded_by__id__exact",
        "states__recorded_by__id__exact",
        "states__superseded_by__id__exact",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReservationUpdate]:
        """Return the updates in scope, each with its current state and the rows that its line and page name."""
        named = with_state(super().get_queryset(request)).select_related(*self.list_select_related)
        return named.defer("message__sealed").annotate(found_by=Left("reference", INDEXED_REFERENCE_LENGTH))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return latest first; by Period or by receipt where a filter of it is set.

        The index of that column then reads only the rows of the page.
        """
        for field in ("period", "received_at"):
            if any(request.GET.get(f"{field}_{end}") for end in ("from", "to")):
                return (f"-{field}", "-pk")
        return ("-pk",)

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions by MessageID, contract, party, and the indexed beginning of the Reference."""
        seen = self.seen(request)
        contracts = seen.restrict(Contract.objects.filter(contract_id__icontains=text), "dso", "agr")
        named = list(contracts.order_by("pk").values_list("pk", flat=True)[:MAX_CONTRACTS])
        return [
            *by("MessageID", Q(message__message_id__startswith=text.lower())),
            *by("ContractID", *([Q(contract__in=named)] if named else [])),
            *by("Reference", Q(found_by__startswith=text[:INDEXED_REFERENCE_LENGTH])),
            *of_parties(text, seen, "dso", "agr", others=True),
        ]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or super().lookup_allowed(lookup, value, request)

    def audit_changes(self, row: ReservationUpdate) -> list[int]:
        """Return the ids of the changes that recorded the update and its states."""
        changes = row.states.order_by("id").values_list("recorded_by_id", flat=True)
        return list(dict.fromkeys([row.recorded_by_id, *changes]))

    def has_record_outcome_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(outcome.PERMISSION))

    @admin.action(description="Send undone updates again", permissions=["record_outcome"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[ReservationUpdate]) -> HttpResponse | None:
        return together.ask_to_send_again(self, request, queryset)

    @admin.action(description="Record the outcome of undone updates", permissions=["record_outcome"])
    def record_outcome(
        self, request: HttpRequest, queryset: QuerySet[ReservationUpdate]
    ) -> HttpResponse | None:
        return together.ask_for_outcome(self, request, queryset)

    @admin.display(description="Period", ordering="period")
    def for_day(self, update: ReservationUpdate) -> str:
        return str(update.period)

    @admin.display(description="contract")
    def of_contract(self, update: ReservationUpdate) -> str:
        return link(update.contract)

    @admin.display(description="DSO")
    def dso_domain(self, update: ReservationUpdate) -> str:
        return party_link(update, update.dso, update.dso.domain)

    @admin.display(description="AGR")
    def agr_domain(self, update: ReservationUpdate) -> str:
        return party_link(update, update.agr, update.agr.domain)

    @admin.display(description="state")
    def state(self, update: ReservationUpdate) -> str:
        return state_badge(state_of(update))

    @admin.display(description="addressed to")
    def to(self, update: ReservationUpdate) -> str:
        return update.get_addressed_to_display()

    @admin.display(description="Reference")
    def reference_in_short(self, update: ReservationUpdate) -> str:
        return Truncator(update.reference).chars(MAX_REFERENCE_LENGTH)

    @admin.display(description="received", ordering="received_at")
    def received(self, update: ReservationUpdate) -> str:
        return moment(update.received_at)


def _all_siblings(model_admin: ScalableAdmin, update: ReservationUpdate) -> str:
    """Return the URL of the list of all updates for the same contract and Period."""
    day = str(update.period)
    query = {"contract__id__exact": str(update.contract_id), "period_from": day, "period_to": day}
    return f"{model_admin.url_to('changelist')}?{urlencode(query)}"


def _title(update: ReservationUpdate) -> str:
    return f"Update for {update.period} under {update.contract.contract_id}"
