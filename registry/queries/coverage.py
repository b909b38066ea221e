"""How many connections of each congestion point an AGR represents: counted ahead, for lists and figures.

All congestion points are counted when the market's day changes; on the same day only those that a change since has
touched. Both count the same from the facts, so that a figure never drifts.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Count, Max

from common import locks
from registry.changes import wait_for_stamped_changes
from registry.models import Change, CongestionPointCoverage, Coverage, CoverageState

if TYPE_CHECKING:
    from participants.scope import Scope

MANY = 10_000
"""Changes after which all congestion points are counted rather than those that they touched."""

WORK_MEMORY = "64MB"
"""What one step of a count may hold in memory; beyond, PostgreSQL sorts and joins on disk."""

COUNTED_POINTS = """
CREATE TEMPORARY TABLE IF NOT EXISTS counted_point (id bigint PRIMARY KEY) ON COMMIT DROP;
DELETE FROM counted_point
"""

ALL_POINTS = """
INSERT INTO counted_point SELECT id FROM registry_congestionpoint
"""

TOUCHED_POINTS = """
-- Congestion points of which the changes recorded or superseded a fact about the day: their terms, their memberships,
-- or a representation of a connection behind them.
INSERT INTO counted_point
SELECT m.congestion_point_id
FROM (
    SELECT connection_id FROM registry_representation
    WHERE recorded_by_id = ANY(%(changes)s) AND period @> %(day)s
    UNION
    SELECT connection_id FROM registry_representation
    WHERE superseded_by_id = ANY(%(changes)s) AND period @> %(day)s
) moved
JOIN registry_congestionpointconnection m USING (connection_id)
WHERE m.superseded_by_id IS NULL AND m.period @> %(day)s
UNION
SELECT congestion_point_id FROM registry_congestionpointconnection
WHERE recorded_by_id = ANY(%(changes)s) AND period @> %(day)s
UNION
SELECT congestion_point_id FROM registry_congestionpointconnection
WHERE superseded_by_id = ANY(%(changes)s) AND period @> %(day)s
UNION
SELECT congestion_point_id FROM registry_congestionpointterms WHERE recorded_by_id = ANY(%(changes)s)
UNION
SELECT congestion_point_id FROM registry_congestionpointterms WHERE superseded_by_id = ANY(%(changes)s)
"""

NEW_POINTS = """
-- Those that were never counted: a congestion point without a single day has no fact.
INSERT INTO counted_point
SELECT p.id FROM registry_congestionpoint p
WHERE NOT EXISTS (SELECT FROM registry_congestionpointcoverage c WHERE c.congestion_point_id = p.id)
ON CONFLICT DO NOTHING
"""

COUNT = """
-- The connections that lie behind the counted congestion points on the day, as a DSO is told them (docs/rules.md Q6),
-- and those of them with an AGR that is active there.
INSERT INTO registry_congestionpointcoverage (congestion_point_id, day, connections, represented, counted_at)
SELECT p.id, %(day)s, coalesce(c.connections, 0), coalesce(c.represented, 0), %(now)s
FROM counted_point p
LEFT JOIN (
    SELECT m.congestion_point_id AS id, count(*) AS connections, count(r.connection_id) AS represented
    FROM counted_point
    JOIN registry_congestionpointconnection m ON m.congestion_point_id = counted_point.id
        AND m.superseded_by_id IS NULL AND m.standing = 'effective' AND m.period @> %(day)s
    LEFT JOIN registry_representation r ON r.connection_id = m.connection_id
        AND r.superseded_by_id IS NULL AND r.standing = 'effective' AND r.period @> %(day)s
    WHERE EXISTS (
        SELECT FROM registry_congestionpointterms t
        WHERE t.congestion_point_id = m.congestion_point_id AND t.superseded_by_id IS NULL AND t.period @> %(day)s
    )
    GROUP BY m.congestion_point_id
) c ON c.id = p.id
ORDER BY p.id
ON CONFLICT (congestion_point_id) DO UPDATE
SET day = excluded.day, connections = excluded.connections, represented = excluded.represented,
    counted_at = excluded.counted_at
"""


def count(*, today: date, now: datetime) -> int:
    """Bring the coverage up to `today`, the market's day, and to the latest change; gives how many points it counted.

    `now` (aware) is kept as the moment of counting. Where another process is counting, it does nothing.
    """
    upto = _latest_change()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.COVERAGE])
        if cursor.fetchone() != (True,):
            return 0
        state = CoverageState.objects.first()
        after = state.latest_change if state else None
        latest = max(filter(None, (after, upto)), default=None)
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        cursor.execute(COUNTED_POINTS)
        changes = _changes(after, latest)
        if state is None or state.day != today or after is None or len(changes) > MANY:
            cursor.execute(ALL_POINTS)
        else:
            if changes:
                cursor.execute(TOUCHED_POINTS, {"day": today, "changes": changes})
            cursor.execute(NEW_POINTS)
        cursor.execute("SELECT count(*) FROM counted_point")
        (counted,) = cursor.fetchone()
        if counted:
            cursor.execute("ANALYZE counted_point")
            cursor.execute(COUNT, {"day": today, "now": now})
        CoverageState.objects.update_or_create(
            pk=1, defaults={"day": today, "latest_change": latest, "counted_at": now}
        )
    return int(counted)


def counted_at() -> datetime | None:
    """When the coverage was last brought up to date; None where it never was."""
    return CoverageState.objects.values_list("counted_at", flat=True).first()


def bands(scope: Scope) -> list[tuple[str, int, str]]:
    """(label, how many congestion points, query string of their list) for each band of coverage, from none to all."""
    rows = scope.restrict(CongestionPointCoverage.objects.all(), "congestion_point__dso")
    many = dict(rows.values_list("band").annotate(Count("pk")).order_by())
    return [(str(band.label), many.get(band.value, 0), f"coverage={band.value}") for band in Coverage]


def _changes(after: datetime | None, upto: datetime | None) -> list[int]:
    """The changes that became known after `after` and up to `upto`; MANY and one at most."""
    if after is None or upto is None or upto <= after:
        return []
    fresh = Change.objects.filter(moment__gt=after, moment__lte=upto)
    return list(fresh.order_by().values_list("pk", flat=True)[: MANY + 1])


@transaction.atomic
def _latest_change() -> datetime | None:
    """The moment of the latest change; all changes up to it are committed."""
    wait_for_stamped_changes()
    latest: datetime | None = Change.objects.aggregate(Max("moment"))["moment__max"]
    return latest
