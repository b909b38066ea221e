"""What the page of a connection says: who has it on a day, and every claim that was ever made on it."""

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
from registry.admin.facts.adjust import adjusting, party_of
from registry.decisions.history import Refusable, refusals
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    Connection,
    FactQuerySet,
    Representation,
)
from registry.periods import in_words

AT_ONCE = 100
"""Claims of the history on one page."""

CONFLICTS = 20
"""Conflicts that the page lists; the rest is in the list of conflicts."""

MODELS: tuple[type[Representation], type[CongestionPointConnection]] = (
    Representation,
    CongestionPointConnection,
)
PARTIES = {Representation: "agr", CongestionPointConnection: "dso"}


@dataclass(frozen=True, slots=True)
class Told:
    """A claim in words: of whom, on what, its days; `because` says why it does not count; `adjust_url` may be empty."""

    what: SafeString
    days: str
    standing: str
    word: str
    because: SafeString | str
    adjust_url: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A claim of the history with where it comes from and what took its place; `then` shows the page as known then."""

    told: Told
    recorded: str
    source: SafeString | str
    then: str
    superseded: str
    superseded_by: SafeString | str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the page: the participants they look at and adjust for."""

    seen: Scope
    adjusts_for: Scope
    named: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, seen: Scope, adjusts_for: Scope) -> Reader:
        return cls(seen, adjusts_for, frozenset() if seen.everyone else frozenset(seen.domains()))

    def told(self, claim: Refusable, refused: dict[Refusable, Conflict]) -> Told:
        may_adjust = claim.superseded_by_id is None and party_of(claim) in self.adjusts_for
        return Told(
            what=_what(claim),
            days=link(claim, in_words(claim.period)),
            standing=claim.standing,
            word=str(claim.get_standing_display()),
            because=_because(claim, refused.get(claim)),
            adjust_url=adjusting(claim) if may_adjust else "",
        )

    def source(self, change: Change) -> SafeString | str:
        """Where a change came from, with a link to the message; a message of somebody out of scope is not told."""
        if change.message is not None:
            sender = change.message.sender
            if not self.seen.everyone and (sender.role, sender.domain) not in self.named:
                return "a message of another participant"
            return format_html("{}", link(change.message, f"{change.message.message_type} of {sender}"))
        if change.kind == Change.Kind.IMPORT:
            return f"import {change.file_name}"
        return f"decision of {change.actor}: {change.reason}"


def facts_on(
    connection: Connection, day: date, known_at: datetime | None, reader: Reader
) -> tuple[list[Told], list[Told]]:
    """(representations, memberships) claimed for `day`, as known at a moment (None: at present).

    What counts comes first, then who has waited longest.
    """
    longest_first = F("waiting_since").asc(nulls_first=True)
    claims = [
        list(_on(model, connection, day, known_at, reader.seen).order_by(longest_first, "pk"))
        for model in MODELS
    ]
    refused = refusals([*claims[0], *claims[1]], known_at=known_at)
    representations, memberships = ([reader.told(claim, refused) for claim in found] for found in claims)
    return representations, memberships


def history(connection: Connection, number: str, reader: Reader) -> tuple[Page[Any], list[Recorded]]:
    """A page of all claims that there ever were on `connection`, latest first."""
    keys = [
        reader.seen.restrict(model.objects.filter(connection=connection), PARTIES[model])
        .annotate(model=Value(model._meta.model_name, output_field=CharField()))
        .values_list("model", "pk", "recorded_by")
        .order_by()
        for model in MODELS
    ]
    page = Paginator(
        keys[0].union(keys[1], all=True).order_by("-recorded_by", "model", "-pk"), AT_ONCE
    ).get_page(number)
    shown = list(page.object_list)
    rows: dict[tuple[str, int], Refusable] = {}
    for model in MODELS:
        name = str(model._meta.model_name)
        wanted = [pk for kind, pk, _ in shown if kind == name]
        rows |= {(name, row.pk): row for row in _with_sources(model.objects.filter(pk__in=wanted))}
    refused = refusals(rows.values())
    return page, [_recorded(rows[kind, pk], refused, reader) for kind, pk, _ in shown]


def conflicts_of(connection: Connection, seen: Scope) -> list[Conflict]:
    """The conflicts about `connection`, open ones first, then the latest."""
    rows = seen.restrict(Conflict.objects.filter(connection=connection), "holder", "claimant")
    return list(
        rows.select_related("holder", "claimant", "opened_by", "closed_by").order_by(
            F("closed_by").desc(nulls_first=True), "-pk"
        )[:CONFLICTS]
    )


def _on(
    model: type[Any], connection: Connection, day: date, known_at: datetime | None, seen: Scope
) -> QuerySet[Any]:
    rows: FactQuerySet[Any] = model.objects.filter(connection=connection)
    held = rows.current() if known_at is None else rows.known_at(known_at)
    return _with_sources(seen.restrict(held.on(day), PARTIES[model]))


def _with_sources(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With what the page says of a claim, so that it asks no more for each."""
    related = ("agr",) if rows.model is Representation else ("dso", "congestion_point")
    changes = ("recorded_by__message__sender", "superseded_by__message__sender", "waiting_since")
    return rows.select_related(*related, *changes).defer(
        "recorded_by__message__sealed", "superseded_by__message__sealed"
    )


def _what(claim: Refusable) -> SafeString:
    if isinstance(claim, Representation):
        return format_html("{}", link(claim.agr))
    beside = "" if claim.exclusive else " (beside another DSO)"
    return format_html("{} of {}{}", link(claim.congestion_point), link(claim.dso), beside)


def _because(claim: Refusable, decision: Conflict | None) -> SafeString | str:
    """Why a claim does not count; empty where it does."""
    if claim.standing == "contested":
        since = claim.waiting_since
        return f"waiting since {moment(since.moment)}" if since else ""
    if claim.standing != "refused":
        return ""
    if decision is None:
        return "the policy “newest wins” gave these days to another"
    conflict = link(decision, f"conflict {decision.pk}")
    return format_html("by {}’s decision in {}: {}", decision.decided_by, conflict, decision.reason)


def _recorded(claim: Refusable, refused: dict[Refusable, Conflict], reader: Reader) -> Recorded:
    recorded, superseded = claim.recorded_by, claim.superseded_by
    return Recorded(
        told=reader.told(claim, refused),
        recorded=link(recorded, moment(recorded.moment)),
        source=reader.source(recorded),
        then=_then(recorded.moment),
        superseded=link(superseded, moment(superseded.moment)) if superseded else "",
        superseded_by=reader.source(superseded) if superseded else "",
    )


def _then(at: datetime | None) -> str:
    """The query by which the page shows what was known at `at`."""
    if at is None:
        return ""
    here = localtime(at)
    return urlencode({"known_day": f"{here:%Y-%m-%d}", "known_time": f"{here:%H:%M:%S}"})
