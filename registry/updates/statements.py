"""Build the statements of an update, and find the claims that change (docs/rules.md D2 to D4, D7, P1 to P7).

An item is a pair (AGR, connection) or (congestion point, connection). All lines of an update about one item are one
statement. A statement replaces the sender's earlier days from its first day on (`registry.sql.replacement`):

* Earlier days that touch or overlap the stated days are replaced.
* Days before the first stated day stay.
* A separate block of later days stays, unless the policy for P7 is to accept.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.market.policies import ACCEPT, Policies
from registry.sql.claim_kinds import ClaimKind
from registry.sql.plans import FEW
from registry.sql.staging import analyze_if_large

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

STATEMENTS_WITHOUT_POINT = """
-- Statements from lines without a congestion point.
INSERT INTO statement (point_id, party_id, connection_id, address, days, replaces_from, withdraws_from, lines, line)
SELECT 0, s.party_id, n.id, s.address, s.days, s.replaces_from, s.withdraws_from, s.lines, s.line
FROM (
    SELECT party_id, address,
        coalesce(range_agg(daterange(first, upper)) FILTER (WHERE upper IS NULL OR upper > first), '{}') AS days,
        min(least(first, upper)) AS replaces_from,
        min(upper) FILTER (WHERE upper <= first) AS withdraws_from,
        count(*) AS lines, min(line) AS line
    FROM staged_line GROUP BY party_id, address
) s
LEFT JOIN registry_connection n ON n.address = s.address
"""

STATEMENTS_WITH_POINT = """
-- Statements from lines under congestion points, with the days that P3, P4 and P5 leave.
INSERT INTO statement (point_id, party_id, connection_id, address, days, replaces_from, withdraws_from, lines, line)
SELECT s.point_id, s.party_id, n.id, s.address, s.days, s.replaces_from, s.withdraws_from, s.lines, s.line
FROM (
    SELECT point_id, party_id, address, range_agg(days) AS days, min(least(first, upper)) AS replaces_from,
        min(upper) FILTER (WHERE upper <= first) AS withdraws_from, count(*) AS lines, min(line) AS line
    FROM judged_line WHERE NOT outside GROUP BY point_id, party_id, address
) s
LEFT JOIN registry_connection n ON n.address = s.address
"""

JUDGE_LINES = """
-- Judge each line against the days that its congestion point is to have in the registry.
INSERT INTO judged_line
SELECT line, point_id, party_id, address, first, upper,
    CASE WHEN inside THEN stated
        ELSE stated * after
            + CASE WHEN %(accept_early)s THEN stated * before_it ELSE '{}' END
            + CASE WHEN %(accept_late)s THEN stated - after - before_it ELSE '{}' END
    END,
    NOT inside AND stated && after AND stated && before_it,
    NOT inside AND stated && after AND stated - after - before_it <> '{}',
    NOT inside AND stated <> '{}' AND NOT stated && after
FROM (
    SELECT l.line, d.point_id, l.party_id, l.address, l.first, l.upper, l.stated, d.after,
        d.after @> l.stated AS inside, datemultirange(daterange(NULL, lower(d.after))) AS before_it
    FROM (
        SELECT *, CASE WHEN upper <= first THEN '{}' ELSE datemultirange(daterange(first, upper)) END AS stated
        FROM staged_line
    ) l
    JOIN staged_point p ON p.number = l.point AND NOT p.ends
    JOIN point_days d ON d.dso_id = p.dso_id AND d.address = p.address
) measured
"""

ACCEPT_REGISTERED_LINES = """
-- Leave the lines as they are that state days which are registered already, though they are irregular by P3 to P5.
-- Not where the congestion point loses days: there they are judged against the days that it keeps.
UPDATE judged_line l
SET days = datemultirange(daterange(l.first, l.upper)), late = false, early = false, outside = false
FROM point_days d
WHERE d.point_id = l.point_id AND d.after @> d.before AND (l.late OR l.early OR l.outside) AND EXISTS (
    SELECT FROM registry_congestionpointconnection c JOIN registry_connection n ON n.id = c.connection_id
    WHERE n.address = l.address AND c.congestion_point_id = l.point_id AND c.superseded_by_id IS NULL
    HAVING range_agg(c.period) @> daterange(l.first, l.upper)
)
"""

NEW_CONNECTIONS = """
-- Register the addresses that are new. All writers insert in the order of addresses, so that they do not deadlock.
WITH added AS (
    INSERT INTO registry_connection (address)
    SELECT DISTINCT l.address FROM {lines} l
    LEFT JOIN registry_connection n ON n.address = l.address
    WHERE n.id IS NULL AND {registers}
    ORDER BY l.address
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO locked_connection SELECT id FROM added
"""

CLAIM_CHANGES = """
-- Items whose days differ from the days that the sender has registered.
INSERT INTO claim_change
{single_claims}
SELECT point_id, party_id, connection_id, old, want
FROM (
    SELECT s.point_id, s.party_id, s.connection_id, o.old,
        CASE
            WHEN o.old = '{{}}' OR o.old = s.days THEN s.days
            ELSE o.old * {before}
                + CASE WHEN %(keep_later)s THEN {later} ELSE '{{}}' END
                - coalesce(d.clip, '{{}}') + s.days
        END AS want
    FROM {statements} s
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(c.period), '{{}}') AS old FROM {claims} c
        WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
            AND c.superseded_by_id IS NULL
    ) o
    LEFT JOIN point_days d ON d.point_id = s.point_id
    WHERE {among}
) stated
WHERE want <> old
"""

# Most items of a large update have no claim yet, or one claim with the same days. One join finds these. Only the other
# items need a lookup of their claims.
COMPARE_SINGLE_CLAIMS = """
WITH compared AS MATERIALIZED (
    SELECT s.*, c.id IS NULL AS is_new
    FROM statement s
    LEFT JOIN {claims} c ON c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
        AND c.superseded_by_id IS NULL
    WHERE (c.id IS NULL OR datemultirange(c.period) <> s.days) AND {among}
)
SELECT point_id, party_id, connection_id, '{{}}'::datemultirange, days FROM compared WHERE is_new AND days <> '{{}}'
UNION ALL
"""
WITH_SEVERAL_CLAIMS = "(SELECT DISTINCT ON (line) * FROM compared WHERE NOT is_new ORDER BY line)"

ROWS_PER_LOOKUP = 12
"""A join reads this number of claims in the time of one lookup."""

ESTIMATED_CLAIMS = "SELECT reltuples FROM pg_class WHERE oid = %(claims)s::regclass"

ON_LOCKED_CONNECTIONS = "s.connection_id IN (SELECT connection_id FROM locked_connection)"


UNLISTED_CLAIMS = """
-- Memberships of the stated congestion points about which nothing is stated. They lose the days that the congestion
-- point loses. If omitted connections end (D7), those that no line names lose the days after today too.
INSERT INTO claim_change
WITH mentioned AS (
    SELECT DISTINCT d.point_id, n.id AS connection_id
    FROM staged_line l
    JOIN staged_point p ON p.number = l.point
    JOIN point_days d ON d.dso_id = p.dso_id AND d.address = p.address
    JOIN registry_connection n ON n.address = l.address
    WHERE %(end_omitted)s
), claimed AS (
    SELECT d.point_id, c.dso_id, c.connection_id, d.clip, d.listed, range_agg(c.period) AS old
    FROM point_days d
    JOIN registry_congestionpointconnection c
        ON c.congestion_point_id = d.point_id AND c.superseded_by_id IS NULL
    WHERE (d.clip <> '{}' OR (%(end_omitted)s AND (d.listed OR %(everything)s))) AND NOT EXISTS (
        SELECT FROM statement s WHERE s.point_id = d.point_id AND s.connection_id = c.connection_id
    )
    GROUP BY d.point_id, c.dso_id, c.connection_id, d.clip, d.listed
)
SELECT point_id, dso_id, connection_id, old, want
FROM (
    SELECT c.*, old - clip - CASE
            WHEN %(end_omitted)s AND (listed OR %(everything)s) AND m.connection_id IS NULL
            THEN datemultirange(daterange(%(tomorrow)s, NULL)) ELSE '{}'
        END AS want
    FROM claimed c LEFT JOIN mentioned m USING (point_id, connection_id)
) clipped
WHERE want <> old
"""

OMITTED = """
-- Representations that no line is about, of one AGR or of all AGRs: they end with today (D7).
INSERT INTO claim_change
SELECT 0, agr_id, connection_id, old, want
FROM (
    SELECT agr_id, connection_id, old, old - datemultirange(daterange(%(tomorrow)s, NULL)) AS want
    FROM (
        SELECT c.agr_id, c.connection_id, range_agg(c.period) AS old FROM registry_representation c
        WHERE (%(everything)s OR c.agr_id = %(party)s) AND c.superseded_by_id IS NULL AND NOT EXISTS (
            SELECT FROM statement s WHERE s.connection_id = c.connection_id AND s.party_id = c.agr_id
        )
        GROUP BY c.agr_id, c.connection_id
    ) held
) ended
WHERE want <> old
"""


class StatementCounts(NamedTuple):
    """The numbers that building the statements found.

    Attributes:
        items: The number of stated items.
        new_connections: The number of new connections. This transaction has locked them, and each gets claimed days.
    """

    items: int
    new_connections: int


def build_statements(cursor: CursorWrapper, *, judged: bool) -> StatementCounts:
    """Register new connections, and build a statement from all lines about one item.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        judged: Use the lines that `judge_lines` judged against their congestion points, not the staged lines.
    """
    lines = "judged_line" if judged else "staged_line"
    registers = "days <> '{}' AND NOT outside" if judged else "(upper IS NULL OR upper > first)"
    cursor.execute(NEW_CONNECTIONS.format(lines=lines, registers=registers))
    added = cursor.rowcount
    analyze_if_large(cursor, "locked_connection", added)
    analyze_if_large(cursor, "registry_connection", added)
    cursor.execute(STATEMENTS_WITH_POINT if judged else STATEMENTS_WITHOUT_POINT)
    items = cursor.rowcount
    analyze_if_large(cursor, "statement", items)
    return StatementCounts(items, added)


def judge_lines(cursor: CursorWrapper, policies: Policies) -> None:
    """Cut the lines under congestion points to the days of these, as the policies for P3 and P4 say."""
    cursor.execute(
        JUDGE_LINES, {"accept_late": policies["P3"] == ACCEPT, "accept_early": policies["P4"] == ACCEPT}
    )
    analyze_if_large(cursor, "judged_line", cursor.rowcount)


def accept_registered_lines(cursor: CursorWrapper) -> None:
    """Do not cut lines of a file that change nothing: they may be older than a policy (docs/rules.md I4)."""
    cursor.execute(ACCEPT_REGISTERED_LINES)


def find_changes(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    *,
    today: date,
    end_omitted: bool,
    party: int | None = None,
    locked_only: bool = False,
    items: int = 0,
) -> int:
    """Fill the empty `claim_change` with the items whose days change.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        policies: The policies in force.
        today: The market's day of receipt.
        end_omitted: Claims that no line is about end with today (docs/rules.md D7, I3).
        party: The primary key of the party whose omitted claims end; None for all parties.
        locked_only: Compare only the statements about connections that this transaction has locked.
        items: The number of stated items. If it is large beside the number of registered claims, all claims are read
            by one join.

    Returns:
        The number of items whose days change.
    """
    parameters: dict[str, Any] = {
        "party": party,
        "everything": party is None,
        "keep_later": policies["P7"] != ACCEPT,
        "end_omitted": end_omitted,
        "tomorrow": today + timedelta(days=1),
    }
    among = ON_LOCKED_CONNECTIONS if locked_only else "true"
    single_claims, source = "", "statement"
    if items >= FEW and _compares_by_join(cursor, kind, items):
        single_claims, source = kind.sql(COMPARE_SINGLE_CLAIMS, among=among), WITH_SEVERAL_CLAIMS
    cursor.execute(
        kind.sql(CLAIM_CHANGES, among=among, single_claims=single_claims, statements=source), parameters
    )
    changes = cursor.rowcount
    if kind.point != "0":
        cursor.execute(UNLISTED_CLAIMS, parameters)
        changes += cursor.rowcount
    elif end_omitted:
        cursor.execute(OMITTED, parameters)
        changes += cursor.rowcount
    analyze_if_large(cursor, "claim_change", changes)
    return int(changes)


def _compares_by_join(cursor: CursorWrapper, kind: ClaimKind, items: int) -> bool:
    cursor.execute(ESTIMATED_CLAIMS, {"claims": kind.table})
    (claims,) = cursor.fetchone()
    return bool(claims <= items * ROWS_PER_LOOKUP)
