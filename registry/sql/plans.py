"""Cursors whose statements PostgreSQL plans once for a database connection, instead of each time.

Of what a small update costs, planning is more than half: its statements are long, and their sets are short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    """Has its statements prepared where they have parameters, or are one by themselves."""

    keeps_plans = True

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        options.setdefault("prepare", self.keeps_plans and (params is not None or ";" not in query))
        return super().execute(query, params, **options)


FEW = 1_000
"""An update of fewer lines uses kept plans. For more lines, planning for the sets as they are is worth the time."""


def keeping_cursor() -> CursorWrapper:
    """A cursor on Django's connection, as `connection.cursor()` gives, for which PostgreSQL keeps the plans."""
    connection.ensure_connection()
    plain: Any = _Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)


def keep_for_few(wrapped: CursorWrapper, lines: int) -> None:
    """Go on with kept plans where an update has few `lines`; else have each statement planned anew."""
    wrapped.cursor.keeps_plans = lines < FEW
