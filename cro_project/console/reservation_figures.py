"""The dashboard's figures of reservations that need a look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from django.db.models import Model

from cro_project.console.figures import Figure, counted
from participants.scope import Scope
from reservations.admin.contracts import filters as contract_filters
from reservations.admin.contracts.filters import with_version
from reservations.admin.updates.filters import UNREPLACED, unreplaced
from reservations.models import Contract, ContractVersion, ReservationUpdate


def to_look_at(scope: Scope, today: date, may: Callable[[type[Model]], bool]) -> Iterator[Figure]:
    """Updates that never reached their AGR, until their day is over or one that counts is there; contracts in draft.

    `may` says whether who looks may look at a table.
    """
    if may(ReservationUpdate):
        undone = unreplaced(scope.restrict(ReservationUpdate.objects.all(), "dso", "agr"), today)
        yield counted("Reservation updates undone", undone, state=UNREPLACED)
    if may(Contract):
        draft = ContractVersion.State.DRAFT
        versions = contract_filters.in_state(ContractVersion.objects.current(), draft, today)
        contracts = scope.restrict(Contract.objects.all(), "dso", "agr")
        yield counted("Contracts in draft", with_version(contracts, versions), state=draft)
