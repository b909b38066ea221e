"""Count the contracts and updates that staff should look at, for the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.scope import Scope
from registry.market.market import market, today_at
from reservations.admin.contracts import filters as contract_filters
from reservations.admin.contracts.filters import with_version
from reservations.admin.updates.filters import UNREPLACED, unreplaced
from reservations.models import Contract, ContractVersion, ReservationUpdate


def reservation_figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Yield the number of undone updates, and of contracts in draft.

    An update is counted until its day is over, or until a later update counts in its place.
    """
    today = today_at(now, market().time_zone)
    if may_view(ReservationUpdate):
        undone = unreplaced(scope.restrict(ReservationUpdate.objects.all(), "dso", "agr"), today)
        yield counted("Reservation updates undone", undone, Urgency.NOW, state=UNREPLACED)
    if may_view(Contract):
        draft = ContractVersion.State.DRAFT
        versions = contract_filters.in_state(ContractVersion.objects.current(), draft, today)
        contracts = scope.restrict(Contract.objects.all(), "dso", "agr")
        yield counted("Contracts in draft", with_version(contracts, versions), Urgency.SOON, state=draft)
