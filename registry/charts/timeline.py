"""Show the timeline of a connection: who claims it on which days, with which standing, and its conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from datetime import date, datetime
from itertools import groupby
from typing import TypeVar

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.html import moment, table
from participants.scope import Scope
from registry.charts.lanes import Bar, Group, Lane
from registry.charts.lanes_svg import draw
from registry.models import (
    Conflict,
    CongestionPointConnection,
    Connection,
    Fact,
    FactQuerySet,
    Representation,
)
from registry.periods import in_words

M = TypeVar("M", bound=Fact)

MAX_CLAIMS = 300
"""Claims of a kind that a timeline shows; the lists have all of them."""

LIMITED_NOTE = format_html(
    '<p class="help">{}</p>', "Only days of the participants that you look after are shown."
)


def of_connection(
    connection: Connection,
    *,
    today: date,
    known_at: datetime | None = None,
    scope: Scope,
    conflict: Conflict | None = None,
) -> SafeString:
    """Return a chart of the claims on `connection`, with a table that says the same.

    Args:
        connection: The connection.
        today: The market's day, which is marked in the chart.
        known_at: An aware moment: show what was known at it; the caller has called
            `registry.changes.wait_for_stamped_changes` before. None: what is known at present.
        scope: Only claims of its participants are shown, and only conflicts that one of them is a party of.
        conflict: Mark its days alone, whether it is open or closed. None: mark those of all open conflicts.
    """
    memberships = list(
        _known(CongestionPointConnection.objects.filter(connection=connection), known_at, scope, "dso")
        .select_related("dso", "congestion_point")
        .order_by("dso__domain", "congestion_point__address", "period")[: MAX_CLAIMS + 1]
    )
    representations = list(
        _known(Representation.objects.filter(connection=connection), known_at, scope, "agr")
        .select_related("agr")
        .order_by("agr__domain", "period")[: MAX_CLAIMS + 1]
    )
    conflicts_of_connection = [conflict] if conflict else _open_conflicts(connection, known_at, scope)
    cut = len(memberships) > MAX_CLAIMS or len(representations) > MAX_CLAIMS
    groups = [
        Group(
            "Congestion points",
            _lanes(memberships[:MAX_CLAIMS]),
            _marks(conflicts_of_connection, Conflict.Kind.MEMBERSHIP),
        ),
        Group(
            "Aggregators",
            _lanes(representations[:MAX_CLAIMS]),
            _marks(conflicts_of_connection, Conflict.Kind.REPRESENTATION),
        ),
    ]
    known_text = f", as known at {moment(known_at)}" if known_at else ""
    return format_html(
        "{}{}{}<details><summary>The same as a table</summary>{}</details>",
        draw(
            f"Timeline of connection {connection.address}{known_text}",
            _description(memberships, representations, conflicts_of_connection),
            groups,
            today=today,
        ),
        format_html('<p class="help">The first {} claims of a kind are shown.</p>', MAX_CLAIMS)
        if cut
        else "",
        "" if scope.everyone else LIMITED_NOTE,
        as_table(groups),
    )


def as_table(groups: Sequence[Group]) -> str:
    """Return the text of a chart: a row for each bar, and one for each mark."""
    rows = [
        (
            lane.label,
            format_html('<a href="{}">{}</a>', bar.url, in_words(bar.days))
            if bar.url
            else in_words(bar.days),
            bar.label,
        )
        for group in groups
        for lane in group.lanes
        for bar in lane.bars
    ]
    rows += [
        (bar.label, format_html('<a href="{}">{}</a>', bar.url, in_words(bar.days)), bar.tooltip)
        for group in groups
        for bar in group.marked
    ]
    return table(["What", "Days", "Standing"], rows)


def _known(facts: FactQuerySet[M], known_at: datetime | None, scope: Scope, party: str) -> QuerySet[M]:
    held = facts.current() if known_at is None else facts.known_at(known_at)
    return scope.restrict(held, party)


def _open_conflicts(connection: Connection, known_at: datetime | None, scope: Scope) -> list[Conflict]:
    conflicts = Conflict.objects.filter(connection=connection)
    if known_at is None:
        conflicts = conflicts.filter(closed_by__isnull=True)
    else:
        conflicts = conflicts.filter(
            Q(closed_by__isnull=True) | Q(closed_by__moment__gt=known_at), opened_by__moment__lte=known_at
        )
    visible = scope.restrict(conflicts, "holder", "claimant")
    return list(visible.select_related("holder", "claimant").order_by("pk")[:MAX_CLAIMS])


def _lanes(claims: Sequence[CongestionPointConnection] | Sequence[Representation]) -> tuple[Lane, ...]:
    """Return a lane for each congestion point or AGR of `claims`, in their order."""
    return tuple(
        Lane(label, tuple(_bar(claim, label) for claim in of_one))
        for label, of_one in groupby(claims, _label)
    )


def _label(claim: CongestionPointConnection | Representation) -> str:
    if isinstance(claim, Representation):
        return str(claim.agr)
    return f"{claim.congestion_point} of {claim.dso}"


def _bar(claim: CongestionPointConnection | Representation, label: str) -> Bar:
    standing = str(claim.get_standing_display())
    if isinstance(claim, CongestionPointConnection) and not claim.exclusive:
        standing += ", beside another DSO"
    return Bar(
        claim.period,
        claim.standing,
        standing,
        f"{label}: {in_words(claim.period)}, {standing.lower()}",
        reverse(f"admin:registry_{claim._meta.model_name}_change", args=[claim.pk]),
    )


def _marks(conflicts: Iterable[Conflict], kind: Conflict.Kind) -> tuple[Bar, ...]:
    """Return the days of the conflicts of a kind."""
    return tuple(
        Bar(
            each.period,
            "marked",
            f"Conflict {each.pk}",
            f"{each.holder} holds these days, {each.claimant} claims them",
            reverse("admin:registry_conflict_change", args=[each.pk]),
        )
        for each in conflicts
        if each.kind == kind
    )


def _description(
    memberships: Sequence[CongestionPointConnection],
    representations: Sequence[Representation],
    conflicts: Sequence[Conflict],
) -> str:
    """Describe the chart in a sentence, for those who do not see it."""
    points = {claim.congestion_point_id for claim in memberships}
    aggregators = {claim.agr_id for claim in representations}
    return (
        f"Claims on this connection: {_count(points, 'congestion point')}, {_count(aggregators, 'aggregator')}, "
        f"{_count(conflicts, 'conflict')}. The table below says the same."
    )


def _count(items: Sized, noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
