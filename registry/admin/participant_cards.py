"""Show on the page of a participant how much it has registered, and its conflicts."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from common import clock
from participants.admin_base.extensions import Card
from participants.admin_base.html import count_in_words, count_link, list_link
from participants.admin_base.pages import may_view_table
from participants.models import Participant, Role
from registry.market.market import market, today_at
from registry.models import (
    Claim,
    ClaimStanding,
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    Connection,
    Representation,
)


def reference_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card with a participant's registered facts and open conflicts.

    Return None when the viewer may see none of them.
    """
    rows: list[tuple[str, object]] = []
    claims: type[Claim]
    if participant.role == Role.AGR:
        claims, party, what = Representation, "agr", "Connections represented today"
    else:
        claims, party, what = CongestionPointConnection, "dso", "Connections behind its points today"
        if may_view_table(request, CongestionPoint):
            points = CongestionPoint.objects.filter(dso=participant)
            rows.append(("Congestion points ever registered", count_link(points, domain=participant.domain)))
    today = today_at(clock.now(), market().time_zone)
    of_today = claims._default_manager.filter(
        **{party: participant}, superseded_by=None, period__contains=today
    )
    if may_view_table(request, Connection):
        effective = of_today.filter(standing=ClaimStanding.EFFECTIVE)
        connections: Any = effective.values("connection")
        counting = Connection.objects.filter(pk__in=connections)
        rows.append((what, list_link(Connection, count_in_words(counting), **{party: participant.domain})))
    if may_view_table(request, claims):
        for standing in (ClaimStanding.CONTESTED, ClaimStanding.REFUSED):
            waiting = of_today.filter(standing=standing)
            link = count_link(
                waiting,
                domain=participant.domain,
                standing__exact=standing.value,
                period_from=today,
                period_to=today,
            )
            rows.append((f"Claims for today that are {standing.label.lower()}", link))
    if may_view_table(request, Conflict):
        conflicts = Conflict.objects.filter(Q(holder=participant) | Q(claimant=participant), closed_by=None)
        number = f"{count_in_words(conflicts)} open"
        rows.append(("Conflicts", list_link(Conflict, number, domain=participant.domain)))
    return Card("Common reference", rows) if rows else None
