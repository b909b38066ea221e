"""Answer the queries of participants: each reads only what is its own (docs/rules.md Q1 to Q7).

Responses are streamed: long lists are iterables that read from the database while the response is written. Addresses
that were registered before the rule for their form (docs/rules.md E1) are in none: a recipient that validates by the
schema could not read any of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db import connection

from common.identifiers import ODD_ADDRESS_SQL
from participants.models import Participant
from registry.market.policies import COUNTS, Policies
from registry.models import CongestionPoint, CongestionPointTerms, Representation
from uftp.protocol.messages import DSOPortfolio, PortfolioCongestionPoint

BATCH_SIZE = 20_000
POINT_BATCH_SIZE = 100

PORTFOLIO = f"""
-- The AGR's effective connections on the day: a row for each congestion point, and last one, without a DSO, for those
-- that lie behind none. One statement, so that all rows are of one moment.
WITH mine AS (
    SELECT r.connection_id, n.address FROM registry_representation r
    JOIN registry_connection n ON n.id = r.connection_id
    WHERE r.agr_id = %(agr)s AND r.superseded_by_id IS NULL AND r.standing = 'effective' AND r.period @> %(day)s
        AND NOT {ODD_ADDRESS_SQL.format("n.address")}
), placed AS (
    SELECT mine.connection_id, mine.address, t.congestion_point_id, t.mutex_offers_supported,
        t.day_ahead_redispatch_by, t.intraday_redispatch_by
    FROM mine
    LEFT JOIN (
        registry_congestionpointconnection m
        JOIN registry_congestionpointterms t ON t.congestion_point_id = m.congestion_point_id
            AND t.superseded_by_id IS NULL AND t.period @> %(day)s
    ) ON m.connection_id = mine.connection_id
        AND m.superseded_by_id IS NULL AND m.standing = 'effective' AND m.period @> %(day)s
)
SELECT d.domain, p.address, c.mutex_offers_supported, c.day_ahead_redispatch_by, c.intraday_redispatch_by, c.addresses
FROM (
    SELECT congestion_point_id, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by,
        array_agg(address ORDER BY address) AS addresses
    FROM placed
    GROUP BY congestion_point_id, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
) c
LEFT JOIN registry_congestionpoint p ON p.id = c.congestion_point_id
LEFT JOIN participants_participant d ON d.id = p.dso_id
WHERE p.address IS NULL OR NOT {ODD_ADDRESS_SQL.format("p.address")}
ORDER BY d.domain NULLS LAST, p.address
"""

POINT_CONNECTIONS = """
-- The effective connections behind a congestion point on the day, each with the AGR that is active there.
SELECT n.address, a.domain
FROM registry_congestionpointconnection m
JOIN registry_connection n ON n.id = m.connection_id
LEFT JOIN registry_representation r ON r.connection_id = m.connection_id
    AND r.superseded_by_id IS NULL AND r.standing = 'effective' AND r.period @> %(day)s
LEFT JOIN participants_participant a ON a.id = r.agr_id
WHERE m.congestion_point_id = %(point)s AND m.superseded_by_id IS NULL
    AND m.standing = 'effective' AND m.period @> %(day)s AND NOT {odd}
    AND EXISTS (
        SELECT FROM registry_congestionpointterms t
        WHERE t.congestion_point_id = m.congestion_point_id AND t.superseded_by_id IS NULL AND t.period @> %(day)s
    )
ORDER BY {order}
"""


def claims_any(agr: Participant, day: date) -> bool:
    """Return whether the AGR claims any connection on `day`, with any standing (docs/rules.md Q1)."""
    return Representation.objects.current().on(day).filter(agr=agr).exists()


def portfolio(agr: Participant, day: date) -> tuple[Iterator[DSOPortfolio], Iterator[str]]:
    """Return the AGR's connections on `day`: by DSO and congestion point, and those without one (docs/rules.md Q2, Q3).

    Both iterables read from one query: exhaust the first, with the congestion points of each DSO, before the second.
    """
    by_dso = groupby(_rows(PORTFOLIO, POINT_BATCH_SIZE, agr=agr.pk, day=day), itemgetter(0))
    unallocated: list[str] = []

    def portfolios() -> Iterator[DSOPortfolio]:
        for domain, rows in by_dso:
            if domain is None:
                unallocated.extend(next(rows)[-1])
            else:
                yield DSOPortfolio(
                    dso_domain=domain, congestion_points=(_congestion_point(row) for row in rows)
                )

    def rest() -> Iterator[str]:
        yield from unallocated

    return portfolios(), rest()


def registered_point(dso: Participant, address: str) -> CongestionPoint | None:
    """Return the congestion point that this DSO registered at `address` for any day, or None (docs/rules.md Q5).

    The query reads only the DSO's own rows. So neither the result nor the time it takes shows whether another DSO has a
    congestion point at this address.
    """
    point = CongestionPoint.objects.filter(dso=dso, address=address).first()
    if point is None or not CongestionPointTerms.objects.current().filter(congestion_point=point).exists():
        return None
    return point


def point_connections(
    point: CongestionPoint, day: date, policies: Policies
) -> Iterator[tuple[str, str | None]]:
    """Yield the connections of a congestion point on `day`, each with its active AGR or None (docs/rules.md Q6, Q7).

    Under the disclosure policy `counts`, pseudonyms under this CRO's domain replace the connections. They are new for
    each query and in no order.
    """
    hidden = policies["disclosure"] == COUNTS
    query = POINT_CONNECTIONS.format(
        odd=ODD_ADDRESS_SQL.format("n.address"), order="random()" if hidden else "n.address"
    )
    prefix = f"{own_address_prefix()}:"
    for address, agr in _rows(query, BATCH_SIZE, point=point.pk, day=day):
        yield f"{prefix}{secrets.token_hex(16)}" if hidden else address, agr


def placeholder() -> DSOPortfolio:
    """Return a portfolio that stands for an empty one (docs/rules.md Q4).

    It is for libraries whose schema requires an element.
    """
    address = f"{own_address_prefix()}:none"
    return DSOPortfolio(
        dso_domain=settings.CRO_DOMAIN,
        congestion_points=(
            PortfolioCongestionPoint(
                entity_address=address,
                mutex_offers_supported=False,
                day_ahead_redispatch_by="DSO",
                connections=(address,),
            ),
        ),
    )


def own_address_prefix() -> str:
    """Return how entity addresses under this CRO's own domain begin, without the colon."""
    return f"ea1.2000-01.{'.'.join(reversed(settings.CRO_DOMAIN.split('.')))}"


def _congestion_point(row: tuple[Any, ...]) -> PortfolioCongestionPoint:
    _, address, mutex, day_ahead, intraday, connections = row
    return PortfolioCongestionPoint(
        entity_address=address,
        mutex_offers_supported=mutex,
        day_ahead_redispatch_by=day_ahead,
        intraday_redispatch_by=intraday,
        connections=connections,
    )


def _rows(query: str, batch_size: int, **parameters: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query, fetched from the server in batches of `batch_size`."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(batch_size):
            yield from rows
