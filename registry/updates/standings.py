"""Judge the standings of claims (docs/rules.md C1 to C7).

This works on the staging tables as sets. If no other party has a claim on the days that change, every claimed day is
effective. Otherwise, and if staff decide about the connection, it is disputed, and all its claims are judged:

1. Split every claim into pieces: all days of a piece are alike.
2. Judge each piece by the rules.

`registry.updates.claims` merges the pieces into claims again, and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.types.multirange import Multirange

from registry.market.policies import ALLOW, NEWEST_WINS
from registry.sql import plans
from registry.sql.claim_kinds import ClaimKind
from registry.sql.staging import ANALYZE_FROM_ROWS

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

FIND_OVERLAPPING = """
-- Connections on which the days that change overlap another party's claim, or a claim of the same DSO at another
-- congestion point that is exclusive where a new one would not be, or the other way; and connections with a ruling.
INSERT INTO disputed
SELECT w.connection_id FROM claim_change w
WHERE EXISTS (
    SELECT FROM {claims} c
    WHERE c.connection_id = w.connection_id AND {current}
      AND c.period && (w.old + w.want)
      AND (c.{party} <> w.party_id OR ({point} <> w.point_id AND {exclusive} <> %(exclusive)s))
)
UNION
SELECT connection_id FROM claim_change GROUP BY connection_id HAVING count(DISTINCT party_id) > 1
UNION
SELECT connection_id FROM ruling
"""

CURRENT = "c.superseded_by_id IS NULL"
CURRENT_BY_CONNECTION = "coalesce(c.superseded_by_id, 0) = 0"
"""CURRENT in words for which there is no partial index.

Without statistics, PostgreSQL would take the partial index of all current claims on another column to be the cheapest
way to the claims on one connection, and read it as a whole.
"""

SPLIT_DAYS = """
-- Every claim on a disputed connection, before and after, split at every day on which anything about it may change.
INSERT INTO piece (point_id, party_id, connection_id, first, stop, was, given_to, waiting_since, exclusive, claimed)
WITH edge AS (
    SELECT c.connection_id, lower(c.period) AS day
    FROM {claims} c JOIN disputed USING (connection_id) WHERE c.superseded_by_id IS NULL
    UNION
    SELECT c.connection_id, coalesce(upper(c.period), 'infinity')
    FROM {claims} c JOIN disputed USING (connection_id) WHERE c.superseded_by_id IS NULL
    UNION
    SELECT w.connection_id, lower(r) FROM claim_change w JOIN disputed USING (connection_id), unnest(w.want) r
    UNION
    SELECT w.connection_id, coalesce(upper(r), 'infinity')
    FROM claim_change w JOIN disputed USING (connection_id), unnest(w.want) r
    UNION
    SELECT connection_id, lower(days) FROM ruling
    UNION
    SELECT connection_id, coalesce(upper(days), 'infinity') FROM ruling
    UNION
    SELECT connection_id, %(today)s FROM disputed WHERE %(newest_wins)s
), segment AS (
    SELECT connection_id, day AS first, lead(day) OVER (PARTITION BY connection_id ORDER BY day) AS stop FROM edge
), item AS (
    SELECT {point} AS point_id, c.{party} AS party_id, c.connection_id
    FROM {claims} c JOIN disputed USING (connection_id) WHERE c.superseded_by_id IS NULL
    UNION
    SELECT point_id, party_id, connection_id FROM claim_change JOIN disputed USING (connection_id)
)
SELECT t.point_id, t.party_id, t.connection_id, s.first, s.stop, c.standing, c.given_to_id, c.waiting_since_id,
    coalesce({exclusive}, %(exclusive)s),
    CASE WHEN w.connection_id IS NULL THEN true ELSE w.want @> s.first END
FROM item t
JOIN segment s ON s.connection_id = t.connection_id AND s.stop IS NOT NULL
LEFT JOIN {claims} c ON c.connection_id = t.connection_id AND c.{party} = t.party_id AND {point} = t.point_id
    AND c.superseded_by_id IS NULL AND c.period @> s.first
LEFT JOIN claim_change w ON w.connection_id = t.connection_id AND w.party_id = t.party_id AND w.point_id = t.point_id
WHERE c.id IS NOT NULL OR w.want @> s.first
"""

JUDGE = """
-- The standing of each claimed piece. C7: a party has a day through all its congestion points alike.
WITH party_day AS (
    SELECT connection_id, first, party_id,
        coalesce(bool_or(was = 'effective'), false) AS held,
        min(given_to) AS given_to,
        bool_or(claimed) AS claims,
        bool_and(was IS NULL) AS is_new,
        -- C7, C8: what is claimed at another congestion point is exclusive as the DSO's claim on that day is
        bool_or(exclusive) FILTER (WHERE was IS NOT NULL) AS was_exclusive,
        coalesce(min(waiting_since), %(change)s) AS waiting_since
    FROM piece GROUP BY connection_id, first, party_id
), placed AS (
    SELECT p.*, r.winner AS ruled_for, r.loser AS ruled_against,
        -- C5: under "newest wins" a new claimant takes days from today on
        %(newest_wins)s AND p.is_new AND p.claims AND p.first >= %(today)s AS takes,
        bool_or(p.held AND p.claims) OVER day AS somebody_stays,
        -- C6: a free day goes to the claimant that has waited longest
        row_number() OVER (
            PARTITION BY p.connection_id, p.first ORDER BY p.claims DESC, p.waiting_since, p.party_id
        ) = 1 AS has_waited_longest
    FROM party_day p
    LEFT JOIN ruling r ON r.connection_id = p.connection_id AND r.days @> p.first
    WINDOW day AS (PARTITION BY p.connection_id, p.first)
), winning AS (
    SELECT p.*,
        coalesce(ruled_for, min(party_id) FILTER (WHERE takes) OVER (PARTITION BY connection_id, first)) AS winner
    FROM placed p
), judged AS (
    SELECT w.*,
        claims AND (CASE
            WHEN winner IS NOT NULL THEN
                party_id = winner
                OR (held AND ruled_for IS NOT NULL AND party_id <> ruled_against)
            -- C2: a day that was held and is still claimed, or claimed again, was never free
            WHEN somebody_stays THEN held
            ELSE has_waited_longest
        END OR (%(allow)s AND is_new)) AS holds
    FROM winning w
), with_holders AS (
    SELECT j.*,
        array_agg(party_id) FILTER (WHERE holds) OVER (PARTITION BY connection_id, first) AS holders,
        count(*) FILTER (WHERE holds) OVER (PARTITION BY connection_id, first) > 1 AS is_shared
    FROM judged j
), refused AS (
    SELECT s.*,
        CASE
            WHEN holds THEN NULL
            WHEN ruled_against = party_id THEN ruled_for
            WHEN held AND winner IS NOT NULL THEN winner
            -- C3: refused while the party that got the day holds it
            WHEN given_to = ANY(holders) THEN given_to
        END AS refused_for
    FROM with_holders s
)
UPDATE piece
SET standing = CASE
        WHEN s.holds THEN 'effective' WHEN s.refused_for IS NOT NULL THEN 'refused' ELSE 'contested'
    END,
    given_to = s.refused_for,
    waiting_since = CASE WHEN s.holds THEN NULL ELSE coalesce(piece.waiting_since, s.waiting_since) END,
    exclusive = coalesce(s.was_exclusive, piece.exclusive) AND NOT (s.holds AND s.is_shared AND NOT s.held),
    is_new = s.is_new
FROM refused s
WHERE s.connection_id = piece.connection_id AND s.first = piece.first AND s.party_id = piece.party_id
    AND piece.claimed
"""

NEWLY_CONTESTED = """
-- Newly claimed days that another party holds, the first of them by address.
SELECT count(*) OVER (), n.address, p.address, contested.days
FROM (
    SELECT point_id, connection_id, range_agg(daterange(first, nullif(stop, 'infinity'))) AS days
    FROM piece WHERE claimed AND is_new AND standing <> 'effective'
    GROUP BY point_id, connection_id
) contested
JOIN registry_connection n ON n.id = contested.connection_id
LEFT JOIN registry_congestionpoint p ON p.id = contested.point_id
ORDER BY n.address, p.address
LIMIT 20
"""


SORT_IN_MEMORY = "SET LOCAL work_mem = '64MB'"
"""A setting for the rest of a transaction with a large set: sorting a million pieces on disk takes twice as long."""


class Contested(NamedTuple):
    """Newly claimed days that another party holds.

    Attributes:
        connection: The address of the connection.
        point: The address of the congestion point; None for a representation.
        days: The days, half-open.
    """

    connection: str
    point: str | None
    days: Multirange[date]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of `judge`.

    Attributes:
        disputed: Some connection was disputed, so that pieces were judged.
        contested: The first newly claimed days that another party holds, at most 20.
        total: The number of all of these.
    """

    disputed: bool
    contested: tuple[Contested, ...] = ()
    total: int = 0


def judge(cursor: CursorWrapper, kind: ClaimKind, *, change: int, policy: str, today: date) -> Verdict:
    """Judge the standings of the claims in `claim_change` and `ruling`; write staging tables only.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        change: The id of the change.
        policy: The policy for newly claimed days that another party holds.
        today: The market's day of receipt.
    """
    parameters = parameters_of(change, policy, today)
    current = CURRENT_BY_CONNECTION if plans.is_by_index(cursor) else CURRENT
    cursor.execute(kind.sql(FIND_OVERLAPPING, current=current), parameters)
    if not cursor.rowcount:
        return Verdict(disputed=False)
    disputed = cursor.rowcount
    plans.as_usual(cursor)
    if disputed >= ANALYZE_FROM_ROWS:
        cursor.execute(SORT_IN_MEMORY)
    cursor.execute(kind.sql(SPLIT_DAYS), parameters)
    if cursor.rowcount >= ANALYZE_FROM_ROWS:
        cursor.execute("ANALYZE piece; ANALYZE disputed")
    cursor.execute(JUDGE, parameters)
    cursor.execute(NEWLY_CONTESTED)
    rows = cursor.fetchall()
    return Verdict(True, tuple(Contested(*row[1:]) for row in rows), rows[0][0] if rows else 0)


def parameters_of(change: int, policy: str, today: date) -> dict[str, Any]:
    """Return the parameters of the statements here and in `registry.updates.claims`."""
    return {
        "change": change,
        "today": today,
        "newest_wins": policy == NEWEST_WINS,
        "allow": policy == ALLOW,
        "exclusive": policy != ALLOW,
    }
