"""Read the members of a congestion point on a day, and who represents them, for staff.

On a day on which the congestion point has no terms, it has no members (docs/rules.md Q6). With `known_at`, an aware
moment, all of this is as the registry held it for true then; None: as it does at present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from django.db.models import Count, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery

from common.csv.writer import stream_rows
from participants.scope import Scope
from registry.models import (
    ClaimStanding,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Fact,
    FactQuerySet,
    Representation,
)
from registry.periods import last_day

M = TypeVar("M", bound=Fact)

NOBODY_ACTIVE = "no aggregator"
ANOTHER_AGGREGATOR = "another aggregator"
"""Stands for an AGR outside the viewer's scope."""


@dataclass(frozen=True, slots=True)
class ActiveAggregator:
    """An AGR and how many of a congestion point's connections it represents.

    `agr` is None for connections without an AGR, and for AGRs outside the viewer's scope.
    """

    agr: int | None
    name: str
    connections: int
    share: str


def terms_on(
    point: CongestionPoint, day: date, known_at: datetime | None = None
) -> CongestionPointTerms | None:
    """Return the terms of `point` on `day`; None when it does not exist on that day."""
    return held(CongestionPointTerms.objects.filter(congestion_point=point), known_at).on(day).first()


def held(rows: FactQuerySet[M], known_at: datetime | None) -> FactQuerySet[M]:
    """Return the facts that the registry holds for true at present, or that it did at a past moment."""
    return rows.current() if known_at is None else rows.known_at(known_at)


def memberships(
    point: CongestionPoint, day: date, known_at: datetime | None = None
) -> QuerySet[CongestionPointConnection]:
    """Return the memberships that count on `day`, by address, with the AGR that is active there.

    Each has `active_agr`, `active_domain` and `active_period` (half-open); they are None when no AGR is active.
    """
    rows = _effective(point, day, known_at).select_related("connection").order_by("connection__address")
    if known_at is not None:
        active = held(Representation.objects.filter(connection=OuterRef("connection")), known_at).on(day)
        active = active.filter(standing=ClaimStanding.EFFECTIVE)
        return rows.annotate(
            active_agr=Subquery(active.values("agr")[:1]),
            active_domain=Subquery(active.values("agr__domain")[:1]),
            active_period=Subquery(active.values("period")[:1]),
        )
    related = "connection__representations"
    return rows.annotate(
        active=FilteredRelation(
            related,
            condition=Q(
                **{
                    f"{related}__superseded_by": None,
                    f"{related}__standing": ClaimStanding.EFFECTIVE,
                    f"{related}__period__contains": day,
                }
            ),
        ),
        active_agr=F("active__agr"),
        active_domain=F("active__agr__domain"),
        active_period=F("active__period"),
    )


def count_waiting(point: CongestionPoint, day: date, known_at: datetime | None = None) -> int:
    """Return how many memberships are claimed for `day` but do not count."""
    return _claimed(point, day, known_at).exclude(standing=ClaimStanding.EFFECTIVE).count()


def aggregators(
    point: CongestionPoint, day: date, scope: Scope, known_at: datetime | None = None
) -> tuple[int, list[ActiveAggregator]]:
    """Return the number of connections of `point` on `day`, and the AGRs that represent them, most connections first.

    AGRs outside `scope` form one entry. Connections without an AGR come last.
    """
    total = _effective(point, day, known_at).count()
    found = (
        _representing(point, day, known_at)
        .values_list("agr", "agr__domain")
        .annotate(count=Count("pk"))
        .order_by("-count", "agr__domain")
    )
    rows: list[ActiveAggregator] = []
    others = represented = 0
    for agr, domain, count in found:
        represented += count
        if agr in scope:
            rows.append(ActiveAggregator(agr, domain, count, percent(count, total)))
        else:
            others += count
    if others:
        rows.append(ActiveAggregator(None, ANOTHER_AGGREGATOR, others, percent(others, total)))
    if total > represented:
        rows.append(
            ActiveAggregator(None, NOBODY_ACTIVE, total - represented, percent(total - represented, total))
        )
    return total, rows


def csv_lines(
    point: CongestionPoint, day: date, scope: Scope, known_at: datetime | None = None
) -> Iterator[tuple[object, ...]]:
    """Yield the lines of a file of the connections of `point` on `day`.

    A line has the address, the first and last day of the membership, the AGR, and the first and last day of the AGR's
    representation.
    """
    if terms_on(point, day, known_at) is None:
        return
    for row in stream_rows(memberships(point, day, known_at)):
        active: Any = row
        agr = aggregator_name(active.active_agr, active.active_domain, scope)
        period = (
            active.active_period if active.active_agr is not None and active.active_agr in scope else None
        )
        yield (
            row.connection.address,
            row.period.lower,
            last_day(row.period),
            agr,
            period.lower if period else None,
            last_day(period) if period else None,
        )


def aggregator_name(agr: int | None, domain: str | None, scope: Scope) -> str | None:
    """Return the domain of an active AGR for a viewer with `scope`; None when no AGR is active."""
    if agr is None:
        return None
    return domain if agr in scope else ANOTHER_AGGREGATOR


def percent(part: int, total: int) -> str:
    """Return a share such as `33.3 %`; a dash when `total` is 0.

    The result is `0 %` or `100 %` only when the share is exactly none or all.
    """
    if not total:
        return "–"
    if part in (0, total):
        return "100 %" if part else "0 %"
    return f"{min(max(100 * part / total, 0.1), 99.9):.1f} %"


def _claimed(
    point: CongestionPoint, day: date, known_at: datetime | None
) -> QuerySet[CongestionPointConnection]:
    rows: FactQuerySet[CongestionPointConnection] = CongestionPointConnection.objects.filter(
        congestion_point=point
    )
    if known_at is not None:
        # No index has the superseded memberships of a congestion point; one has those of its DSO.
        rows = rows.filter(dso=point.dso_id)
    return held(rows, known_at).on(day)


def _effective(
    point: CongestionPoint, day: date, known_at: datetime | None = None
) -> QuerySet[CongestionPointConnection]:
    return _claimed(point, day, known_at).filter(standing=ClaimStanding.EFFECTIVE)


def _representing(point: CongestionPoint, day: date, known_at: datetime | None) -> QuerySet[Representation]:
    """Return the representations that count on `day` of the connections that belong to the point."""
    rows = Representation.objects.filter(standing=ClaimStanding.EFFECTIVE)
    if known_at is not None:
        inside = _effective(point, day, known_at).values("connection").order_by()
        return held(rows, known_at).on(day).filter(connection__in=inside)
    return (
        rows.current()
        .on(day)
        .filter(
            connection__memberships__congestion_point=point,
            connection__memberships__superseded_by=None,
            connection__memberships__standing=ClaimStanding.EFFECTIVE,
            connection__memberships__period__contains=day,
        )
    )
