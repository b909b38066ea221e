"""Show a participant's contracts and updates on its page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from participants.admin_base.extensions import Card
from participants.admin_base.html import count_link
from participants.admin_base.pages import may_view_table
from participants.models import Participant
from registry.admin.previewed_forms import market_today
from reservations.admin.contracts import filters as contract_filters
from reservations.admin.contracts.filters import with_version
from reservations.admin.updates.filters import in_state
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState

State = UpdateState.State

IN_CARD = {
    State.RECEIVED: "Updates being passed on",
    State.PASSED_ON: "Passed on, no answer known",
    State.UNDONE: "Undone",
}


def reservations_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the participant's contracts in force, and its updates without an outcome.

    Return None for a viewer who may view neither.
    """
    party = participant.role.lower()
    query = {party: participant.domain}
    rows: list[tuple[str, object]] = []
    if may_view_table(request, Contract):
        in_force = contract_filters.in_state(ContractVersion.objects.current(), "in force", market_today())
        contracts = with_version(Contract.objects.filter(**{party: participant}), in_force)
        rows.append(("Contracts in force", count_link(contracts, **query, state="in force")))
    if may_view_table(request, ReservationUpdate):
        updates = ReservationUpdate.objects.filter(**{party: participant})
        for state, text in IN_CARD.items():
            rows.append((text, count_link(in_state(updates, state), **query, state=state)))
    return Card("Reservations", rows) if rows else None
