"""The page of open conflicts in groups: alike in kind, parties and cause, each settled together with one click."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse

from participants.admin_base.html import link, moment
from participants.admin_base.pages import Page, may_read
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from participants.scope import Scope
from registry.admin.conflicts.bulk import settle_url, why_not
from registry.models import Change, Conflict
from registry.queries.change_sources import source_name

MAX_GROUPS = 100
"""At most this many groups are on the page."""

MAX_GROUPED = 100_000
"""At most this many open conflicts are put into groups, the latest ones."""


@dataclass(frozen=True)
class Group:
    """Open conflicts of one kind between the same two parties that the same message, or else change, opened."""

    number: str
    kind: str
    holder: str
    claimant: str
    begins: str
    cause: str
    settle: str
    button: str
    why_not: str


def groups_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show the groups, those with most conflicts first."""
    rows = model_admin.get_queryset(request).filter(closed_by=None)
    counted, more = _counted(rows)
    found = _groups(model_admin, request, counted[:MAX_GROUPS])
    return model_admin.page(
        request,
        "admin/registry/conflict_groups.html",
        "Open conflicts by parties and cause",
        groups=found,
        left_out=len(counted) > MAX_GROUPS,
        more=more,
        most=f"{MAX_GROUPED:,}",
    )


def _counted(rows: QuerySet[Conflict]) -> tuple[list[dict[str, Any]], bool]:
    """Return the groups, and whether there are more open conflicts than were put into them."""
    latest = list(rows.order_by("-pk").values_list("pk", flat=True)[MAX_GROUPED : MAX_GROUPED + 1])
    grouped = rows.filter(pk__gt=latest[0]) if latest else rows
    # One message makes one change; those of a delivery or an import have no message and are a cause of their own.
    cause = Coalesce(F("opened_by__message"), -F("opened_by"))
    counted = (
        grouped.select_related(None)
        .order_by()
        .values("kind", "holder", "claimant", cause=cause)
        .annotate(
            number=Count("pk"),
            first=Min("pk"),
            opened=Max("opened_by"),
            begins=Min("period__startswith"),
            last=Max("period__startswith"),
        )
        .order_by("-number", "first")
    )
    return [{**row} for row in counted[: MAX_GROUPS + 1]], bool(latest)


def _groups(model_admin: ScopedAdmin, request: HttpRequest, counted: list[dict[str, Any]]) -> list[Group]:
    parties = Participant.objects.in_bulk({row[side] for row in counted for side in ("holder", "claimant")})
    changes = (
        Change.objects.select_related("message__sender")
        .defer("message__sealed")
        .in_bulk([row["opened"] for row in counted])
    )
    seen = model_admin.seen(request)
    return [
        Group(
            number=f"{row['number']:,}",
            kind=str(Conflict.Kind(row["kind"]).label),
            holder=_party(holder := parties[row["holder"]], seen),
            claimant=_party(claimant := parties[row["claimant"]], seen),
            begins=_begins(row["begins"], row["last"]),
            cause=_cause(changes[row["opened"]], [holder, claimant], seen),
            settle=settle_url(like=str(row["first"]))
            if row["number"] > 1
            else model_admin.url_to("change", row["first"]),
            button=f"Settle {row['number']:,}" if row["number"] > 1 else f"Settle conflict {row['first']}",
            why_not=why_not(model_admin, request, holder, claimant),
        )
        for row in counted
    ]


def _party(party: Participant, seen: Scope) -> str:
    return link(party, party.domain) if party in seen else party.domain


def _begins(first: date, last: date) -> str:
    """Return the day on which the contested days of a group begin, or between which days."""
    return f"{first}" if first == last else f"{first} to {last}"


def _cause(change: Change, parties: list[Participant], seen: Scope) -> str:
    """Return what opened the conflicts, as a link for those who may see it. No third party is named to others."""
    at = moment(change.moment)
    if seen.everyone:
        return link(change.message or change, f"{source_name(change)}, {at}")
    if change.message is None:
        return at
    sender = (change.message.sender.role, change.message.sender.domain)
    named = [party for party in parties if (party.role, party.domain) == sender]
    said = f"{source_name(change)}, {at}" if named else at
    return link(change.message, said) if any(party in seen for party in named) else said


PAGES = (Page("groups/", "groups", groups_view, may=may_read),)
