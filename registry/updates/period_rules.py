"""The period rules: find the irregular periods of an update, and apply the operator's choice (docs/rules.md P1 to P7).

The rules read the staging tables after the congestion points and connections concerned are locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from registry.market.policies import ACCEPT, ADJUST, REJECT, Policies
from registry.periods import list_in_words
from registry.sql.claim_kinds import ClaimKind
from registry.updates.points import BEFORE_AND_LATER
from uftp.protocol.reasons import Reason, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

DESCRIPTIONS = {
    "P1": "ends before it starts, and nothing is registered that it would withdraw",
    "P2": "ends more than {long_past_days} days in the past",
    "P3": "ends after its congestion point",
    "P4": "starts before its congestion point",
    "P5": "lies outside the period of its congestion point",
    "P6": "is named twice with overlapping periods",
    "P7": "has a separate, later period",
}
# What is done about it: under the policy adjust, and under the policy accept.
TREATMENTS = {
    "P1": ("nothing is registered", "nothing is registered"),
    "P2": ("registered as stated", "registered as stated"),
    "P3": ("adjusted to the congestion point's end", "accepted as it is"),
    "P4": ("adjusted to the congestion point's start", "accepted as it is"),
    "P5": ("nothing is registered", "nothing is registered"),
    "P6": ("registered as one period", "registered as one period"),
    "P7": ("which is kept", "which is dropped"),
}

# One query for each rule about lines. It returns a row for each irregular line: (address, congestion point or 0, number
# of the line, later days, stated first day, stated day after the last).
LINE_QUERIES = {
    "P1": """
        SELECT s.address, s.point_id, l.line, NULL::datemultirange AS days, l.first, l.upper
        FROM statement s
        JOIN {lines} l ON l.party_id = s.party_id AND l.address = s.address AND {line_point} = s.point_id
            AND l.upper <= l.first
        WHERE s.withdraws_from IS NOT NULL AND NOT EXISTS (
            SELECT FROM {claims} c
            WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
                AND c.superseded_by_id IS NULL AND c.period && daterange(s.withdraws_from, NULL)
        )""",
    "P2": """
        SELECT l.address, 0 AS point_id, l.line, NULL::datemultirange AS days, l.first, l.upper
        FROM staged_line l LEFT JOIN staged_point p ON p.number = l.point
        WHERE l.upper <= %(long_past)s AND p.ends IS NOT TRUE AND NOT (%(of_file)s AND EXISTS (
            -- What an export has written: days that are registered already (I4).
            SELECT FROM {claims} c JOIN registry_connection n ON n.id = c.connection_id
            WHERE n.address = l.address AND c.{party} = l.party_id AND c.superseded_by_id IS NULL
                AND {point} = coalesce((
                    SELECT o.id FROM registry_congestionpoint o WHERE o.dso_id = p.dso_id AND o.address = p.address
                ), 0)
            HAVING range_agg(c.period) @> CASE WHEN l.upper > l.first THEN daterange(l.first, l.upper) END
        ))""",
    "P3": """
        SELECT address, point_id, line, NULL::datemultirange AS days, first, upper
        FROM judged_line WHERE late""",
    "P4": """
        SELECT address, point_id, line, NULL::datemultirange AS days, first, upper
        FROM judged_line WHERE early""",
    "P5": """
        SELECT address, point_id, line, NULL::datemultirange AS days, first, upper
        FROM judged_line WHERE outside""",
    "P6": """
        SELECT address, point_id, line, NULL::datemultirange AS days, first, upper
        FROM (
            SELECT s.address, s.point_id, l.line, l.first, l.upper, l.first < max(coalesce(l.upper, 'infinity')) OVER (
                PARTITION BY s.party_id, s.point_id, s.address ORDER BY l.first, l.line
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS doubles
            FROM statement s
            JOIN staged_line l ON l.party_id = s.party_id AND l.address = s.address
                AND (l.upper IS NULL OR l.upper > l.first)
            LEFT JOIN staged_point p ON p.number = l.point
            LEFT JOIN point_days d ON d.dso_id = p.dso_id AND d.address = p.address
            WHERE s.lines > 1 AND coalesce(d.point_id, 0) = s.point_id AND p.ends IS NOT TRUE
                AND NOT EXISTS (SELECT FROM judged_line j WHERE j.line = l.line AND j.outside)
        ) lines
        WHERE doubles""",
    "P7": """
        SELECT address, point_id, line, days, NULL::date AS first, NULL::date AS upper
        FROM (
            SELECT s.address, s.point_id, s.line, {later} AS days
            FROM statement s
            CROSS JOIN LATERAL (
                SELECT coalesce(range_agg(c.period), '{{}}') AS old FROM {claims} c
                WHERE c.connection_id = s.connection_id AND c.{party} = s.party_id AND {point} = s.point_id
                    AND c.superseded_by_id IS NULL
            ) o
        ) held
        WHERE days <> '{{}}'""",
}

ANY_IRREGULAR = """
-- For each rule, whether it can find an irregular line; and whether claims change, and any that had days before.
SELECT ARRAY[
    coalesce(s.p1, false), coalesce(l.p2, false), {late}, {early}, {outside}, coalesce(s.p6, false), true
], c.any_changed, c.any_replaced
FROM (SELECT count(*) > 0 AS any_changed, coalesce(bool_or(old <> '{{}}'), false) AS any_replaced FROM claim_change) c,
    (SELECT bool_or(withdraws_from IS NOT NULL) AS p1, bool_or(lines > 1) AS p6 FROM statement) s,
    (SELECT bool_or(upper <= %(long_past)s) AS p2 FROM staged_line) l{judged}
"""
ANY_IRREGULAR_MEMBERSHIP = """,
    (SELECT bool_or(late) AS late, bool_or(early) AS early, bool_or(outside) AS outside FROM judged_line) j"""

NAME_LINES = """
SELECT count(*) OVER (), f.address, p.address, f.days, f.first, f.upper
FROM (
    SELECT address, point_id, min(line) AS line, range_agg(days) AS days, (array_agg(first ORDER BY line))[1] AS first,
        (array_agg(upper ORDER BY line))[1] AS upper
    FROM ({finding}) irregular GROUP BY address, point_id
) f
LEFT JOIN registry_congestionpoint p ON p.id = f.point_id
ORDER BY f.line LIMIT 20
"""

# One query for each rule about congestion points. It returns a row for each irregular line: (DSO, address, later days,
# stated first day, stated day after the last).
POINT_QUERIES = {
    "P1": """
        SELECT p.dso_id, p.address, NULL, (
            SELECT min(l.first) FROM staged_point l
            WHERE l.dso_id = p.dso_id AND l.address = p.address AND l.stated_upper <= l.first
        ), s.withdraws_from
        FROM point_statement s JOIN registry_congestionpoint p ON p.id = s.point_id
        WHERE s.withdraws_from IS NOT NULL AND NOT s.omitted AND NOT EXISTS (
            SELECT FROM registry_congestionpointterms t
            WHERE t.congestion_point_id = s.point_id AND t.superseded_by_id IS NULL
                AND t.period && daterange(s.withdraws_from, NULL)
        )
        ORDER BY 2, 1""",
    "P2": """
        SELECT DISTINCT dso_id, address, NULL, first, stated_upper
        FROM staged_point l
        WHERE stated_upper <= %(long_past)s AND NOT (%(of_file)s AND EXISTS (
            SELECT FROM registry_congestionpointterms t JOIN registry_congestionpoint o ON o.id = t.congestion_point_id
            WHERE o.dso_id = l.dso_id AND o.address = l.address AND t.superseded_by_id IS NULL
                AND t.mutex_offers_supported = l.mutex AND t.day_ahead_redispatch_by = l.day_ahead
                AND t.intraday_redispatch_by IS NOT DISTINCT FROM l.intraday
            HAVING range_agg(t.period) @> CASE WHEN upper > first THEN daterange(first, upper) END
        )) ORDER BY 2, 1""",
    "P6": """
        SELECT DISTINCT dso_id, address, NULL, first, stated_upper
        FROM (
            SELECT dso_id, address, first, stated_upper, first < max(coalesce(upper, 'infinity')) OVER (
                PARTITION BY dso_id, address, mutex, day_ahead, intraday ORDER BY first, number
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS doubles
            FROM staged_point WHERE upper IS NULL OR upper > first
        ) entries
        WHERE doubles ORDER BY 2, 1""",
    "P7": f"""
        SELECT p.dso_id, p.address, s.later, NULL::date, NULL::date
        FROM ({BEFORE_AND_LATER}) s JOIN registry_congestionpoint p ON p.id = s.point_id
        WHERE s.later <> '{{}}' AND NOT s.omitted ORDER BY 2, 1""",
}

LATER_OF_ENDED = f"""
-- P7 under the policy adjust: separate, later blocks of congestion points that a line ends (D5).
SELECT p.address, s.later
FROM ({BEFORE_AND_LATER}) s JOIN registry_congestionpoint p ON p.id = s.point_id
WHERE s.later <> '{{}}' AND s.ends ORDER BY 1
"""

DIFFERS = "is named twice on one day with different terms"
DIFFERENT_TERMS = """
-- Congestion points that are stated with different terms on one day.
WITH stated AS (
    SELECT dso_id, address, mutex, day_ahead, coalesce(intraday, '') AS intraday,
        range_agg(daterange(first, upper)) FILTER (WHERE upper IS NULL OR upper > first) AS days
    FROM staged_point GROUP BY 1, 2, 3, 4, 5
)
SELECT DISTINCT dso_id, address
FROM stated a JOIN stated b USING (dso_id, address)
WHERE (a.mutex, a.day_ahead, a.intraday) < (b.mutex, b.day_ahead, b.intraday) AND a.days && b.days
ORDER BY 2, 1
"""


@dataclass
class Findings:
    """The reasons to reject an update, and the warnings about it if it is accepted."""

    rejections: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, rule: str, policies: Policies, names: Sequence[str], total: int) -> None:
        """Add the items that a rule found: as a rejection or as a warning, as the operator chose for the rule.

        Args:
            rule: The code of the rule, such as `P3`.
            policies: The policies in force.
            names: The names of the first items.
            total: The number of all items.
        """
        description = DESCRIPTIONS[rule].format(long_past_days=policies.long_past_days)
        choice = policies[rule]
        if choice == REJECT:
            self.rejections.append(named(Reason.PERIOD, names, description, total=total))
        elif rule != "P7" or choice == ACCEPT:
            treatment = TREATMENTS[rule][choice == ACCEPT]
            self.warnings.append(named(Reason.PERIOD, names, f"{description}, {treatment}", total=total))


def check_lines(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    findings: Findings,
    *,
    today: date,
    of_file: bool = False,
) -> tuple[bool, bool]:
    """Find irregular lines about connections.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        policies: The policies in force.
        findings: Receives the rejections and warnings.
        today: The market's day of receipt.
        of_file: The lines are a file's; of these, lines that change nothing are not judged (docs/rules.md I4).

    Returns:
        Whether claims change, and whether any of them had days before. The same query finds both.
    """
    parameters: dict[str, Any] = {"long_past": long_past(policies, today), "of_file": of_file}
    flags = ("late", "early", "outside")
    fields = dict.fromkeys(flags, "false") | {"judged": ""}
    if kind.lines == "judged_line":
        fields = {flag: f"coalesce(j.{flag}, false)" for flag in flags}
        fields["judged"] = ANY_IRREGULAR_MEMBERSHIP
    cursor.execute(ANY_IRREGULAR.format(**fields), parameters)
    rules_can_apply, any_changed, any_replaced = cursor.fetchone()
    for (rule, finding), can_apply in zip(LINE_QUERIES.items(), rules_can_apply, strict=True):
        if not can_apply or _is_silent(rule, policies):
            continue
        cursor.execute(NAME_LINES.format(finding=kind.sql(finding)), parameters)
        rows = cursor.fetchall()
        if rows:
            places = (
                (address if point is None else f"{address} at {point}", *days)
                for _, address, point, *days in rows
            )
            findings.add(rule, policies, [_name(*place) for place in places], rows[0][0])
    return any_changed, any_replaced


def check_points(
    cursor: CursorWrapper,
    policies: Policies,
    findings: Findings,
    *,
    today: date,
    any_ended: bool,
    of_file: bool = False,
) -> None:
    """Find irregular lines about congestion points.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        policies: The policies in force.
        findings: Receives the rejections and warnings.
        today: The market's day of receipt.
        any_ended: A line ends a congestion point.
        of_file: As for `check_lines`.
    """
    cursor.execute(DIFFERENT_TERMS)
    different = [address for _, address in cursor.fetchall()]
    if different:
        findings.rejections.append(named(Reason.PERIOD, different, DIFFERS))
    parameters: dict[str, Any] = {"long_past": long_past(policies, today), "of_file": of_file}
    for rule, finding in POINT_QUERIES.items():
        if _is_silent(rule, policies):
            continue
        cursor.execute(finding, parameters)
        names = [_name(address, *days) for _, address, *days in cursor.fetchall()]
        if names:
            findings.add(rule, policies, names, len(names))
    if any_ended and _is_silent("P7", policies):
        cursor.execute(LATER_OF_ENDED)
        if names := [_name(address, later) for address, later in cursor.fetchall()]:
            findings.warnings.append(
                named(Reason.PERIOD, names, f"{DESCRIPTIONS['P7']}, {TREATMENTS['P7'][0]}")
            )


def _is_silent(rule: str, policies: Policies) -> bool:
    """Return whether the rule adjusts without a warning, as P7 does for most lines."""
    return rule == "P7" and policies["P7"] == ADJUST


def long_past(policies: Policies, today: date) -> date:
    """Return the latest half-open end of a period that P2 finds irregular."""
    return today - timedelta(days=policies.long_past_days)


def _name(place: str, later: Any, first: date | None = None, upper: date | None = None) -> str:
    """Return an item with the later days that it is about, or else with the stated days."""
    if later:
        return f"{place} ({list_in_words(later)})"
    if first is None:
        return place
    return f"{place} ({first} to {upper - timedelta(days=1)})" if upper else f"{place} (from {first})"
