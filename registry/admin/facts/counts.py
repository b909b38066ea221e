"""Count the facts of each kind that a change recorded and superseded, as links to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Model
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from participants.admin_base import extensions
from participants.admin_base.html import count_in_words, list_link, one_per_line
from participants.scope import Scope
from registry.models import (
    Change,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointEnding,
    CongestionPointTerms,
    Representation,
)

RECORDED, SUPERSEDED = ("recorded", "recorded_by"), ("superseded", "superseded_by")


@dataclass(frozen=True, slots=True)
class FactKind:
    """A kind of fact, and the list that shows it.

    `owners` are the paths from a fact to its participants. `listed` is the model of the list. When the facts have no
    list of their own, `path` leads from the rows of that list to them. `days` marks claims and terms: their list
    shows current facts unless asked for all, and the page of a change shows the effects on their days.
    """

    model: type[Model]
    owners: tuple[str, ...]
    listed: type[Model]
    path: str = ""
    actions: tuple[tuple[str, str], ...] = (RECORDED, SUPERSEDED)
    days: bool = False

    def links(self, change: Change, scope: Scope) -> Iterator[SafeString]:
        """Yield links such as `2 recorded` and `1 superseded` to the facts in `scope`; none for 0."""
        for action, field in self.actions:
            rows = self.model._default_manager.filter(**{field: change})
            count = count_in_words(scope.restrict(rows, *self.owners))
            if count != "0":
                query = {f"{self.path}{field}__id__exact": change.pk}
                past_too = {"known": "all"} if self.days else {}
                yield list_link(self.listed, f"{count} {action}", **query, **past_too)


FACT_KINDS = (
    FactKind(CongestionPointTerms, ("congestion_point__dso",), CongestionPointTerms, days=True),
    FactKind(CongestionPointConnection, ("dso",), CongestionPointConnection, days=True),
    FactKind(Representation, ("agr",), Representation, days=True),
    FactKind(CongestionPointEnding, ("congestion_point__dso",), CongestionPoint, "endings__"),
)
"""The kinds of the registry; apps above register theirs (`participants.admin_base.extensions`)."""


def fact_kinds() -> list[FactKind]:
    """Return the kinds of facts of every app."""
    return [*FACT_KINDS, *extensions.fact_kinds()]


def fact_counts(change: Change, scope: Scope) -> str:
    """Return how many facts of participants in `scope` a change recorded and superseded, a line for each kind."""
    lines = []
    for kind in fact_kinds():
        if links := list(kind.links(change, scope)):
            name = str(kind.model._meta.verbose_name_plural).capitalize()
            lines.append(
                format_html("{}: {}", name, format_html_join(" · ", "{}", ((link,) for link in links)))
            )
    return one_per_line(lines)


def has_facts_without_days(change: Change) -> bool:
    """Return whether a change recorded facts that are neither claims nor terms."""
    return any(
        kind.model._default_manager.filter(recorded_by=change).exists()
        for kind in fact_kinds()
        if not kind.days
    )
