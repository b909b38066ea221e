"""Show the registry as plain values for staff and scripts: days inclusive, on any day, as known at any past moment."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet

from registry.changes import wait_for_stamped_changes
from registry.market.market import iso_text, market
from registry.models import (
    Claim,
    ClaimStanding,
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    FactQuerySet,
    Representation,
)
from registry.periods import Days, last_day


@transaction.atomic
def show_connection(
    address: str, *, on: date | None = None, known_at: datetime | None = None
) -> dict[str, Any]:
    """Return all claims on a connection and its open conflicts, as values for JSON.

    Args:
        address: The entity address of the connection.
        on: Only claims and conflicts about this day; None: about any day.
        known_at: What the registry held for true at this aware moment; None: at present.

    Raises:
        Connection.DoesNotExist: There is no such connection.
    """
    if known_at is not None:
        wait_for_stamped_changes()
    connection = Connection.objects.get(address=address)
    representations = _select(Representation.objects.filter(connection=connection), on, known_at)
    memberships = _select(CongestionPointConnection.objects.filter(connection=connection), on, known_at)
    conflicts = Conflict.objects.filter(connection=connection).filter(_open(known_at))
    if on is not None:
        conflicts = conflicts.filter(period__contains=on)
    return {
        "connection": address,
        **_question(on, known_at),
        "representations": [
            {"agr": row.agr.domain, **_claim(row)}
            for row in representations.select_related("agr").order_by("agr__domain", "period")
        ],
        "memberships": [
            {
                "dso": row.dso.domain,
                "congestion_point": row.congestion_point.address,
                **_claim(row),
                "exclusive": row.exclusive,
            }
            for row in memberships.select_related("dso", "congestion_point").order_by(
                "dso__domain", "congestion_point__address", "period"
            )
        ],
        "conflicts": list_conflicts(conflicts, known_at=known_at),
    }


@transaction.atomic
def show_congestion_point(
    dso: str, address: str, *, on: date | None = None, known_at: datetime | None = None
) -> dict[str, Any]:
    """Return the terms of a DSO's congestion point and the connections claimed for it, as values for JSON.

    `ended_at_once` has the days on which a message ended it at once, as far as that is remembered (docs/rules.md D5).
    With `on`, each connection names the AGR that is effective on that day.

    Args:
        dso: The domain of the DSO.
        address: The entity address of the congestion point.
        on: As for `show_connection`.
        known_at: As for `show_connection`.

    Raises:
        CongestionPoint.DoesNotExist: There is no such congestion point.
    """
    if known_at is not None:
        wait_for_stamped_changes()
    point = CongestionPoint.objects.get(dso__domain=dso, address=address)
    terms = _select(CongestionPointTerms.objects.filter(congestion_point=point), on, known_at)
    memberships = _select(CongestionPointConnection.objects.filter(congestion_point=point), on, known_at)
    endings = _held(point.endings.all(), known_at)
    if on is not None:
        endings = endings.filter(day=on)
    active: dict[int, str] = {}
    if on is not None:
        represented = Representation.objects.filter(
            standing=ClaimStanding.EFFECTIVE, connection__in=memberships.values("connection")
        )
        active = dict(_select(represented, on, known_at).values_list("connection_id", "agr__domain"))
    return {
        "dso": dso,
        "congestion_point": address,
        **_question(on, known_at),
        "terms": [
            {
                **_days(row.period),
                "mutex_offers_supported": row.mutex_offers_supported,
                "day_ahead_redispatch_by": row.day_ahead_redispatch_by,
                "intraday_redispatch_by": row.intraday_redispatch_by,
            }
            for row in terms.order_by("period")
        ],
        "ended_at_once": [
            {"day": day.isoformat()} for day in endings.order_by("day").values_list("day", flat=True)
        ],
        "connections": [
            {
                "connection": row.connection.address,
                **_claim(row),
                "exclusive": row.exclusive,
                **({"agr": active.get(row.connection_id)} if on is not None else {}),
            }
            for row in memberships.select_related("connection").order_by("connection__address", "period")
        ],
    }


def list_conflicts(
    conflicts: QuerySet[Conflict] | None = None, *, only_open: bool = False, known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Return conflicts by number, as values for JSON.

    Args:
        conflicts: The conflicts to return; None: all, or all open ones.
        only_open: Return only open conflicts; used only without `conflicts`.
        known_at: An aware moment; how conflicts ended later is left out. None: at present.
    """
    if conflicts is None:
        conflicts = Conflict.objects.filter(closed_by__isnull=True) if only_open else Conflict.objects.all()
    found = conflicts.select_related("connection", "holder", "claimant", "opened_by", "closed_by").order_by(
        "pk"
    )
    return [_conflict(conflict, known_at) for conflict in found]


def _conflict(conflict: Conflict, known_at: datetime | None) -> dict[str, Any]:
    closed_at = conflict.closed_by.moment if conflict.closed_by else None
    end: dict[str, Any] = dict.fromkeys(("closed_at", "decision", "split_at", "decided_by", "reason"))
    if closed_at is not None and (known_at is None or closed_at <= known_at):
        end = {
            "closed_at": _in_market_time(closed_at),
            "decision": conflict.decision or None,
            "split_at": str(conflict.split_at) if conflict.split_at else None,
            "decided_by": conflict.decided_by or None,
            "reason": conflict.reason or None,
        }
    return {
        "id": conflict.pk,
        "kind": conflict.kind,
        "connection": conflict.connection.address,
        "holder": conflict.holder.domain,
        "claimant": conflict.claimant.domain,
        **_days(conflict.period),
        "opened_at": _in_market_time(conflict.opened_by.moment) if conflict.opened_by.moment else None,
        "replaces": conflict.replaces_id,
        **end,
    }


def _in_market_time(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(market().time_zone)).isoformat()


def _held(facts: FactQuerySet[Any], known_at: datetime | None) -> FactQuerySet[Any]:
    return facts.current() if known_at is None else facts.known_at(known_at)


def _select(facts: FactQuerySet[Any], on: date | None, known_at: datetime | None) -> FactQuerySet[Any]:
    facts = _held(facts, known_at)
    return facts if on is None else facts.on(on)


def _open(known_at: datetime | None) -> Q:
    if known_at is None:
        return Q(closed_by__isnull=True)
    return Q(opened_by__moment__lte=known_at) & (
        Q(closed_by__isnull=True) | Q(closed_by__moment__gt=known_at)
    )


def _question(on: date | None, known_at: datetime | None) -> dict[str, str | None]:
    return {
        "on": on.isoformat() if on else None,
        "known_at": iso_text(known_at, market().time_zone) if known_at else None,
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {**_days(claim.period), "standing": claim.standing}


def _days(period: Days) -> dict[str, str | None]:
    last = last_day(period)
    return {"start": str(period.lower), "end": last.isoformat() if last else None}
