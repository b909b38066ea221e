"""Show on the page of a participant how much it has registered, and its conflicts."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from participants.admin_base.extensions import Card
from participants.admin_base.html import count_in_words, list_link
from participants.models import Participant, Role
from registry.models import Conflict, CongestionPoint, CongestionPointConnection, Representation


def reference_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card with a participant's registered facts and open conflicts.

    Return None when the viewer may see none of them.
    """
    says: list[tuple[str, object]] = []
    held: list[tuple[str, QuerySet[Any]]]
    if participant.role == Role.AGR:
        held = [("Connections", Representation.objects.current().filter(agr=participant))]
    else:
        held = [
            ("Congestion points", CongestionPoint.objects.filter(dso=participant)),
            ("Connections behind them", CongestionPointConnection.objects.current().filter(dso=participant)),
        ]
    for name, rows in held:
        if _may_look(request, rows.model):
            says.append((name, _several(rows, participant)))
    if _may_look(request, Conflict):
        conflicts = Conflict.objects.filter(Q(holder=participant) | Q(claimant=participant), closed_by=None)
        says.append(("Conflicts", _several(conflicts, participant, "open")))
    return Card("Common reference", says) if says else None


def _may_look(request: HttpRequest, model: Any) -> bool:
    return request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")


def _several(rows: QuerySet[Any], participant: Participant, words: str = "") -> SafeString:
    """Return the number of rows, as a link to their list."""
    return list_link(rows.model, f"{count_in_words(rows)} {words}".strip(), domain=participant.domain)
