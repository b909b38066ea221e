"""The content of a connection's page: its claims on a day, and the history of all claims."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import CharField, F, QuerySet, Value
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from participants.admin_base.html import link, moment
from participants.scope import Scope
from registry.admin.facts.adjust import adjust_url, party_of
from registry.admin.facts.base import recipient
from registry.decisions.history import Refusable, refusals
from registry.models import (
    Change,
    ClaimStanding,
    Conflict,
    CongestionPointConnection,
    Connection,
    FactQuerySet,
    Representation,
)
from registry.periods import in_words

PAGE_SIZE = 100
"""Claims of the history on one page."""

CLAIMS = 100
"""At most this many claims of a kind are listed for a day; a DSO may claim it at any number of congestion points."""

CONFLICTS = 20
"""At most this many conflicts are on the page; the list of conflicts has all."""

LATER = 3
"""At most this many claims of each kind that begin after the day of the page are named."""

MODELS: tuple[type[Representation], type[CongestionPointConnection]] = (
    Representation,
    CongestionPointConnection,
)
PARTIES = {Representation: "agr", CongestionPointConnection: "dso"}


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim in words.

    `reason` says why it does not count, `source` where one that counts came from: when, by whom and why. `adjust_url`
    is empty when the viewer may not adjust it.
    """

    subject: SafeString
    days: str
    standing: str
    standing_label: str
    reason: SafeString | str
    source: SafeString | str
    adjust_url: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A claim of the history, with the sources of the changes that recorded and superseded it.

    `known_then_query` is the query that shows the page as known when the claim was recorded.
    """

    claim: ClaimRow
    recorded: str
    source: SafeString | str
    known_then_query: str
    superseded: str
    superseded_by: SafeString | str


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer of the page: the participants that they see and adjust for."""

    seen: Scope
    adjusts_for: Scope
    named: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, seen: Scope, adjusts_for: Scope) -> Viewer:
        """Return the viewer with these scopes."""
        return cls(seen, adjusts_for, frozenset() if seen.everyone else frozenset(seen.domains()))

    def claim_row(self, claim: Refusable, refused: dict[Refusable, Conflict]) -> ClaimRow:
        """Return a claim in words for the viewer."""
        may_adjust = claim.superseded_by_id is None and party_of(claim) in self.adjusts_for
        return ClaimRow(
            subject=_subject(claim),
            days=link(claim, in_words(claim.period)),
            standing=claim.standing,
            standing_label=str(claim.get_standing_display()),
            reason=self._reason(claim, refused.get(claim)),
            source=self._since(claim.recorded_by) if claim.standing == ClaimStanding.EFFECTIVE else "",
            adjust_url=adjust_url(claim) if may_adjust else "",
        )

    def _reason(self, claim: Refusable, decision: Conflict | None) -> SafeString | str:
        """Return why a claim does not count; empty when it does."""
        if claim.standing == "contested":
            since = claim.waiting_since
            return f"waiting since {moment(since.moment)}" if since else ""
        if claim.standing != "refused":
            return ""
        # The conflict names both of its parties to those who may see one of them.
        given_to = recipient(claim, self.seen, named=decision is not None)
        if decision is None:
            return format_html("given to {} by the policy “newest wins”", given_to)
        conflict = link(decision, f"conflict {decision.pk}")
        return format_html(
            "given to {} by {}’s decision in {}: {}", given_to, decision.decided_by, conflict, decision.reason
        )

    def _since(self, recorded: Change) -> SafeString:
        return format_html("{}: {}", link(recorded, moment(recorded.moment)), self.source(recorded))

    def source(self, change: Change) -> SafeString | str:
        """Return where a change came from, with a link to its message; a sender out of scope is not named."""
        if change.message is not None:
            sender = change.message.sender
            if not self.seen.everyone and (sender.role, sender.domain) not in self.named:
                return "a message of another participant"
            return format_html("{}", link(change.message, f"{change.message.message_type} of {sender}"))
        if change.kind == Change.Kind.IMPORT:
            return f"import {change.file_name}"
        return f"{change.actor} (staff): {change.reason}"


def facts_on(
    connection: Connection, day: date, known_at: datetime | None, viewer: Viewer
) -> tuple[list[ClaimRow], list[ClaimRow]]:
    """Return the representations and memberships claimed for `day`.

    Effective claims come first, then those that have waited longest. There is one more than CLAIMS of a kind where not
    all are to be listed.

    Args:
        connection: The connection of the page.
        day: The day that the claims are about.
        known_at: As known at this aware moment; None: at present.
        viewer: The viewer of the page.
    """
    longest_first = F("waiting_since").asc(nulls_first=True)
    claims = [
        list(_on(model, connection, day, known_at, viewer.seen).order_by(longest_first, "pk")[: CLAIMS + 1])
        for model in MODELS
    ]
    refused = refusals([*claims[0], *claims[1]], known_at=known_at)
    representations, memberships = ([viewer.claim_row(claim, refused) for claim in found] for found in claims)
    return representations, memberships


def next_claims(
    connection: Connection, day: date, known_at: datetime | None, viewer: Viewer
) -> tuple[list[ClaimRow], list[ClaimRow]]:
    """Return the representations and memberships that begin to count after `day`, the next ones first."""
    later = (
        [
            viewer.claim_row(claim, {})
            for claim in _held(model, connection, known_at, viewer.seen)
            .filter(standing=ClaimStanding.EFFECTIVE, period__startswith__gt=day)
            .order_by("period", "pk")[:LATER]
        ]
        for model in MODELS
    )
    representations, memberships = later
    return representations, memberships


def facts_of(connection: Connection, seen: Scope) -> list[FactQuerySet[Any]]:
    """Return all claims ever made on `connection` by participants in `seen`, of each kind."""
    found: list[Any] = [
        seen.restrict(model.objects.filter(connection=connection), PARTIES[model]) for model in MODELS
    ]
    return found


def history(connection: Connection, number: str, viewer: Viewer) -> tuple[Page[Any], list[HistoryRow]]:
    """Return a page of all claims ever made on `connection`, the latest first."""
    keys = [
        viewer.seen.restrict(model.objects.filter(connection=connection), PARTIES[model])
        .annotate(model=Value(model._meta.model_name, output_field=CharField()))
        .values_list("model", "pk", "recorded_by")
        .order_by()
        for model in MODELS
    ]
    page = Paginator(
        keys[0].union(keys[1], all=True).order_by("-recorded_by", "model", "-pk"), PAGE_SIZE
    ).get_page(number)
    keys_of_page = list(page.object_list)
    rows: dict[tuple[str, int], Refusable] = {}
    for model in MODELS:
        name = str(model._meta.model_name)
        wanted = [pk for kind, pk, _ in keys_of_page if kind == name]
        rows |= {(name, row.pk): row for row in _with_sources(model.objects.filter(pk__in=wanted))}
    refused = refusals(rows.values())
    return page, [_recorded(rows[kind, pk], refused, viewer) for kind, pk, _ in keys_of_page]


def conflicts_of(connection: Connection, seen: Scope) -> list[Conflict]:
    """Return the conflicts about `connection`, open ones first, then the latest."""
    rows = seen.restrict(Conflict.objects.filter(connection=connection), "holder", "claimant")
    return list(
        rows.select_related("holder", "claimant", "opened_by", "closed_by").order_by(
            F("closed_by").desc(nulls_first=True), "-pk"
        )[:CONFLICTS]
    )


def _on(
    model: type[Any], connection: Connection, day: date, known_at: datetime | None, seen: Scope
) -> QuerySet[Any]:
    rows: FactQuerySet[Any] = _held(model, connection, known_at, seen)
    return rows.on(day)


def _held(model: type[Any], connection: Connection, known_at: datetime | None, seen: Scope) -> Any:
    """Return the claims that are held for true, or were at a past moment, with the rows that the page needs."""
    rows: FactQuerySet[Any] = model.objects.filter(connection=connection)
    held = rows.current() if known_at is None else rows.known_at(known_at)
    return _with_sources(seen.restrict(held, PARTIES[model]))


def _with_sources(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Select the related rows that the page needs of each claim, so that no query runs for each claim."""
    related = ("agr",) if rows.model is Representation else ("dso", "congestion_point")
    changes = ("recorded_by__message__sender", "superseded_by__message__sender", "waiting_since")
    return rows.select_related(*related, *changes, "given_to").defer(
        "recorded_by__message__sealed", "superseded_by__message__sealed"
    )


def _subject(claim: Refusable) -> SafeString:
    if isinstance(claim, Representation):
        return format_html("{}", link(claim.agr))
    beside = "" if claim.exclusive else " (beside another DSO)"
    return format_html("{} of {}{}", link(claim.congestion_point), link(claim.dso), beside)


def _recorded(claim: Refusable, refused: dict[Refusable, Conflict], viewer: Viewer) -> HistoryRow:
    recorded, superseded = claim.recorded_by, claim.superseded_by
    return HistoryRow(
        claim=viewer.claim_row(claim, refused),
        recorded=link(recorded, moment(recorded.moment)),
        source=viewer.source(recorded),
        known_then_query=_known_then_query(recorded.moment),
        superseded=link(superseded, moment(superseded.moment)) if superseded else "",
        superseded_by=viewer.source(superseded) if superseded else "",
    )


def _known_then_query(at: datetime | None) -> str:
    """Return the query that shows the page as known at `at`; empty for None."""
    if at is None:
        return ""
    here = localtime(at)
    return urlencode({"known_day": f"{here:%Y-%m-%d}", "known_time": f"{here:%H:%M:%S}"})
