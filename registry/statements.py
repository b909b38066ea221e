"""What an update says, thing by thing, and which days it makes the sender claim (docs/rules.md D2 to D4, P1 to P7).

A thing is (AGR, connection) or (congestion point, connection). All lines of a message about one thing are one
statement. It speaks from its earliest day on: from there the sender's earlier days give way as far as they touch or
overlap the stated ones; what lies before stays, and so does a separate block that lies later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from registry.claims import ClaimKind
from registry.periods import list_in_words
from registry.policies import ACCEPT, ADJUST, REJECT, Policies
from registry.staging import LARGE, analyze_if_large
from uftp.reasons import Reason, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

FREE_OF_JUDGEMENT = """
-- Lines under no congestion point, thing by thing.
INSERT INTO statement (point_id, party_id, connection_id, address, days, speaks_from, withdraws_from, lines, line)
SELECT 0, %(party)s, n.id, s.address, s.days, s.speaks_from, s.withdraws_from, s.lines, s.line
FROM (
    SELECT address,
        coalesce(range_agg(daterange(first, upper)) FILTER (WHERE upper IS NULL OR upper > first), '{}') AS days,
        min(least(first, upper)) AS speaks_from,
        min(upper) FILTER (WHERE upper <= first) AS withdraws_from,
        count(*) AS lines, min(line) AS line
    FROM staged_line GROUP BY address
) s
LEFT JOIN registry_connection n ON n.address = s.address
"""

JUDGED = """
-- Lines under congestion points, within the days that P3, P4 and P5 leave them.
INSERT INTO statement (point_id, party_id, connection_id, address, days, speaks_from, withdraws_from, lines, line)
SELECT s.point_id, %(party)s, n.id, s.address, s.days, s.speaks_from, s.withdraws_from, s.lines, s.line
FROM (
    SELECT point_id, address, range_agg(days) AS days, min(least(first, upper)) AS speaks_from,
        min(upper) FILTER (WHERE upper <= first) AS withdraws_from, count(*) AS lines, min(line) AS line
    FROM judged_line WHERE NOT outside GROUP BY point_id, address
) s
LEFT JOIN registry_connection n ON n.address = s.address
"""

JUDGE_LINES = """
-- Each line against its congestion point's days in the registry after the message.
INSERT INTO judged_line
SELECT line, point_id, address, first, upper,
    CASE WHEN inside THEN said
        ELSE said * after
            + CASE WHEN %(accept_early)s THEN said * before_it ELSE '{}' END
            + CASE WHEN %(accept_late)s THEN said - after - before_it ELSE '{}' END
    END,
    NOT inside AND said && after AND said && before_it,
    NOT inside AND said && after AND said - after - before_it <> '{}',
    NOT inside AND said <> '{}' AND NOT said && after
FROM (
    SELECT l.line, d.point_id, l.address, l.first, l.upper, l.said, d.after, d.after @> l.said AS inside,
        datemultirange(daterange(NULL, lower(d.after))) AS before_it
    FROM (
        SELECT *, CASE WHEN upper <= first THEN '{}' ELSE datemultirange(daterange(first, upper)) END AS said
        FROM staged_line
    ) l
    JOIN staged_point p ON p.number = l.point AND NOT p.ends_at_once
    JOIN point_days d ON d.address = p.address
) measured
"""

NEW_CONNECTIONS = """
-- Addresses that the registry has not seen, in the one order that all writers keep.
WITH added AS (
    INSERT INTO registry_connection (address)
    SELECT DISTINCT l.address FROM {lines} l
    LEFT JOIN registry_connection n ON n.address = l.address
    WHERE n.id IS NULL AND {registers}
    ORDER BY l.address
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO held_connection SELECT id FROM added
"""

CLAIM_CHANGES = """
-- Things whose days differ from what the sender has registered.
INSERT INTO claim_change
SELECT point_id, party_id, connection_id, old, want
FROM (
    SELECT s.point_id, s.party_id, s.connection_id, o.old,
        CASE
            WHEN o.old = '{{}}' OR o.old = s.days THEN s.days
            ELSE o.old * {before}
                + CASE WHEN %(keep_later)s THEN {later} ELSE '{{}}' END
                - coalesce(d.clip, '{{}}') + s.days
        END AS want
    FROM statement s
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(c.period), '{{}}') AS old FROM {claims} c
        WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
            AND c.superseded_by_id IS NULL
    ) o
    LEFT JOIN point_days d ON d.point_id = s.point_id
) stated
WHERE want <> old
"""


UNLISTED = """
-- Claims on the stated congestion points that no line is about: they lose the days that the point loses, and where
-- the operator ends what is omitted (D7), the days after today.
INSERT INTO claim_change
WITH mentioned AS (
    SELECT DISTINCT l.point_id, n.id AS connection_id FROM judged_line l JOIN registry_connection n USING (address)
    WHERE %(end_omitted)s
), claimed AS (
    SELECT d.point_id, c.dso_id, c.connection_id, d.clip, d.listed, range_agg(c.period) AS old
    FROM point_days d
    JOIN registry_congestionpointconnection c
        ON c.congestion_point_id = d.point_id AND c.superseded_by_id IS NULL
    WHERE (d.clip <> '{}' OR (%(end_omitted)s AND d.listed)) AND NOT EXISTS (
        SELECT FROM statement s WHERE s.point_id = d.point_id AND s.connection_id = c.connection_id
    )
    GROUP BY d.point_id, c.dso_id, c.connection_id, d.clip, d.listed
)
SELECT point_id, dso_id, connection_id, old, want
FROM (
    SELECT c.*, old - clip - CASE
            WHEN %(end_omitted)s AND listed AND m.connection_id IS NULL
            THEN datemultirange(daterange(%(tomorrow)s, NULL)) ELSE '{}'
        END AS want
    FROM claimed c LEFT JOIN mentioned m USING (point_id, connection_id)
) clipped
WHERE want <> old
"""

OMITTED = """
-- The AGR's connections that no line is about, ended after today (D7).
INSERT INTO claim_change
SELECT 0, %(party)s, connection_id, old, want
FROM (
    SELECT connection_id, old, old - datemultirange(daterange(%(tomorrow)s, NULL)) AS want
    FROM (
        SELECT c.connection_id, range_agg(c.period) AS old FROM registry_representation c
        WHERE c.agr_id = %(party)s AND c.superseded_by_id IS NULL
            AND NOT EXISTS (SELECT FROM statement s WHERE s.connection_id = c.connection_id)
        GROUP BY c.connection_id
    ) held
) ended
WHERE want <> old
"""

FINDINGS = {
    "P1": """
        SELECT s.address, s.point_id, s.line FROM statement s
        WHERE s.withdraws_from IS NOT NULL AND NOT EXISTS (
            SELECT FROM {claims} c
            WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
                AND c.superseded_by_id IS NULL AND c.period && daterange(s.withdraws_from, NULL)
        )""",
    "P2": """
        SELECT l.address, 0 AS point_id, min(l.line) AS line FROM staged_line l
        LEFT JOIN staged_point p ON p.number = l.point
        WHERE l.upper <= %(long_past)s AND p.ends_at_once IS NOT TRUE GROUP BY l.address""",
    "P3": "SELECT address, point_id, min(line) AS line FROM judged_line WHERE late GROUP BY address, point_id",
    "P4": "SELECT address, point_id, min(line) AS line FROM judged_line WHERE early GROUP BY address, point_id",
    "P5": "SELECT address, point_id, min(line) AS line FROM judged_line WHERE outside GROUP BY address, point_id",
    "P6": """
        SELECT s.address, s.point_id, s.line FROM statement s
        WHERE s.lines > 1 AND EXISTS (
            SELECT FROM staged_line a
            JOIN staged_line b ON b.address = a.address AND b.line > a.line
            LEFT JOIN staged_point pa ON pa.number = a.point
            LEFT JOIN staged_point pb ON pb.number = b.point
            WHERE a.address = s.address AND pa.address IS NOT DISTINCT FROM pb.address
                AND (s.point_id = 0 OR pa.address = (SELECT d.address FROM point_days d WHERE d.point_id = s.point_id))
                AND pa.ends_at_once IS NOT TRUE AND pb.ends_at_once IS NOT TRUE
                AND coalesce(a.upper > a.first, true) AND coalesce(b.upper > b.first, true)
                AND a.first < coalesce(b.upper, 'infinity') AND b.first < coalesce(a.upper, 'infinity')
        )""",
    "P7": """
        SELECT address, point_id, line, days FROM (
            SELECT s.address, s.point_id, s.line, {later} AS days
            FROM statement s CROSS JOIN LATERAL (
                SELECT coalesce(range_agg(c.period), '{{}}') AS old FROM {claims} c
                WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
                    AND c.superseded_by_id IS NULL
            ) o
        ) held WHERE days <> '{{}}'""",
}

NAME_FINDINGS = """
SELECT count(*) OVER (), f.address, p.address, {days}
FROM ({finding}) f LEFT JOIN registry_congestionpoint p ON p.id = f.point_id
ORDER BY f.line LIMIT 20
"""

DETAILS = {
    "P1": "ends before it starts, and nothing is registered that it would withdraw",
    "P2": "ends more than {long_past_days} days in the past",
    "P3": "ends after its congestion point",
    "P4": "starts before its congestion point",
    "P5": "lies outside the period of its congestion point",
    "P6": "is named twice with overlapping periods",
    "P7": "has a separate, later period",
}
ADJUSTMENTS = {
    "P1": "nothing is registered",
    "P2": "registered as said",
    "P3": "adjusted to the congestion point's end",
    "P4": "adjusted to the congestion point's start",
    "P5": "nothing is registered",
    "P6": "registered as one period",
    "P7": "which is kept",
}


@dataclass
class Findings:
    """What is strange about a message: the reasons to reject it, and the warnings if it is accepted."""

    rejections: list[str]
    warnings: list[str]

    def add(self, rule: str, policies: Policies, names: list[str], total: int, *, detail: str = "") -> None:
        """File what `rule` found under the operator's choice for it (docs/rules.md P1 to P7)."""
        choice = policies[rule]
        what = detail or DETAILS[rule].format(long_past_days=policies.long_past_days)
        if choice == REJECT:
            self.rejections.append(named(Reason.PERIOD, names, what, total=total))
        elif choice == ACCEPT and rule not in ("P1", "P2", "P5", "P6", "P7"):
            self.warnings.append(named(Reason.PERIOD, names, f"{what}, accepted as it is", total=total))
        elif not (rule == "P7" and choice == ADJUST):
            result = "" if detail else f", {ADJUSTMENTS[rule]}"
            self.warnings.append(named(Reason.PERIOD, names, f"{what}{result}", total=total))


def take_together(cursor: CursorWrapper, party: int, *, judged: bool) -> None:
    """Make the statements out of the staged lines, or of those judged against their congestion points."""
    lines = "judged_line" if judged else "staged_line"
    registers = "days <> '{}' AND NOT outside" if judged else "(upper IS NULL OR upper > first)"
    cursor.execute(NEW_CONNECTIONS.format(lines=lines, registers=registers))
    analyze_if_large(cursor, "held_connection", cursor.rowcount)
    if cursor.rowcount >= LARGE:
        cursor.execute("ANALYZE registry_connection")
    cursor.execute(JUDGED if judged else FREE_OF_JUDGEMENT, {"party": party})
    analyze_if_large(cursor, "statement", cursor.rowcount)


def judge_lines(cursor: CursorWrapper, policies: Policies) -> None:
    """Cut the lines under congestion points to the points' days, as the operator chose for P3 and P4."""
    cursor.execute(
        JUDGE_LINES, {"accept_late": policies["P3"] == ACCEPT, "accept_early": policies["P4"] == ACCEPT}
    )
    analyze_if_large(cursor, "judged_line", cursor.rowcount)


def find_changes(
    cursor: CursorWrapper,
    kind: ClaimKind,
    party: int,
    policies: Policies,
    *,
    today: date,
    anything_said: bool,
) -> None:
    """Fill `claim_change` with the things whose days change. Can run again: it starts from nothing."""
    parameters: dict[str, Any] = {
        "party": party,
        "keep_later": policies["P7"] != ACCEPT,
        "end_omitted": policies["omitted connections"] == "end" and anything_said,
        "tomorrow": today + timedelta(days=1),
    }
    cursor.execute("DELETE FROM claim_change")
    cursor.execute(kind.sql(CLAIM_CHANGES), parameters)
    changes = cursor.rowcount
    if kind.point != "0":
        cursor.execute(UNLISTED, parameters)
        changes += cursor.rowcount
    elif parameters["end_omitted"]:
        cursor.execute(OMITTED, parameters)
        changes += cursor.rowcount
    analyze_if_large(cursor, "claim_change", changes)


def look_for_strange(
    cursor: CursorWrapper, kind: ClaimKind, policies: Policies, findings: Findings, *, today: date
) -> None:
    """File every strange period among the lines about connections (docs/rules.md P1 to P7)."""
    parameters = {"long_past": today - timedelta(days=policies.long_past_days)}
    for rule, finding in FINDINGS.items():
        if (rule in ("P3", "P4", "P5") and kind.point == "0") or (rule == "P7" and policies["P7"] == ADJUST):
            continue
        days = "f.days" if rule == "P7" else "NULL"
        query = NAME_FINDINGS.format(finding=kind.sql(finding), days=days)
        cursor.execute(query, parameters)
        rows = cursor.fetchall()
        if not rows:
            continue
        detail = ""
        if rule == "P7":
            names = [
                f"{_place(address, point)} ({list_in_words(later)})" for _, address, point, later in rows
            ]
            detail = "has a separate, later period" + (
                ", which is dropped" if policies["P7"] == ACCEPT else ""
            )
        else:
            names = [_place(address, point) for _, address, point, _ in rows]
        findings.add(rule, policies, names, rows[0][0], detail=detail)


def _place(address: str, point: str | None) -> str:
    return address if point is None else f"{address} at {point}"
