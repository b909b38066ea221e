"""Find the lines of a file that break a rule about several lines, or about registered facts.

The rules are the same as for messages (`registry.updates.period_rules`, `registry.updates.standings`). This module
names the lines.
"""

from __future__ import annotations

import tempfile
from datetime import date
from typing import IO, TYPE_CHECKING, Any

from registry.imports.column_checks import Layout, quoted
from registry.market.policies import REJECT, Policies
from registry.sql.claim_kinds import MEMBERSHIP, ClaimKind
from registry.updates.period_rules import (
    DESCRIPTIONS,
    DIFFERENT_TERMS,
    DIFFERS,
    LINE_QUERIES,
    POINT_QUERIES,
    long_past,
)
from uftp.protocol.reasons import Reason

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

COLUMNS = {
    MEMBERSHIP.table: {
        "P1": "connection_end",
        "P2": "connection_end",
        "P3": "connection_end",
        "P4": "connection_start",
        "P5": "connection_start",
        "P6": "connection",
        "P7": "connection",
        "C4": "connection",
    },
    "": {"P1": "end", "P2": "end", "P6": "connection", "P7": "connection", "C4": "connection"},
}
"""The column that each rule about lines is about: of memberships, and of representations."""

POINT_COLUMNS = {"P1": "end", "P2": "end", "P6": "congestion_point", "P7": "congestion_point"}

LINE_RULES = """
INSERT INTO bad_line SELECT DISTINCT line, %(column)s, %(rule)s FROM ({finding}) found
"""

POINT_RULES = """
-- Every line that states one of the congestion points found.
INSERT INTO bad_line
SELECT g.line, %(column)s, %(rule)s
FROM ({finding}) f (dso_id, address) JOIN good_membership g ON g.party_id = f.dso_id AND g.point = f.address
"""

CONTESTED = """
-- The lines with newly claimed days that another participant holds.
SELECT l.line
FROM (
    SELECT point_id, party_id, connection_id, range_agg(daterange(first, nullif(stop, 'infinity'))) AS days
    FROM piece WHERE claimed AND is_new AND standing <> 'effective'
    GROUP BY point_id, party_id, connection_id
) contested
JOIN statement s USING (point_id, party_id, connection_id)
JOIN {lines} l ON l.party_id = s.party_id AND l.address = s.address AND {line_point} = s.point_id
WHERE CASE WHEN l.upper <= l.first THEN false ELSE contested.days && daterange(l.first, l.upper) END
"""

FILE = """
INSERT INTO import_fault (line, place, "column", rule, value)
SELECT b.line, {place}, b."column", b.rule, CASE b."column" {values} END
FROM bad_line b JOIN {raw} l USING (line)
"""


def find_bad_lines(cursor: CursorWrapper, kind: ClaimKind, policies: Policies, *, today: date) -> int:
    """Fill `bad_line` with the staged and judged lines that the policies reject, and return how many there are."""
    columns = COLUMNS.get(kind.table, COLUMNS[""])
    parameters: dict[str, Any] = {"long_past": long_past(policies, today), "today": today, "of_file": True}
    found = 0

    def note(query: str, rule: str, column: str, text: str) -> None:
        nonlocal found
        cursor.execute(query, {**parameters, "column": column, "rule": f"{rule}: {text}"})
        found += cursor.rowcount

    for rule, finding in LINE_QUERIES.items():
        if policies[rule] == REJECT and rule in columns:
            note(
                LINE_RULES.format(finding=kind.sql(finding)), rule, columns[rule], _rule_text(rule, policies)
            )
    if policies[kind.policy] == REJECT:
        text = f"{Reason.CONNECTION_CONFLICT}, days are held by another"
        note(LINE_RULES.format(finding=kind.sql(CONTESTED)), "C4", columns["C4"], text)
    if kind is MEMBERSHIP:
        for rule, finding in POINT_QUERIES.items():
            if policies[rule] == REJECT:
                named = (
                    f"SELECT dso_id, address FROM ({finding}) named (dso_id, address, later, first, upper)"
                )
                note(POINT_RULES.format(finding=named), rule, POINT_COLUMNS[rule], _rule_text(rule, policies))
        note(POINT_RULES.format(finding=DIFFERENT_TERMS), "P6", "congestion_point", DIFFERS)
    return found


def save_bad_lines(cursor: CursorWrapper) -> IO[bytes]:
    """Save the rows of `bad_line` in a temporary file, which outlasts the savepoint, and return it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's to close
    with cursor.copy("COPY bad_line TO STDOUT") as copy:
        for block in copy:
            file.write(block)
    file.seek(0)
    return file


def remove_bad_lines(cursor: CursorWrapper, layout: Layout, file: IO[bytes]) -> None:
    """Add the saved bad lines to the faults, and remove them from the good lines."""
    cursor.execute("DELETE FROM bad_line")
    with cursor.copy("COPY bad_line FROM STDIN") as copy:
        while block := file.read(1 << 16):
            copy.write(block)
    cursor.execute("ANALYZE bad_line")
    columns = layout.columns
    places = " ".join(f"WHEN '{column}' THEN {place}" for place, column in enumerate(columns))
    cursor.execute(
        FILE.format(
            raw=layout.raw,
            place=f'CASE b."column" {places} END',
            values=" ".join(f"WHEN '{column}' THEN left(l.{quoted(column)}, 200)" for column in columns),
        )
    )
    cursor.execute(f"DELETE FROM {layout.good_table} g USING bad_line b WHERE b.line = g.line")


def _rule_text(rule: str, policies: Policies) -> str:
    return DESCRIPTIONS[rule].format(long_past_days=policies.long_past_days)
