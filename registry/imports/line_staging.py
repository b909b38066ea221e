"""Copy the lines of a file about the registry into tables, run the checks of their columns, and stage the good lines.

The checks are in `registry.imports.column_checks`. A line states what a line of a message would (docs/rules.md D1 to
D4). Faults go into the temporary table `import_fault`; the good lines go into `staged_line` and `staged_point`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import connection

from common.csv.reader import Fault, Row
from common.csv.rejects import LONGEST_VALUE, RejectRow
from registry.imports.column_checks import Layout, quoted
from registry.sql.staging import analyze_if_large
from uftp.protocol.reasons import MAX_NAMED, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CHUNK = 10_000

FAULTS = """
-- Everything that is wrong with a line by itself, with the place of its column.
INSERT INTO import_fault (line, place, "column", rule, value)
SELECT l.line, f.place, f."column", f.rule, f.value
FROM {raw} l
LEFT JOIN participants_participant p ON p.role = '{role}' AND p.domain = l.{party}
CROSS JOIN LATERAL (VALUES {checks}) f (place, "column", rule, value, holds)
WHERE NOT f.holds
"""

NEAR_DUPLICATES = """
-- The stated congestion points that have another one of the same DSO beside them, with the same address in other case:
-- how many they are, and the first of them.
SELECT count(*) OVER (), address, other
FROM (
    SELECT DISTINCT s.address, p.address AS other
    FROM staged_point s
    JOIN registry_congestionpoint p
        ON p.dso_id = s.dso_id AND lower(p.address) = lower(s.address) AND p.address <> s.address
) near
ORDER BY address, other LIMIT %(named)s
"""

REJECTS = """
SELECT line, "column", rule, value FROM import_fault ORDER BY line, place, rule
"""


def prepare(cursor: CursorWrapper, layout: Layout) -> None:
    """Create the temporary tables for the lines, until the end of the transaction, and empty them."""
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
    """Copy the rows as they are, and the faults of the file's form, and return how many lines there are."""
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
    """Check each line by itself, stage the good lines, and return how many they are.

    Args:
        cursor: The cursor.
        layout: The layout of the file.
        own: A regular expression for addresses under the CRO's own domain (docs/rules.md D10).
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
    """Stage the remaining good lines."""
    cursor.execute("DELETE FROM staged_line; DELETE FROM staged_point")
    for statement in layout.stage[1:]:
        cursor.execute(statement)
    cursor.execute("SELECT count(*) FROM staged_line")
    analyze_if_large(cursor, "staged_line", cursor.fetchone()[0])
    cursor.execute("SELECT count(*) FROM staged_point")
    analyze_if_large(cursor, "staged_point", cursor.fetchone()[0])


def withdrawal_warning(cursor: CursorWrapper, layout: Layout) -> Iterator[str]:
    """Yield a warning if lines end before they start, and so withdraw registered facts (docs/rules.md D3)."""
    cursor.execute(
        f"SELECT count(*) OVER (), line FROM {layout.good_table} WHERE {layout.withdraws}"
        f" ORDER BY line LIMIT {MAX_NAMED}"
    )
    rows = cursor.fetchall()
    if rows:
        lines = [f"line {line}" for _, line in rows]
        what = "ends before it starts, and so withdraws what is registered from the day after its end on"
        yield named("Withdrawn", lines, what, total=rows[0][0])


def near_duplicate_warning(cursor: CursorWrapper) -> Iterator[str]:
    """Yield a warning if congestion points differ from another one of their DSO in nothing but case."""
    cursor.execute(NEAR_DUPLICATES, {"named": MAX_NAMED})
    rows = cursor.fetchall()
    if rows:
        found = [f"{address} beside {other}" for _, address, other in rows]
        yield named("Nearly the same congestion point", found, total=rows[0][0])


def rejects() -> Iterator[RejectRow]:
    """Yield everything in `import_fault`, in the order of the lines and their columns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM import_fault)")
        if not cursor.fetchone()[0]:
            return
    with connection.chunked_cursor() as chunked:
        chunked.execute(REJECTS)
        for rows in iter(lambda: chunked.fetchmany(CHUNK), []):
            yield from rows


def _blocks(
    rows: Iterable[Row | Fault], columns: tuple[str, ...], put_aside: Callable[[str], Any]
) -> Iterator[list[str]]:
    """Yield the rows in COPY's text format, many at a time."""
    iterator = iter(rows)
    while block := list(islice(iterator, CHUNK)):
        block_lines = []
        for row in block:
            if isinstance(row, Fault):
                put_aside(_line(row.line, [_place(columns, row.column), row.column, f"file: {row.text}", ""]))
            else:
                values = row.values
                block_lines.append(_line(row.line, [values[column] for column in columns]))
        yield block_lines


def _place(columns: tuple[str, ...], column: str) -> str:
    return str(columns.index(column) if column else -1)


def _line(number: int, values: list[str]) -> str:
    """Return one row in COPY's text format."""
    text = "\t".join(values)
    if text.count("\t") >= len(values) or "\\" in text or "\n" in text or "\r" in text:
        text = "\t".join(
            value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
            for value in values
        )
    return f"{number}\t{text}\n"
