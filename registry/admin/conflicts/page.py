"""The content of a conflict's page: the claims of both parties, other claims, and earlier decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.html import format_html

from participants.admin_base.html import link, moment
from participants.models import Participant
from participants.scope import Scope
from registry.admin.conflicts.forms import decided
from registry.admin.facts.adjust import adjust_url, party_of
from registry.admin.facts.base import recipient
from registry.decisions.history import refusals, replaced_among
from registry.models import (
    Change,
    ClaimStanding,
    Conflict,
    CongestionPointConnection,
    Representation,
)
from registry.periods import Days, in_words
from registry.queries.change_sources import source_name
from uftp.models import InboundMessage

MAX_ROWS = 20
"""At most this many claims or decisions of one kind are listed."""
MAX_SEARCHED = 200
"""The message behind a claim is searched among this many rows of the party about the connection."""


@dataclass(frozen=True)
class ClaimRow:
    """A current claim of a party.

    `source` is the message, import or decision in which the party stated it. `answer` is (style, result, warnings or
    reasons) of that message; it is None when the viewer may not see the party, because the message is about other
    connections as well. `adjust_url` is the page that adjusts the days; empty when the viewer may not adjust them.
    """

    row: Representation | CongestionPointConnection
    party: str
    days: str
    waiting: str
    source: str
    answer: tuple[str, str, str] | None
    refusal: str
    adjust_url: str


@dataclass(frozen=True)
class DecisionRow:
    """A decision of staff in words, when it was made, and whether a later one replaces it."""

    conflict: Conflict
    days: str
    decided: str
    moment: str
    is_replaced: bool


@dataclass(frozen=True)
class Side:
    """One of the two parties, with its claims on the contested days."""

    title: str
    party: str
    claims: list[ClaimRow]


def claims_of(kind: str) -> QuerySet[Any]:
    """Return the claims of a conflict's kind, with the related rows that the page needs."""
    rows: QuerySet[Any] = (
        Representation.objects.select_related("agr", "connection")
        if kind == Conflict.Kind.REPRESENTATION
        else CongestionPointConnection.objects.select_related("dso", "connection", "congestion_point__dso")
    )
    return rows.select_related(
        "recorded_by__message__sender", "waiting_since", "superseded_by", "given_to"
    ).defer("recorded_by__message__sealed")


def party_field(kind: str) -> str:
    """Return the field of a claim with its party."""
    return "agr" if kind == Conflict.Kind.REPRESENTATION else "dso"


def sides(conflict: Conflict, *, seen: Scope, adjusted_for: Scope) -> list[Side]:
    """Return holder and claimant with their claims; participants outside `seen` are named without links."""
    return [
        Side(
            title,
            link(party) if party in seen else str(party),
            _claims(conflict, party, seen, adjusted_for),
        )
        for title, party in (("Holder", conflict.holder), ("Claimant", conflict.claimant))
    ]


def _claims(conflict: Conflict, party: Participant, seen: Scope, adjusted_for: Scope) -> list[ClaimRow]:
    field = party_field(conflict.kind)
    rows = list(
        claims_of(conflict.kind)
        .filter(connection=conflict.connection_id, period__overlap=conflict.period, **{field: party})
        .order_by("-recorded_by_id", "-pk")[:MAX_SEARCHED]
    )
    current = sorted((row for row in rows if row.superseded_by_id is None), key=lambda row: row.period.lower)
    refused = refusals(current[:MAX_ROWS])
    return [
        _claim_row(conflict, row, rows, refused.get(row), seen, party in adjusted_for)
        for row in current[:MAX_ROWS]
    ]


def _claim_row(
    conflict: Conflict,
    row: Any,
    rows: list[Any],
    decision: Conflict | None,
    seen: Scope,
    adjustable: bool,
) -> ClaimRow:
    """Return a claim in words.

    Args:
        conflict: The conflict of the page.
        row: The claim.
        rows: The party's claims on the connection, the latest first.
        decision: The decision that refused the claim; None if it is not refused, or by the policy `newest wins`.
        seen: The participants that the viewer may see.
        adjustable: Whether the viewer may adjust the days.
    """
    source, linked = origin(row, rows), party_of(row) in seen
    message = source.message
    words = (
        f"{message.message_type}, received {moment(message.received_at)}"
        if message
        else f"{source_name(source)}, {moment(source.moment)}"
    )
    return ClaimRow(
        row=row,
        party=link(party_of(row)) if linked else str(party_of(row)),
        days=link(row, in_words(row.period)) if linked else in_words(row.period),
        waiting=moment(row.waiting_since.moment) if row.waiting_since else "",
        source=link(message or source, words) if linked else words,
        answer=_answer(message) if message and linked else None,
        refusal=_refusal(row, decision, conflict, seen),
        adjust_url=f"{adjust_url(row)}?conflict={conflict.pk}" if adjustable else "",
    )


def _answer(message: InboundMessage) -> tuple[str, str, str] | None:
    if not message.result:
        return None
    mark = "bad" if message.result == "Rejected" else "warn" if message.reason else "ok"
    return mark, message.result, message.reason


def _refusal(claim: Any, decision: Conflict | None, conflict: Conflict, seen: Scope) -> str:
    """Return to whom the days of a refused claim were given, and how; empty when it is not refused.

    A decision of which `seen` has neither party is not shown.
    """
    if claim.standing != ClaimStanding.REFUSED:
        return ""
    shown = decision is not None and (decision.holder_id in seen or decision.claimant_id in seen)
    named = shown or claim.given_to_id in (conflict.holder_id, conflict.claimant_id)
    given_to = recipient(claim, seen, named=named)
    if decision is None:
        return format_html("These days were given to {} by the policy “newest wins”.", given_to)
    if not shown:
        return format_html("These days were given to {}.", given_to)
    which = "this conflict" if decision.pk == conflict.pk else link(decision, f"conflict {decision.pk}")
    return format_html(
        "These days were given to {} by {}’s decision in {}: {}",
        given_to,
        decision.decided_by,
        which,
        decision.reason,
    )


def origin(claim: Any, rows: Iterable[Any]) -> Change:
    """Return the change in which the party stated `claim`.

    A decision or another party's message may have recorded the present row of the claim; the party stated it in an
    earlier change.

    Args:
        claim: A claim of the page.
        rows: The party's claims on the connection, the latest first.
    """
    party = party_of(claim)
    point = getattr(claim, "congestion_point_id", None)
    for row in rows:
        if getattr(row, "congestion_point_id", None) == point and overlap(row.period, claim.period):
            change: Change = row.recorded_by
            if change.kind == Change.Kind.IMPORT or is_message_of(change, party):
                return change
    recorded: Change = claim.recorded_by
    return recorded


def is_message_of(change: Change, party: Participant) -> bool:
    """Return whether the change came from a message of `party`."""
    sender = change.message.sender if change.message else None
    return sender is not None and (sender.role, sender.domain) == (party.role, party.domain)


def overlap(one: Days, other: Days) -> bool:
    """Return whether two stored periods (half-open) share a day."""
    begin = max(one.lower or date.min, other.lower or date.min)
    return begin < min(one.upper or date.max, other.upper or date.max)


def other_claims(conflict: Conflict, *, seen: Scope) -> list[ClaimRow]:
    """Return the claims of other parties in `seen` on the conflict's days; the longest waiting comes first."""
    field = party_field(conflict.kind)
    rows = claims_of(conflict.kind).filter(
        connection=conflict.connection_id, period__overlap=conflict.period, superseded_by=None
    )
    others = rows.exclude(**{f"{field}__in": [conflict.holder_id, conflict.claimant_id]})
    claims = list(seen.restrict(others, field).order_by("waiting_since_id", "period")[:MAX_ROWS])
    refused = refusals(claims)
    return [_claim_row(conflict, row, [row], refused.get(row), seen, False) for row in claims]


def other_decisions(conflict: Conflict) -> list[DecisionRow]:
    """Return the other decisions of staff between the two parties about the connection, the latest first."""
    parties = [conflict.holder_id, conflict.claimant_id]
    rows = list(
        Conflict.objects.filter(
            connection=conflict.connection_id, kind=conflict.kind, holder__in=parties, claimant__in=parties
        )
        .exclude(Q(decision="") | Q(pk=conflict.pk))
        .select_related("holder", "claimant", "closed_by")
        .order_by("-pk")[:MAX_ROWS]
    )
    replaced = replaced_among([conflict, *rows])
    return [
        DecisionRow(
            row,
            in_words(row.period),
            decided(row),
            moment(row.closed_by.moment if row.closed_by else None),
            row in replaced,
        )
        for row in rows
    ]


def open_between(conflict: Conflict) -> list[Conflict]:
    """Return the open conflicts between the two parties about the connection."""
    parties = [conflict.holder_id, conflict.claimant_id]
    return list(
        Conflict.objects.filter(
            connection=conflict.connection_id,
            kind=conflict.kind,
            holder__in=parties,
            claimant__in=parties,
            closed_by=None,
        ).order_by("pk")[:MAX_ROWS]
    )
