"""What the page of a participant says of its reservations, and the page of a message of the update that it is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from participants.admin_base import extensions
from participants.admin_base.extensions import Card
from participants.admin_base.html import count_in_words, link, list_link
from participants.admin_base.scalable import ReadOnlyAdmin
from participants.models import Participant
from registry.admin.facts import counts as fact_counts
from registry.admin.facts.counts import RECORDED, Kind
from registry.admin.previewed_forms import this_day
from reservations.admin.contracts import filters as contract_filters
from reservations.admin.contracts.filters import with_version
from reservations.admin.updates.filters import in_state
from reservations.admin.updates.page import state_of, with_state
from reservations.admin.updates.states import state_badge
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from uftp.admin.inbound import InboundMessageAdmin
from uftp.models import InboundMessage

State = UpdateState.State

IN_CARD = {
    State.RECEIVED: "Updates being passed on",
    State.PASSED_ON: "Passed on, no answer known",
    State.UNDONE: "Undone",
}


def reservations_card(of: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """The participant's contracts in force, and its updates that nobody has settled."""
    party = participant.role.lower()
    says: list[tuple[str, object]] = []
    if _may_look(request, Contract):
        in_force = contract_filters.in_state(ContractVersion.objects.current(), "in force", this_day())
        contracts = with_version(Contract.objects.filter(**{party: participant}), in_force)
        says.append(("Contracts in force", _several(contracts, participant, "in force")))
    if _may_look(request, ReservationUpdate):
        updates = ReservationUpdate.objects.filter(**{party: participant})
        for state, text in IN_CARD.items():
            says.append((text, _several(in_state(updates, state), participant, state)))
    return Card("Reservations", says) if says else None


def _may_look(request: HttpRequest, model: type[Model]) -> bool:
    return request.user.has_perm(f"reservations.view_{model._meta.model_name}")


def _several(rows: QuerySet[Any], participant: Participant, state: str) -> SafeString | str:
    """How many there are, leading to them where there are any."""
    many = count_in_words(rows)
    if many == "0":
        return many
    return list_link(rows.model, many, **{participant.role.lower(): participant.domain, "state": state})


class UpdateInline(ReadOnlyAdmin, admin.TabularInline[ReservationUpdate, InboundMessage]):
    """On the page of a FlexReservationUpdate that passed the checks: the update."""

    model = ReservationUpdate
    template = "admin/shown_inline.html"
    without_rows = "No update was registered."
    verbose_name_plural = "The update that it is"
    fields = readonly_fields = ("what", "under", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReservationUpdate]:
        return with_state(super().get_queryset(request)).select_related("contract")

    def has_view_permission(self, request: HttpRequest, obj: InboundMessage | None = None) -> bool:
        is_another = obj is not None and obj.message_type != "FlexReservationUpdate"
        return not is_another and super().has_view_permission(request, obj)

    @admin.display(description="update")
    def what(self, update: ReservationUpdate) -> str:
        return link(update)

    @admin.display(description="contract")
    def under(self, update: ReservationUpdate) -> str:
        return link(update.contract)

    @admin.display(description="state")
    def state(self, update: ReservationUpdate) -> str:
        return state_badge(state_of(update))


extensions.CARDS.append(reservations_card)
fact_counts.KINDS += [
    Kind(ContractVersion, ("contract__dso", "contract__agr"), Contract, "versions__"),
    Kind(ReservationUpdate, ("dso", "agr"), ReservationUpdate, verbs=(RECORDED,)),
    Kind(UpdateState, ("update__dso", "update__agr"), ReservationUpdate, "states__"),
]
InboundMessageAdmin.inlines = (*InboundMessageAdmin.inlines, UpdateInline)
