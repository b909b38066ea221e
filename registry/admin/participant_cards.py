"""Show on the page of a participant how much it has registered, and its conflicts."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from participants.admin_base.extensions import Card
from participants.admin_base.html import count_link
from participants.admin_base.pages import may_view_table
from participants.models import Participant, Role
from registry.models import Conflict, CongestionPoint, CongestionPointConnection, Representation


def reference_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card with a participant's registered facts and open conflicts.

    Return None when the viewer may see none of them.
    """
    rows: list[tuple[str, object]] = []
    held: list[tuple[str, QuerySet[Any]]]
    if participant.role == Role.AGR:
        held = [("Connections", Representation.objects.current().filter(agr=participant))]
    else:
        held = [
            ("Congestion points", CongestionPoint.objects.filter(dso=participant)),
            ("Connections behind them", CongestionPointConnection.objects.current().filter(dso=participant)),
        ]
    for name, facts in held:
        if may_view_table(request, facts.model):
            rows.append((name, count_link(facts, domain=participant.domain)))
    if may_view_table(request, Conflict):
        conflicts = Conflict.objects.filter(Q(holder=participant) | Q(claimant=participant), closed_by=None)
        rows.append(("Conflicts", count_link(conflicts, "open", domain=participant.domain)))
    return Card("Common reference", rows) if rows else None
