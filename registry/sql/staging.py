"""The staging tables: temporary tables in which an update is worked on as a set, and the COPY that fills them.

The tables last as long as the database connection. `prepare` empties them before each use; `ON COMMIT DELETE ROWS`
would take longer than a small update. All days are half-open: `upper` is the day after the last day, or null if the
period is open-ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db import connection

from registry.periods import day_after

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

TABLES = {
    # Lines about connections, as stated: the number of the line, the number of its congestion point (0: none), and the
    # party that states it.
    "staged_line": """
        line integer NOT NULL, point integer NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        first date NOT NULL, upper date""",
    # Lines about congestion points, and their DSO. `ends`: the line ends the congestion point (D5). `upper` is before
    # `stated_upper` if the line ends it at once.
    "staged_point": """
        number integer NOT NULL, dso_id bigint NOT NULL, address text COLLATE "C" NOT NULL, first date NOT NULL,
        upper date, stated_upper date, ends boolean NOT NULL, mutex boolean NOT NULL, day_ahead text NOT NULL,
        intraday text""",
    # Statements about congestion points: all lines about one congestion point together.
    "point_statement": """
        point_id bigint PRIMARY KEY, days datemultirange NOT NULL, replaces_from date NOT NULL, withdraws_from date,
        ended_days datemultirange NOT NULL DEFAULT '{}', ends boolean NOT NULL DEFAULT false,
        omitted boolean NOT NULL DEFAULT false""",
    # The terms that the stated congestion points are to have.
    "wanted_terms": """
        point_id bigint NOT NULL, period daterange NOT NULL, mutex boolean NOT NULL, day_ahead text NOT NULL,
        intraday text""",
    # The days of each stated congestion point before and after the update. `clip`: days that memberships of it lose.
    # `listed`: whether a line about it that does not end it lists connections.
    "point_days": """
        point_id bigint PRIMARY KEY, dso_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        before datemultirange NOT NULL, after datemultirange NOT NULL, clip datemultirange NOT NULL,
        listed boolean NOT NULL""",
    # The lines under congestion points, judged against the days of these.
    "judged_line": """
        line integer NOT NULL, point_id bigint NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        first date NOT NULL, upper date, days datemultirange NOT NULL,
        early boolean NOT NULL, late boolean NOT NULL, outside boolean NOT NULL""",
    # Statements: all lines about one item together.
    "statement": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint, address text COLLATE "C" NOT NULL,
        days datemultirange NOT NULL, replaces_from date NOT NULL, withdraws_from date, lines integer NOT NULL,
        line integer NOT NULL""",
    # Items whose claimed days change: the days before and after.
    "claim_change": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL,
        old datemultirange NOT NULL, want datemultirange NOT NULL""",
    # Connections that this transaction has added or locked.
    "locked_connection": "connection_id bigint PRIMARY KEY",
    # Conflicts that staff settle together.
    "selected_conflict": "conflict_id bigint PRIMARY KEY",
    # Runs of days of decided conflicts that staff decide again together, each with its decision.
    "reversible_run": """
        conflict_id bigint NOT NULL, days daterange NOT NULL, decision text NOT NULL""",
    # Connections on which nothing was changed since an import that is reversed.
    "quiet_connection": "connection_id bigint PRIMARY KEY",
    # The effects of a change on each claim, as days.
    "consequence": """
        connection_id bigint NOT NULL, point_id bigint NOT NULL, party_id bigint NOT NULL,
        gained datemultirange NOT NULL, lost datemultirange NOT NULL, contested datemultirange NOT NULL,
        refused datemultirange NOT NULL, withdrawn datemultirange NOT NULL""",
    # Rulings: days that staff give to one of two parties.
    "ruling": """
        connection_id bigint NOT NULL, days daterange NOT NULL, winner bigint NOT NULL, loser bigint NOT NULL""",
    # Connections on which the days that change concern more than one party.
    "disputed": "connection_id bigint PRIMARY KEY",
    # Every claim on a disputed connection, split so that all days of a piece are alike. `is_new`: the party did not
    # claim these days before, at any congestion point.
    "piece": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL,
        first date NOT NULL, stop date NOT NULL, was text, given_to bigint, waiting_since bigint,
        exclusive boolean NOT NULL, claimed boolean NOT NULL, standing text, is_new boolean""",
    # The claims as they are to be, for items on which anything may change.
    "wanted_claim": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL, period daterange NOT NULL,
        standing text NOT NULL, given_to bigint, waiting_since bigint, exclusive boolean NOT NULL""",
}

# These are analyzed while they are empty. The planner expects thousands of rows in a table that was never analyzed: to
# judge one connection it would read all claims.
JUDGING_TABLES = ("claim_change", "ruling", "disputed", "piece", "wanted_claim")

ANALYZE_FROM_ROWS = 20_000
"""A table is analyzed after this number of rows was written to it."""

CHUNK = 20_000
"""The number of rows that COPY gets at a time."""

TRUNCATE_ABOVE_BYTES = 1 << 20
"""Above this total size, in bytes, the tables are truncated instead of emptied row by row."""

TABLE_SIZES = "SELECT " + ", ".join(f"pg_relation_size(to_regclass('pg_temp.{name}'))" for name in TABLES)
"""The query for the size of each table in bytes; null for a missing table."""


def prepare(cursor: CursorWrapper) -> None:
    """Create the tables that this connection does not have yet, and empty the others."""
    cursor.execute(TABLE_SIZES)
    sizes = dict(zip(TABLES, cursor.fetchone(), strict=True))
    if None in sizes.values():
        make_tables(cursor)
        return
    used = [name for name, size in sizes.items() if size]
    if sum(sizes.values()) > TRUNCATE_ABOVE_BYTES:
        cursor.execute(f"TRUNCATE {', '.join(f'pg_temp.{name}' for name in used)}")
        if judging := [name for name in JUDGING_TABLES if name in used]:
            cursor.execute(f"ANALYZE {', '.join(judging)}")
    elif used:
        cursor.execute(";".join(f"DELETE FROM pg_temp.{name}" for name in used))


def make_tables(cursor: CursorWrapper) -> bool:
    """Create the tables that this connection does not have yet, and return whether any was missing."""
    cursor.execute("SELECT to_regclass('pg_temp.wanted_claim') IS NULL")
    (missing,) = cursor.fetchone()
    if missing:
        cursor.execute(
            ";".join(
                f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns})" for name, columns in TABLES.items()
            )
        )
        cursor.execute(f"ANALYZE {', '.join(JUDGING_TABLES)}")
    return bool(missing)


def analyze_if_large(cursor: CursorWrapper, table: str, rows: int) -> None:
    """ANALYZE a staging table if it has many rows."""
    if rows >= ANALYZE_FROM_ROWS:
        cursor.execute(f"ANALYZE {table}")


def copy_lines(lines: Iterable[tuple[int, str, date, date | None]], party: int) -> int:
    """COPY a party's lines about connections into `staged_line`.

    Args:
        lines: The number of the congestion point or 0, the address of the connection, the first day, and the last day,
            inclusive, or None for an open end.
        party: The primary key of the party.

    Returns:
        The number of lines.
    """
    count = 0
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY staged_line (line, point, party_id, address, first, upper) FROM STDIN"
        ) as copy:
            for block, number in _blocks(lines, party):
                copy.write(block)
                count = number
        analyze_if_large(cursor, "staged_line", count)
    return count


def _blocks(lines: Iterable[tuple[int, str, date, date | None]], party: int) -> Iterator[tuple[str, int]]:
    """Yield blocks of rows of `staged_line` in the text format of COPY, each with the number of its last line."""
    rows: list[str] = []
    number = 0
    for point, address, first, last in lines:
        number += 1
        if "\\" in address or "\t" in address:
            address = address.replace("\\", "\\\\").replace("\t", "\\t")
        rows.append(f"{number}\t{point}\t{party}\t{address}\t{_day(first)}\t{_upper(last)}\n")
        if len(rows) >= CHUNK:
            yield "".join(rows), number
            rows.clear()
    if rows:
        yield "".join(rows), number


@lru_cache(maxsize=65536)
def _day(day: date) -> str:
    return day.isoformat()


@lru_cache(maxsize=65536)
def _upper(last: date | None) -> str:
    upper = day_after(last)
    return "\\N" if upper is None else upper.isoformat()
