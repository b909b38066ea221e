"""Write the claims that change, as `registry.updates.standings` judged them.

On disputed connections the pieces are merged into claims again. Only what differs from the current claims is written.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from registry.changes import analyze
from registry.sql.claim_kinds import ClaimKind
from registry.sql.staging import ANALYZE_FROM_ROWS
from registry.updates.conflict_detection import refresh_conflicts
from registry.updates.standings import parameters_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

MERGE_DAYS = """
INSERT INTO wanted_claim (point_id, party_id, connection_id, period, standing, given_to, waiting_since, exclusive)
SELECT point_id, party_id, connection_id, unnest(range_agg(daterange(first, nullif(stop, 'infinity')))),
    standing, given_to, waiting_since, exclusive
FROM piece WHERE claimed
GROUP BY point_id, party_id, connection_id, standing, given_to, waiting_since, exclusive
"""

KEEP_UNDISPUTED = """
-- Claims on connections that are not disputed: days that stay keep their standing, new days are effective.
INSERT INTO wanted_claim (point_id, party_id, connection_id, period, standing, given_to, waiting_since, exclusive)
SELECT point_id, party_id, connection_id, unnest(range_agg(days)), standing, given_to, waiting_since, exclusive
FROM (
    SELECT w.point_id, w.party_id, w.connection_id, datemultirange(c.period) * w.want AS days,
        c.standing, c.given_to_id AS given_to, c.waiting_since_id AS waiting_since, {exclusive} AS exclusive
    FROM claim_change w
    JOIN {claims} c ON c.connection_id = w.connection_id AND c.{party} = w.party_id AND {point} = w.point_id
        AND c.superseded_by_id IS NULL
    WHERE w.old <> '{{}}' AND NOT EXISTS (SELECT FROM disputed d WHERE d.connection_id = w.connection_id)
    UNION ALL
    SELECT w.point_id, w.party_id, w.connection_id, w.want - w.old, 'effective', NULL, NULL, %(exclusive)s
    FROM claim_change w
    WHERE w.old <> '{{}}' AND NOT EXISTS (SELECT FROM disputed d WHERE d.connection_id = w.connection_id)
) parts
WHERE days <> '{{}}'
GROUP BY point_id, party_id, connection_id, standing, given_to, waiting_since, exclusive
"""

SUPERSEDE = """
-- Supersede the current claims that differ from the wanted claims.
WITH affected AS (
    SELECT c.id, {point} AS point_id, c.{party} AS party_id, c.connection_id, c.period, c.standing,
        c.given_to_id, c.waiting_since_id, {exclusive} AS exclusive
    FROM claim_change w
    JOIN {claims} c ON c.connection_id = w.connection_id AND c.{party} = w.party_id AND {point} = w.point_id
        AND c.superseded_by_id IS NULL
    WHERE w.old <> '{{}}'
    UNION
    SELECT c.id, {point}, c.{party}, c.connection_id, c.period, c.standing, c.given_to_id, c.waiting_since_id,
        {exclusive}
    FROM disputed JOIN {claims} c USING (connection_id)
    WHERE c.superseded_by_id IS NULL
), stale AS (
    SELECT id FROM affected a
    WHERE NOT EXISTS (
        SELECT FROM wanted_claim n
        WHERE n.connection_id = a.connection_id AND n.party_id = a.party_id AND n.point_id = a.point_id
            AND n.period = a.period AND n.standing = a.standing AND n.exclusive = a.exclusive
            AND n.waiting_since IS NOT DISTINCT FROM a.waiting_since_id
            AND n.given_to IS NOT DISTINCT FROM a.given_to_id
    )
)
UPDATE {claims} SET superseded_by_id = %(change)s FROM stale WHERE {claims}.id = stale.id
"""

RECORD = """
-- Record the wanted claims that are not registered yet.
INSERT INTO {claims}
    (connection_id, period, standing, given_to_id, waiting_since_id, recorded_by_id, {insert_columns})
SELECT connection_id, period, standing, given_to, waiting_since, %(change)s, {insert_values}
FROM wanted_claim n
WHERE NOT EXISTS (
    SELECT FROM {claims} c
    WHERE c.connection_id = n.connection_id AND c.{party} = n.party_id AND {point} = n.point_id
        AND c.superseded_by_id IS NULL AND c.period = n.period
)
"""

RECORD_NEW = """
-- Record the claims on items that had none, on connections that are not disputed. The order scatters the keys: in the
-- order of the keys, a million inserts take nearly twice as long in the GiST index of the constraint.
INSERT INTO {claims} (connection_id, period, standing, recorded_by_id, {insert_columns})
SELECT connection_id, period, 'effective', %(change)s, {insert_values}
FROM (
    SELECT w.point_id, w.party_id, w.connection_id, unnest(w.want) AS period, %(exclusive)s::boolean AS exclusive
    FROM claim_change w
    WHERE w.old = '{{}}' AND NOT EXISTS (SELECT FROM disputed d WHERE d.connection_id = w.connection_id)
) new_claims
ORDER BY hashint8(connection_id / 64), connection_id
"""


def write(
    cursor: CursorWrapper,
    kind: ClaimKind,
    *,
    change: int,
    policy: str,
    today: date,
    disputed: bool = True,
    any_replaced: bool = True,
) -> None:
    """Write the claims that differ to the facts, and refresh the conflicts.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        change: The id of the change.
        policy: The policy that `standings.judge` was called with.
        today: The market's day of receipt.
        disputed: Connections are disputed. Without these there are no pieces to merge and no conflicts to refresh.
        any_replaced: Claims change that had days before. Without these, and without disputed connections, all claims
            are new and need no comparison.
    """
    parameters = parameters_of(change, policy, today)
    written = 0
    if disputed or any_replaced:
        cursor.execute(MERGE_DAYS)
        wanted = int(cursor.rowcount)
        cursor.execute(kind.sql(KEEP_UNDISPUTED), parameters)
        if wanted + cursor.rowcount >= ANALYZE_FROM_ROWS:
            cursor.execute("ANALYZE wanted_claim")
        cursor.execute(kind.sql(SUPERSEDE), parameters)
        written = int(cursor.rowcount)
        cursor.execute(kind.sql(RECORD), parameters)
        written += int(cursor.rowcount)
    cursor.execute(kind.sql(RECORD_NEW), parameters)
    written += int(cursor.rowcount)
    if disputed:
        refresh_conflicts(cursor, kind, change=change)
    if written >= ANALYZE_FROM_ROWS:
        analyze(cursor, kind.table, *(["registry_conflict"] if disputed else []))
