"""The dashboard's figures of reservations: what needs a look, and what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from django.db.models import Model

from cro_project.figures import Figure, counted
from participants.scope import Scope
from reservations import contract_filters
from reservations.contract_filters import with_version
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.update_filters import UNREPLACED, in_state, unreplaced

State = ContractVersion.State
May = Callable[[type[Model]], bool]
"""Whether who looks may look at a table."""


def to_look_at(scope: Scope, today: date, may: May) -> Iterator[Figure]:
    """Updates that never reached their AGR, as long as their day is not over and nothing has taken their place."""
    if may(ReservationUpdate):
        undone = unreplaced(scope.restrict(ReservationUpdate.objects.all(), "dso", "agr"), today)
        yield counted("Reservation updates undone", undone, state=UNREPLACED)


def reservations(scope: Scope, today: date, may: May) -> Iterator[Figure]:
    """How many contracts there are, and updates on their way; empty where there is no contract in `scope`."""
    contracts = scope.restrict(Contract.objects.all(), "dso", "agr")
    if not may(Contract) or not contracts.exists():
        return
    for text, state in (("Contracts in force", State.IN_FORCE), ("Contracts in draft", State.DRAFT)):
        versions = contract_filters.in_state(ContractVersion.objects.current(), state, today)
        yield counted(text, with_version(contracts, versions), state=state)
    if may(ReservationUpdate):
        updates = scope.restrict(ReservationUpdate.objects.all(), "dso", "agr")
        being_passed_on = in_state(updates, UpdateState.State.RECEIVED)
        yield counted("Updates being passed on", being_passed_on, state=UpdateState.State.RECEIVED)
