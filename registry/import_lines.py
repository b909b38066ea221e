"""The lines of files about the registry: copied as they are, checked in SQL, and staged like those of an update.

A line is a statement like one of a message (docs/rules.md D1 to D4). What is wrong with any is gathered in the staging
table `import_fault`; the good ones go into `staged_line` and `staged_point`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import connection

from participants.csv_files import Fault, Row
from participants.rejects import LONGEST_VALUE, Rejects
from registry.periods import day_after_sql
from registry.staging import analyze_if_large
from uftp.reasons import NAMED_AT_MOST, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CHUNK = 10_000

ADDRESS = (
    "({0} ~ '^ean\\.[0-9]+$' AND length({0}) BETWEEN 16 AND 38"
    " OR {0} ~ '^ea1\\.[0-9]{{4}}-[0-9]{{2}}\\.[^\\n\\r]{{1,244}}:[^\\n\\r]{{1,244}}$'"
    " AND {0} !~ '[\\x01-\\x1f\\x7f\\ufffe\\uffff]')"
)
DAY = (
    "({0} BETWEEN '0001-01-02' AND '9999-12-31' AND ({0} ~ '^[0-9]{{4}}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$'"
    " OR {0} ~ '^([0-9]{{2}}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29$'))"
)
FIRST_DAY = f"({DAY} AND {{0}} <> '9999-12-31')"
LAST_DAY = f"({{0}} = '' OR {DAY})"
BOOLEAN = "lower({0}) IN ('true', 'false', '1', '0')"
REDISPATCH = "{0} IN ('AGR', 'DSO')"
FOREIGN = "NOT (starts_with({0}, 'ea1.') AND {0} ~* %(own)s)"

IS_DAY = "day: not a day as YYYY-MM-DD"
IS_ADDRESS = "address: not an entity address, ean. and 12 to 34 digits or ea1.YYYY-MM.domain:name"
IS_FOREIGN = "D10: lies under this CRO's own domain"


@dataclass(frozen=True, slots=True)
class Check:
    """What a column must hold: an SQL condition on the alias `l`, and the rule's code and words.

    `empty` are the words for an empty one.
    """

    column: str
    holds: str
    rule: str
    empty: str = "is empty"

    @classmethod
    def of(cls, column: str, condition: str, rule: str, *, where: str = "", empty: str = "is empty") -> Check:
        """`condition` with the column in it; `where`: it need not hold where this does not."""
        holds = condition.format(f"l.{quoted(column)}")
        return cls(column, f"(NOT ({where}) OR {holds})" if where else holds, rule, empty)

    @property
    def value(self) -> str:
        """What the column holds, in SQL."""
        return f"l.{quoted(self.column)}"

    @property
    def words(self) -> str:
        """The rule in SQL, as it is told of a line that breaks it."""
        rule = self.rule.replace("'", "''")
        code = self.rule.partition(":")[0]
        return f"CASE WHEN {self.value} = '' THEN '{code}: {self.empty}' ELSE '{rule}' END"


@dataclass(frozen=True)
class Layout:
    """The lines of one kind of file: its columns, what they must hold, and the SQL that stages the good ones.

    `party` and `role` say whose the lines are, `withdraws` which of the good ones end before they start.
    """

    table: str
    columns: tuple[str, ...]
    party: str
    role: str
    checks: tuple[Check, ...]
    good: str
    stage: tuple[str, ...]
    withdraws: str = "upper <= first"

    @property
    def raw(self) -> str:
        """The table of the lines as they are."""
        return f"import_{self.table}"

    @property
    def good_table(self) -> str:
        """The table of the lines that can be read, with their values."""
        return f"good_{self.table}"


class OnRecord(Check):
    """A participant that must be on record, which is `p` then, in one role and may be in the other."""

    __slots__ = ()

    @classmethod
    def as_(cls, role: str) -> OnRecord:
        return cls(role.lower(), "p.id IS NOT NULL", f"participant: not on record as {role}")

    @property
    def words(self) -> str:
        other = "DSO" if self.column == "agr" else "AGR"
        return f"""CASE WHEN p.id IS NULL AND EXISTS (
            SELECT FROM participants_participant WHERE role = '{other}' AND domain = {self.value}
        ) THEN '{self.rule}, only as {other}' ELSE {super().words} END"""


def quoted(column: str) -> str:
    """The column's name in SQL; `end` is a word of SQL's own."""
    return f'"{column}"'


_HAS_CONNECTION = "l.\"connection\" <> '' OR l.connection_start <> '' OR l.connection_end <> ''"

REPRESENTATIONS = Layout(
    table="representation",
    columns=("agr", "connection", "start", "end"),
    party="agr",
    role="AGR",
    checks=(
        OnRecord.as_("AGR"),
        Check.of("connection", ADDRESS, IS_ADDRESS),
        Check.of("connection", FOREIGN, IS_FOREIGN),
        Check.of("start", FIRST_DAY, IS_DAY),
        Check.of("end", LAST_DAY, IS_DAY),
    ),
    good="""
        line integer NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL, first date NOT NULL,
        upper date""",
    stage=(
        f"""
        INSERT INTO good_representation
        SELECT l.line, p.id, l.connection, l.start::date, {day_after_sql("nullif(l.end, '')::date")}
        FROM import_representation l
        JOIN participants_participant p ON p.role = 'AGR' AND p.domain = l.agr
        WHERE {{good}}""",
        """
        INSERT INTO staged_line (line, point, party_id, address, first, upper)
        SELECT line, 0, party_id, address, first, upper FROM good_representation""",
    ),
)

MEMBERSHIPS = Layout(
    table="membership",
    columns=(
        "dso",
        "congestion_point",
        "start",
        "end",
        "mutex_offers_supported",
        "day_ahead_redispatch_by",
        "intraday_redispatch_by",
        "connection",
        "connection_start",
        "connection_end",
    ),
    party="dso",
    role="DSO",
    checks=(
        OnRecord.as_("DSO"),
        Check.of("congestion_point", ADDRESS, IS_ADDRESS),
        Check.of("congestion_point", FOREIGN, IS_FOREIGN),
        Check.of("start", FIRST_DAY, IS_DAY),
        Check.of("end", LAST_DAY, IS_DAY),
        Check.of("mutex_offers_supported", BOOLEAN, "boolean: neither true nor false"),
        Check.of("day_ahead_redispatch_by", REDISPATCH, "redispatch: neither AGR nor DSO"),
        Check.of(
            "intraday_redispatch_by",
            REDISPATCH,
            "redispatch: neither AGR nor DSO, nor empty",
            where="l.intraday_redispatch_by <> ''",
        ),
        Check.of(
            "connection",
            ADDRESS,
            IS_ADDRESS,
            where=_HAS_CONNECTION,
            empty="is empty, but its days are given",
        ),
        Check.of("connection", FOREIGN, IS_FOREIGN, where=_HAS_CONNECTION),
        Check.of("connection_start", FIRST_DAY, IS_DAY, where=_HAS_CONNECTION),
        Check.of("connection_end", LAST_DAY, IS_DAY, where=_HAS_CONNECTION),
    ),
    good="""
        line integer NOT NULL, party_id bigint NOT NULL, point text COLLATE "C" NOT NULL, point_first date NOT NULL,
        point_upper date, mutex boolean NOT NULL, day_ahead text NOT NULL, intraday text,
        address text COLLATE "C" NOT NULL, first date, upper date""",
    stage=(
        f"""
        INSERT INTO good_membership
        SELECT l.line, p.id, l.congestion_point, l.start::date, {day_after_sql("nullif(l.end, '')::date")},
            lower(l.mutex_offers_supported)::boolean, l.day_ahead_redispatch_by, nullif(l.intraday_redispatch_by, ''),
            l.connection, nullif(l.connection_start, '')::date,
            {day_after_sql("nullif(l.connection_end, '')::date")}
        FROM import_membership l
        JOIN participants_participant p ON p.role = 'DSO' AND p.domain = l.dso
        WHERE {{good}}""",
        # D5 is for messages: in a file the last day is the last day (docs/rules.md I5).
        """
        INSERT INTO staged_point
            (number, dso_id, address, first, upper, said_upper, ends_at_once, mutex, day_ahead, intraday)
        SELECT row_number() OVER (ORDER BY min(line)), party_id, point, point_first, point_upper, point_upper, false,
            mutex, day_ahead, intraday
        FROM good_membership
        GROUP BY party_id, point, point_first, point_upper, mutex, day_ahead, intraday""",
        """
        INSERT INTO staged_line (line, point, party_id, address, first, upper)
        SELECT g.line, s.number, g.party_id, g.address, g.first, g.upper
        FROM good_membership g
        JOIN staged_point s ON s.dso_id = g.party_id AND s.address = g.point AND s.first = g.point_first
            AND s.mutex = g.mutex AND s.day_ahead = g.day_ahead
            AND s.upper IS NOT DISTINCT FROM g.point_upper AND s.intraday IS NOT DISTINCT FROM g.intraday
        WHERE g.address <> ''""",
    ),
    withdraws="upper <= first OR point_upper <= point_first",
)

FAULTS = """
-- Everything that is wrong with a line by itself, by the place of its column.
INSERT INTO import_fault (line, place, "column", rule, value)
SELECT l.line, f.place, f."column", f.rule, f.value
FROM {raw} l
LEFT JOIN participants_participant p ON p.role = '{role}' AND p.domain = l.{party}
CROSS JOIN LATERAL (VALUES {checks}) f (place, "column", rule, value, holds)
WHERE NOT f.holds
"""

REJECTS = """
SELECT line, "column", rule, value FROM import_fault ORDER BY line, place, rule
"""


def prepare(cursor: CursorWrapper, layout: Layout) -> None:
    """Make the tables for the lines, to the end of the transaction, and empty them."""
    raw = ", ".join(f'{quoted(column)} text COLLATE "C" NOT NULL' for column in layout.columns)
    tables = {
        layout.raw: f"line integer NOT NULL, {raw}",
        layout.good_table: layout.good,
        "import_fault": """line integer NOT NULL, place smallint NOT NULL, "column" text NOT NULL, rule text NOT NULL,
            value text NOT NULL""",
        "bad_line": 'line integer NOT NULL, "column" text NOT NULL, rule text NOT NULL',
    }
    for name, columns in tables.items():
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT DROP")
        cursor.execute(f"TRUNCATE pg_temp.{name}")


def copy(cursor: CursorWrapper, layout: Layout, rows: Iterable[Row | Fault]) -> int:
    """COPY the rows as they are; faults of the file's form are put aside. Returns how many lines there are."""
    columns, lines = layout.columns, 0
    with tempfile.SpooledTemporaryFile(max_size=1 << 20, mode="w+", encoding="utf-8") as put_aside:
        names = ", ".join(map(quoted, columns))
        with cursor.copy(f"COPY {layout.raw} (line, {names}) FROM STDIN") as copy:
            for block in _blocks(rows, columns, put_aside.write):
                copy.write("".join(block))
                lines += len(block)
        put_aside.seek(0)
        with cursor.copy('COPY import_fault (line, place, "column", rule, value) FROM STDIN') as copy:
            while text := put_aside.read(1 << 16):
                copy.write(text)
    analyze_if_large(cursor, layout.raw, lines)
    cursor.execute("SELECT count(DISTINCT line) FROM import_fault")
    return lines + int(cursor.fetchone()[0])


def stage(cursor: CursorWrapper, layout: Layout, *, own: str) -> int:
    """Check each line by itself and stage the good ones; returns how many these are.

    `own` is a regular expression of the addresses that are the CRO's own (docs/rules.md D10).
    """
    cursor.execute(f"SELECT count(*) FROM {layout.raw}")
    (lines,) = cursor.fetchone()
    good = " AND ".join(check.holds for check in layout.checks)
    cursor.execute(layout.stage[0].format(good=good), {"own": own})
    taken = int(cursor.rowcount)
    analyze_if_large(cursor, layout.good_table, taken)
    if taken < lines:
        checks = ", ".join(
            f"({layout.columns.index(check.column)}, '{check.column}', {check.words},"
            f" left({check.value}, {LONGEST_VALUE}), {check.holds})"
            for check in layout.checks
        )
        cursor.execute(
            FAULTS.format(raw=layout.raw, role=layout.role, party=layout.party, checks=checks), {"own": own}
        )
    restage(cursor, layout)
    return taken


def restage(cursor: CursorWrapper, layout: Layout) -> None:
    """Stage what is left of the good lines."""
    cursor.execute("DELETE FROM staged_line; DELETE FROM staged_point")
    for statement in layout.stage[1:]:
        cursor.execute(statement)
    cursor.execute("SELECT count(*) FROM staged_line")
    analyze_if_large(cursor, "staged_line", cursor.fetchone()[0])
    cursor.execute("SELECT count(*) FROM staged_point")
    analyze_if_large(cursor, "staged_point", cursor.fetchone()[0])


def withdrawals(cursor: CursorWrapper, layout: Layout) -> Iterator[str]:
    """A warning about the lines that end before they start, and so withdraw what is registered (docs/rules.md D3)."""
    cursor.execute(
        f"SELECT count(*) OVER (), line FROM {layout.good_table} WHERE {layout.withdraws}"
        f" ORDER BY line LIMIT {NAMED_AT_MOST}"
    )
    rows = cursor.fetchall()
    if rows:
        lines = [f"line {line}" for _, line in rows]
        what = "ends before it starts, and so withdraws what is registered from the day after its end on"
        yield named("Withdrawn", lines, what, total=rows[0][0])


def fill(cursor: CursorWrapper, rejects: Rejects) -> None:
    """Have `rejects` hold everything in `import_fault`."""
    cursor.execute("SELECT EXISTS (SELECT FROM import_fault)")
    if not cursor.fetchone()[0]:
        rejects.fill(())
        return
    with connection.chunked_cursor() as chunked:
        chunked.execute(REJECTS)
        rejects.fill(row for rows in iter(lambda: chunked.fetchmany(CHUNK), []) for row in rows)


def _blocks(
    rows: Iterable[Row | Fault], columns: tuple[str, ...], put_aside: Callable[[str], Any]
) -> Iterator[list[str]]:
    """The rows in COPY's text form, many at a time."""
    iterator = iter(rows)
    while block := list(islice(iterator, CHUNK)):
        said = []
        for row in block:
            if isinstance(row, Fault):
                put_aside(_line(row.line, [_place(columns, row.column), row.column, f"file: {row.text}", ""]))
            else:
                values = row.values
                said.append(_line(row.line, [values[column] for column in columns]))
        yield said


def _place(columns: tuple[str, ...], column: str) -> str:
    return str(columns.index(column) if column else -1)


def _line(number: int, values: list[str]) -> str:
    """One row in COPY's text form."""
    text = "\t".join(values)
    if text.count("\t") >= len(values) or "\\" in text or "\n" in text or "\r" in text:
        text = "\t".join(
            value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
            for value in values
        )
    return f"{number}\t{text}\n"
