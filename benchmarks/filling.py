"""Fill a registry with connections quickly: with the same rows as the verbs would write.

The server makes the rows, and then their indexes and constraints. So all of these exist and hold before anything is
measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.messages import ean

FIRST_DAY = "2025-01-01"
BLOCK = 30
"""Of the connections' addresses; their numbers count from 0."""

POINT_BLOCK = 31
IN_A_POINT = 100
"""Connections behind each congestion point."""

TABLES = (
    "registry_connection",
    "registry_congestionpoint",
    "registry_congestionpointterms",
    "registry_congestionpointconnection",
    "registry_representation",
)

CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = ANY(%(tables)s::regclass[]) AND contype IN ('u', 'x', 'f')
ORDER BY contype = 'f', 1, 2
"""

INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = ANY(%(tables)s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
ORDER BY 1
"""

CHANGE = """
INSERT INTO registry_change (kind, actor, reason, participants, moment)
SELECT 'import', 'benchmarks', 'filling.csv', ARRAY[party], clock_timestamp() + number * interval '1 microsecond'
FROM unnest(%(parties)s::bigint[]) WITH ORDINALITY AS one (party, number)
"""

# The address of number n in a block, as `messages.ean` makes it; `zero` is that of number 0. The digits of n change the
# check digit, every second one three times.
ADDRESS = """
CREATE FUNCTION pg_temp.address(zero text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(zero, -11) || lpad(n::text, 10, '0') || mod(300 + right(zero, 1)::integer - sum(
        (1 + 2 * mod(place, 2)) * substr(lpad(n::text, 10, '0'), 1 + place, 1)::integer
    ), 10)
    FROM generate_series(0, 9) place
$$
"""

ROWS = (
    """
    INSERT INTO registry_connection (id, address)
    SELECT n + 1, pg_temp.address(%(connection)s, n) FROM generate_series(0, %(last)s) n
    """,
    """
    INSERT INTO registry_congestionpoint (id, dso_id, address)
    SELECT n + 1, %(dso)s, pg_temp.address(%(point)s, n) FROM generate_series(0, %(last)s / %(each)s) n
    """,
    """
    INSERT INTO registry_congestionpointterms (congestion_point_id, period, mutex_offers_supported,
        day_ahead_redispatch_by, intraday_redispatch_by, recorded_by_id)
    SELECT p.id, daterange(%(first)s::date, NULL), true, 'DSO', 'AGR', c.id
    FROM registry_congestionpoint p JOIN registry_change c ON c.participants = ARRAY[%(dso)s]::bigint[]
    ORDER BY p.id
    """,
    """
    INSERT INTO registry_congestionpointconnection (congestion_point_id, dso_id, connection_id, period, standing,
        exclusive, recorded_by_id)
    SELECT n / %(each)s + 1, %(dso)s, n + 1, daterange(%(first)s::date, NULL), 'effective', true, c.id
    FROM generate_series(0, %(last)s) n, registry_change c WHERE c.participants = ARRAY[%(dso)s]::bigint[]
    """,
    """
    INSERT INTO registry_representation (connection_id, agr_id, period, standing, recorded_by_id)
    SELECT n + 1, o.agrs[n / %(share)s + 1], daterange(%(first)s::date, NULL), 'effective',
        o.changes[n / %(share)s + 1]
    FROM generate_series(0, %(last)s) n, (
        SELECT array_agg(agr ORDER BY number) AS agrs, array_agg(c.id ORDER BY number) AS changes
        FROM unnest(%(agrs)s::bigint[]) WITH ORDINALITY AS one (agr, number)
        JOIN registry_change c ON c.participants = ARRAY[agr]
    ) o
    """,
)

LAST_ID = """
SELECT setval(pg_get_serial_sequence(%(table)s, 'id'),
    greatest((SELECT max(id) FROM registry_connection), (SELECT max(id) FROM registry_congestionpoint)))
"""


def address(number: int) -> str:
    """Return the entity address of connection `number`, from 0."""
    return ean(BLOCK, number)


@dataclass(frozen=True)
class Definitions:
    """The constraints (table, name, definition) and the other indexes (name, definition), primary keys apart."""

    constraints: tuple[tuple[str, str, str], ...]
    indexes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, database: psycopg.Connection[Any]) -> Definitions:
        """Return those of the registry's large tables."""
        tables = {"tables": list(TABLES)}
        return cls(
            tuple(database.execute(CONSTRAINTS, tables).fetchall()),
            tuple(database.execute(INDEXES, tables).fetchall()),
        )

    def drop(self, database: psycopg.Connection[Any]) -> None:
        for table, name, _ in reversed(self.constraints):
            database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        for name, _ in self.indexes:
            database.execute(f"DROP INDEX {name}".encode())

    def make(self, database: psycopg.Connection[Any]) -> None:
        for _, definition in self.indexes:
            database.execute(definition.encode())
        for table, name, definition in self.constraints:
            database.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".encode())


def fill(database: psycopg.Connection[Any], connections: int, agrs: list[int], dso: int) -> None:
    """Register `connections` with the AGRs, in equal blocks, all in congestion points of `dso` (primary keys)."""
    values = {
        "last": connections - 1,
        "each": IN_A_POINT,
        "share": -(-connections // len(agrs)),
        "agrs": agrs,
        "dso": dso,
        "first": FIRST_DAY,
        "connection": ean(BLOCK, 0),
        "point": ean(POINT_BLOCK, 0),
        "parties": [*agrs, dso],
    }
    database.execute(CHANGE, values)
    database.execute(ADDRESS)
    there = Definitions.of(database)
    with database.transaction():
        database.execute("SET LOCAL maintenance_work_mem = '512MB'")
        there.drop(database)
        for rows in ROWS:
            database.execute(rows, values)
        there.make(database)
        for table in ("registry_connection", "registry_congestionpoint"):
            database.execute(LAST_ID, {"table": table})
    if Definitions.of(database) != there:
        raise RuntimeError("not every index and constraint is there again")
    database.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}, registry_change".encode())
