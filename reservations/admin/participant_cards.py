"""Show a participant's contracts and updates on its page."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from participants.admin_base.extensions import Card
from participants.admin_base.html import count_in_words, list_link
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
    says: list[tuple[str, object]] = []
    if _may_look(request, Contract):
        in_force = contract_filters.in_state(ContractVersion.objects.current(), "in force", market_today())
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
    """Return the number of rows; a link to their list where it is not 0."""
    many = count_in_words(rows)
    if many == "0":
        return many
    return list_link(rows.model, many, **{participant.role.lower(): participant.domain, "state": state})
