"""The page with what is to be followed up: what waits for a day, and what is assigned to whom."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import localdate

from common import clock
from participants.admin.audit_entries import add_pages
from participants.admin_base.pages import Page, may_view
from participants.admin_base.scoped import ScopedAdmin
from participants.models import FollowUp, Participant

MAX_SHOWN = 500
DENIED = "Seeing follow-ups needs the right to view them."


def may_see(model_admin: Any, request: HttpRequest) -> bool:
    """Return whether this member of staff may see follow-ups."""
    return may_view(model_admin, request) and request.user.has_perm("participants.view_followup")


def follow_ups_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show the follow-ups in scope, those that are due first; with `who=me` those of the viewer."""
    seen, today = model_admin.seen(request), localdate(clock.now())
    rows = FollowUp.objects.select_related("assignee", "content_type").order_by(
        F("wait_until").asc(nulls_last=True), "pk"
    )
    if not seen.everyone:
        rows = rows.filter(participants__overlap=sorted(seen.ids))
    mine = request.GET.get("who") == "me"
    if mine:
        rows = rows.filter(assignee__username=request.user.get_username())
    found = list(rows[: MAX_SHOWN + 1])
    add_pages(request, model_admin.admin_site, found)
    names = _names(found)
    domains = dict(
        Participant.objects.filter(pk__in={key for row in found for key in row.participants}).values_list(
            "pk", "domain"
        )
    )
    shown = [_shown(row, names, domains, today) for row in found[:MAX_SHOWN] if getattr(row, "page", "")]
    return model_admin.page(
        request,
        "admin/participants/follow_ups.html",
        "Follow-ups",
        trail=[],
        rows=shown,
        mine=mine,
        more=len(found) > MAX_SHOWN,
        max_shown=MAX_SHOWN,
    )


def _names(rows: list[FollowUp]) -> dict[tuple[int, str], str]:
    """Return what the objects of the rows are called, by kind and primary key; one query for each kind."""
    keys = defaultdict(list)
    for row in rows:
        keys[row.content_type].append(row.object_pk)
    names = {}
    for kind, found in keys.items():
        model = kind.model_class()
        if model is not None:
            for about in model._default_manager.filter(pk__in=found):
                names[kind.pk, str(about.pk)] = str(about)
    return names


def _shown(
    row: FollowUp, names: dict[tuple[int, str], str], domains: dict[int, str], today: date
) -> dict[str, Any]:
    return {
        "page": row.page,  # type: ignore[attr-defined]
        "about": names.get((row.content_type_id, row.object_pk), row.content_type.name),
        "participants": ", ".join(domains[key] for key in row.participants if key in domains),
        "assignee": row.assignee,
        "wait_until": row.wait_until,
        "is_due": row.wait_until is not None and row.wait_until <= today,
    }


PAGES = (Page("follow-ups/", "follow_ups", follow_ups_view, may_see, DENIED),)
