"""Statements that PostgreSQL plans once for a database connection, instead of each time.

Of what a small update costs, planning is more than half: its statements are long, and their sets are short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

from registry.staging import LARGE

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    """Has its statements prepared where they have parameters, or are one by themselves."""

    prepares = True

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        options.setdefault("prepare", self.prepares and (params is not None or ";" not in query))
        return super().execute(query, params, **options)


def cursor() -> CursorWrapper:
    """A cursor on Django's connection, as `connection.cursor()` gives, that has PostgreSQL keep its plans."""
    connection.ensure_connection()
    plain: Any = _Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)


def plan_anew_if_large(wrapped: CursorWrapper, rows: int) -> None:
    """From here on have statements planned for the sets as they are, where these are worth the time."""
    wrapped.cursor.prepares = rows < LARGE
