"""Count ahead how many connections of each congestion point an AGR represents, for lists and figures.

When the market's day changes, all congestion points are counted. On the same day, only those that later changes touched
are counted. Both count from the facts, so that the figures never drift.
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

FULL_COUNT_FROM = 10_000
"""After more changes than this, all congestion points are counted."""

WORK_MEMORY = "64MB"
"""Memory for one step of a count; beyond it, PostgreSQL sorts and joins on disk."""

COUNTED_POINTS = """
CREATE TEMPORARY TABLE IF NOT EXISTS counted_point (id bigint PRIMARY KEY) ON COMMIT DROP;
DELETE FROM counted_point
"""

ALL_POINTS = """
INSERT INTO counted_point SELECT id FROM registry_congestionpoint
"""

CHANGED_POINTS = """
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
INSERT INTO registry_congestionpointcoverage (
    congestion_point_id, day, has_terms, connections, represented, counted_at
)
SELECT p.id, %(day)s, EXISTS (
        SELECT FROM registry_congestionpointterms t
        WHERE t.congestion_point_id = p.id AND t.superseded_by_id IS NULL AND t.period @> %(day)s
    ), coalesce(c.connections, 0), coalesce(c.represented, 0), %(now)s
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
SET day = excluded.day, has_terms = excluded.has_terms, connections = excluded.connections,
    represented = excluded.represented, counted_at = excluded.counted_at
"""


def update_coverage(*, today: date, now: datetime) -> int:
    """Bring the coverage up to date, and return how many congestion points were counted.

    Do nothing and return 0 while another process is counting.

    Args:
        today: The market's day.
        now: An aware moment, stored as the moment of counting.
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
        if state is None or state.day != today or after is None or len(changes) > FULL_COUNT_FROM:
            cursor.execute(ALL_POINTS)
        else:
            if changes:
                cursor.execute(CHANGED_POINTS, {"day": today, "changes": changes})
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
    """Return when the coverage was last brought up to date; None when it never was."""
    return CoverageState.objects.values_list("counted_at", flat=True).first()


def bands(scope: Scope) -> list[tuple[str, int, str]]:
    """Return label, number of congestion points and query string of their list for each band of coverage.

    The bands run from none to all. Only congestion points of DSOs in `scope` that have terms on
    the day of the count are counted: those that have ended or not begun are in no band.
    """
    here = CongestionPointCoverage.objects.filter(has_terms=True)
    rows = scope.restrict(here, "congestion_point__dso")
    counts = dict(rows.values_list("band").annotate(Count("pk")).order_by())
    return [(str(band.label), counts.get(band.value, 0), f"coverage={band.value}") for band in Coverage]


def _changes(after: datetime | None, upto: datetime | None) -> list[int]:
    """Return the changes that became known after `after` and up to `upto`, but at most FULL_COUNT_FROM + 1."""
    if after is None or upto is None or upto <= after:
        return []
    changes = Change.objects.filter(moment__gt=after, moment__lte=upto)
    return list(changes.order_by().values_list("pk", flat=True)[: FULL_COUNT_FROM + 1])


def _latest_change() -> datetime | None:
    """Return the moment of the latest change; all changes up to it are committed."""
    wait_for_stamped_changes()
    latest: datetime | None = Change.objects.aggregate(Max("moment"))["moment__max"]
    return latest
