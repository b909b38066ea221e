"""What lies behind a congestion point on a day, with who is active there: as staff read it.

On a day on which the congestion point has no terms, nothing lies behind it (docs/rules.md Q6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, FilteredRelation, Q, QuerySet

from common.csv.writer import rows_of
from participants.scope import Scope
from registry.models import (
    ClaimStanding,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
)
from registry.periods import last_day

NOBODY_ACTIVE = "no aggregator"
ANOTHER = "another aggregator"
"""An AGR that is none of the business of who looks."""


@dataclass(frozen=True, slots=True)
class Active:
    """An AGR (None: nobody, or another that is not told) and how many of a congestion point's connections it has."""

    agr: int | None
    name: str
    connections: int
    share: str


def terms_on(point: CongestionPoint, day: date) -> CongestionPointTerms | None:
    """The terms of `point` on `day`; None where it does not exist then."""
    return CongestionPointTerms.objects.current().on(day).filter(congestion_point=point).first()


def memberships(point: CongestionPoint, day: date) -> QuerySet[CongestionPointConnection]:
    """The memberships that count on `day`, by address, each with `active_agr`, its `active_domain` and
    `active_period`: the AGR that is active there and its days, None where there is none."""
    related = "connection__representations"
    return (
        _effective(point, day)
        .annotate(
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
        .select_related("connection")
        .order_by("connection__address")
    )


def waiting(point: CongestionPoint, day: date) -> int:
    """How many memberships are claimed for `day` but do not count."""
    claimed = CongestionPointConnection.objects.current().on(day).filter(congestion_point=point)
    return claimed.exclude(standing=ClaimStanding.EFFECTIVE).count()


def aggregators(point: CongestionPoint, day: date, scope: Scope) -> tuple[int, list[Active]]:
    """How many connections lie behind `point` on `day`, and who is active there: most connections first.

    AGRs outside `scope` are told as one. Connections without an AGR come last.
    """
    total = _effective(point, day).count()
    found = (
        Representation.objects.current()
        .on(day)
        .filter(
            standing=ClaimStanding.EFFECTIVE,
            connection__memberships__congestion_point=point,
            connection__memberships__superseded_by=None,
            connection__memberships__standing=ClaimStanding.EFFECTIVE,
            connection__memberships__period__contains=day,
        )
        .values_list("agr", "agr__domain")
        .annotate(many=Count("pk"))
        .order_by("-many", "agr__domain")
    )
    told: list[Active] = []
    others = represented = 0
    for agr, domain, many in found:
        represented += many
        if agr in scope:
            told.append(Active(agr, domain, many, percent(many, total)))
        else:
            others += many
    if others:
        told.append(Active(None, ANOTHER, others, percent(others, total)))
    if total > represented:
        told.append(Active(None, NOBODY_ACTIVE, total - represented, percent(total - represented, total)))
    return total, told


def as_lines(point: CongestionPoint, day: date, scope: Scope) -> Iterator[tuple[object, ...]]:
    """Each connection behind `point` on `day` as a line of a file: address, first and last day of its membership,
    AGR, first and last day of the AGR's."""
    if terms_on(point, day) is None:
        return
    for row in rows_of(memberships(point, day)):
        active: Any = row
        agr = name_of(active.active_agr, active.active_domain, scope)
        shown = active.active_period if active.active_agr is not None and active.active_agr in scope else None
        yield (
            row.connection.address,
            row.period.lower,
            last_day(row.period),
            agr,
            shown.lower if shown else None,
            last_day(shown) if shown else None,
        )


def name_of(agr: int | None, domain: str | None, scope: Scope) -> str | None:
    """The domain of an active AGR for who looks at `scope`; None where nobody is active."""
    if agr is None:
        return None
    return domain if agr in scope else ANOTHER


def percent(part: int, whole: int) -> str:
    """`33.3 %`; never rounded to none or all of what is neither. `–` of nothing."""
    if not whole:
        return "–"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def _effective(point: CongestionPoint, day: date) -> QuerySet[CongestionPointConnection]:
    current = CongestionPointConnection.objects.current().on(day)
    return current.filter(congestion_point=point, standing=ClaimStanding.EFFECTIVE)
