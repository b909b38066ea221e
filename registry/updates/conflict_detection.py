"""Open and close conflicts after claims have changed (docs/rules.md C8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.sql.claim_kinds import ClaimKind

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CONTESTED_RUNS = """
-- The longest runs of contested days on the disputed connections. If several DSOs hold a day, the holder is the DSO
-- with the exclusive claim, else the DSO that was registered first.
WITH side AS (
    SELECT c.connection_id, c.{party} AS party_id, c.standing, {exclusive} AS exclusive, range_agg(c.period) AS days
    FROM {claims} c JOIN disputed USING (connection_id)
    WHERE c.superseded_by_id IS NULL AND c.standing IN ('effective', 'contested')
    GROUP BY 1, 2, 3, 4
), holding AS (
    SELECT h.connection_id, h.party_id, h.days - coalesce(range_agg(better.days), '{{}}') AS days
    FROM side h
    LEFT JOIN side better ON better.connection_id = h.connection_id AND better.standing = 'effective'
        AND (NOT better.exclusive, better.party_id) < (NOT h.exclusive, h.party_id)
    WHERE h.standing = 'effective'
    GROUP BY h.connection_id, h.party_id, h.exclusive, h.days
), run AS (
    SELECT h.connection_id, h.party_id AS holder_id, s.party_id AS claimant_id,
        unnest(range_agg(s.days * h.days)) AS period
    FROM side s JOIN holding h ON h.connection_id = s.connection_id AND h.party_id <> s.party_id
    WHERE s.standing = 'contested'
    GROUP BY h.connection_id, h.party_id, s.party_id
)
"""

CLOSE = """
UPDATE registry_conflict f SET closed_by_id = %(change)s
FROM disputed
WHERE f.connection_id = disputed.connection_id AND f.kind = %(kind)s::varchar AND f.closed_by_id IS NULL
    AND NOT EXISTS (
        SELECT FROM run
        WHERE run.connection_id = f.connection_id AND run.holder_id = f.holder_id
            AND run.claimant_id = f.claimant_id AND run.period = f.period
    )
"""

OPEN = """
INSERT INTO registry_conflict
    (kind, connection_id, holder_id, claimant_id, period, opened_by_id, decision, decided_by, reason)
SELECT %(kind)s::varchar, connection_id, holder_id, claimant_id, period, %(change)s, '', '', ''
FROM run
WHERE NOT EXISTS (
    SELECT FROM registry_conflict f
    WHERE f.kind = %(kind)s::varchar AND f.connection_id = run.connection_id AND f.holder_id = run.holder_id
        AND f.claimant_id = run.claimant_id AND f.period = run.period AND f.closed_by_id IS NULL
)
ORDER BY connection_id, period
"""


def refresh_conflicts(cursor: CursorWrapper, kind: ClaimKind, *, change: int) -> None:
    """Close and open conflicts on the disputed connections, so that they match the contested days.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        change: The id of the change that opens and closes them.
    """
    parameters: dict[str, Any] = {"change": change, "kind": kind.conflict.value}
    cursor.execute(kind.sql(CONTESTED_RUNS + CLOSE), parameters)
    cursor.execute(kind.sql(CONTESTED_RUNS + OPEN), parameters)
