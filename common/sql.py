"""Statements that PostgreSQL plans once for a connection, and whose parameters are sent beside them.

Django writes parameters into the text of a statement. There a message of 100 MB takes three times its size, and the
statement is planned each time.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from django.db import connection


def fetch(statement: LiteralString, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run `statement` on Django's connection, in its transaction. Return the first row, or None.

    Raises Django's database errors.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, binary=True, prepare=True)
        # None after a statement that returns no rows. `description` would say the same, but makes an object per column.
        return None if cursor.rownumber is None else cursor.fetchone()
