"""Statements that PostgreSQL plans once for a connection, and whose parameters are sent beside them.

Django writes parameters into the text of a statement. There a message of 100 MB takes three times its size, and the
statement is planned each time.
"""

import select
from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from django.db import connection


def ensure_connection() -> None:
    """Connect if there is no connection, or if the server has ended it, such as in a restart.

    Django asks the server whether a connection is alive. That costs a round trip, so only its own cursors do it. The
    server sends nothing on an idle connection except when it ends it, so a look at the socket is enough here.

    Raises Django's database errors.
    """
    if (
        connection.connection is not None
        and not connection.in_atomic_block
        and _has_ended(connection.connection)
    ):
        connection.close()
    connection.ensure_connection()


def _has_ended(idle: psycopg.Connection[Any]) -> bool:
    if idle.closed:
        return True
    readable = select.poll()
    readable.register(idle.fileno(), select.POLLIN)
    return bool(readable.poll(0))


def fetch(statement: LiteralString, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run `statement` on Django's connection, in its transaction. Return the first row, or None.

    Raises Django's database errors.
    """
    ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, binary=True, prepare=True)
        # None after a statement that returns no rows. `description` would say the same, but makes an object per column.
        return None if cursor.rownumber is None else cursor.fetchone()
