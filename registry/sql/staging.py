"""Temporary tables in which an update is worked on as a set, and the COPY that fills them.

They live as long as the database connection, and `prepare` empties them: doing that at each commit would take longer
than a small update. All days are half-open:
`upper` is the first day after, null where open-ended.
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
    # Lines as said: the number of the line and of the congestion point it stands under (0: none), and whose it is.
    "staged_line": """
        line integer NOT NULL, point integer NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        first date NOT NULL, upper date""",
    # Congestion points as said, and whose they are.
    "staged_point": """
        number integer NOT NULL, dso_id bigint NOT NULL, address text COLLATE "C" NOT NULL, first date NOT NULL,
        upper date, said_upper date, ends_at_once boolean NOT NULL, mutex boolean NOT NULL, day_ahead text NOT NULL,
        intraday text""",
    # What is said of each congestion point, all its entries taken together.
    "point_statement": """
        point_id bigint PRIMARY KEY, days datemultirange NOT NULL, speaks_from date NOT NULL, withdraws_from date,
        ends_at_once boolean NOT NULL, omitted boolean NOT NULL DEFAULT false""",
    # The terms of the stated congestion points as they are to be.
    "wanted_terms": """
        point_id bigint NOT NULL, period daterange NOT NULL, mutex boolean NOT NULL, day_ahead text NOT NULL,
        intraday text""",
    # The days of each stated congestion point before and after; `clip` are the days that claims on it lose, `listed`
    # says whether an entry of it that does not end it lists connections.
    "point_days": """
        point_id bigint PRIMARY KEY, dso_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        before datemultirange NOT NULL, after datemultirange NOT NULL, clip datemultirange NOT NULL,
        listed boolean NOT NULL""",
    # The lines under a congestion point, judged against its days.
    "judged_line": """
        line integer NOT NULL, point_id bigint NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL,
        first date NOT NULL, upper date, days datemultirange NOT NULL,
        early boolean NOT NULL, late boolean NOT NULL, outside boolean NOT NULL""",
    # What is said of each thing, all its lines taken together.
    "statement": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint, address text COLLATE "C" NOT NULL,
        days datemultirange NOT NULL, speaks_from date NOT NULL, withdraws_from date, lines integer NOT NULL,
        line integer NOT NULL""",
    # Claims whose days change: what they are and what they become.
    "claim_change": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL,
        old datemultirange NOT NULL, want datemultirange NOT NULL""",
    # Connections that only this transaction can see, or whose row it has locked.
    "held_connection": "connection_id bigint PRIMARY KEY",
    # Conflicts that staff decide together.
    "chosen_conflict": "conflict_id bigint PRIMARY KEY",
    # What a change did to one claim: the days that count, wait and are refused by it, and those that do no more.
    "consequence": """
        connection_id bigint NOT NULL, point_id bigint NOT NULL, party_id bigint NOT NULL,
        gained datemultirange NOT NULL, lost datemultirange NOT NULL, contested datemultirange NOT NULL,
        refused datemultirange NOT NULL, withdrawn datemultirange NOT NULL""",
    # Days that staff give to one of two parties.
    "ruling": """
        connection_id bigint NOT NULL, days daterange NOT NULL, winner bigint NOT NULL, loser bigint NOT NULL""",
    # Connections on which the days that change concern more than one party.
    "disputed": "connection_id bigint PRIMARY KEY",
    # Every claim on a disputed connection, cut so that within a piece nothing changes from day to day.
    "piece": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL,
        first date NOT NULL, stop date NOT NULL, was text, waiting_since bigint, exclusive boolean NOT NULL,
        claimed boolean NOT NULL, standing text""",
    # The claims as they are to be, where anything about them may differ.
    "wanted_claim": """
        point_id bigint NOT NULL, party_id bigint NOT NULL, connection_id bigint NOT NULL, period daterange NOT NULL,
        standing text NOT NULL, waiting_since bigint, exclusive boolean NOT NULL""",
}

# Analyzed while they are empty: of a table that never was, the planner expects thousands of rows, and reads all claims
# to judge one connection.
JUDGED = ("claim_change", "ruling", "disputed", "piece", "wanted_claim")

LARGE = 20_000
CHUNK = 20_000


EMPTIED_IN_PLACE = 1 << 20
"""Bytes that the tables may take together before they are made small again."""

SIZES = "SELECT " + ", ".join(f"pg_relation_size(to_regclass('pg_temp.{name}'))" for name in TABLES)
"""Gives the bytes of each table; null where it is missing."""


def prepare(cursor: CursorWrapper) -> None:
    """Make the tables on this connection where they are missing, and empty them."""
    cursor.execute(SIZES)
    sizes = dict(zip(TABLES, cursor.fetchone(), strict=True))
    if None in sizes.values():
        make_tables(cursor)
        return
    used = [name for name, size in sizes.items() if size]
    if sum(sizes.values()) > EMPTIED_IN_PLACE:
        cursor.execute(f"TRUNCATE {', '.join(f'pg_temp.{name}' for name in used)}")
        if judged := [name for name in JUDGED if name in used]:
            cursor.execute(f"ANALYZE {', '.join(judged)}")
    elif used:
        cursor.execute(";".join(f"DELETE FROM pg_temp.{name}" for name in used))


def make_tables(cursor: CursorWrapper) -> bool:
    """Make the tables on this connection where they are missing; returns whether they were."""
    cursor.execute("SELECT to_regclass('pg_temp.wanted_claim') IS NULL")
    (missing,) = cursor.fetchone()
    if missing:
        cursor.execute(
            ";".join(
                f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns})" for name, columns in TABLES.items()
            )
        )
        cursor.execute(f"ANALYZE {', '.join(JUDGED)}")
    return bool(missing)


def analyze_if_large(cursor: CursorWrapper, table: str, rows: int) -> None:
    """Give the planner the size of a staging table, where it is worth the time."""
    if rows >= LARGE:
        cursor.execute(f"ANALYZE {table}")


def copy_lines(lines: Iterable[tuple[int, str, date, date | None]], party: int) -> int:
    """COPY a party's (point, address, first day, last day inclusive or None) into `staged_line`; returns how many."""
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
    """The rows of `staged_line` in COPY's text form, many at a time, each block with its last line's number."""
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
