"""Cursors for which PostgreSQL keeps its execution plans, instead of planning each statement each time.

Planning takes more than half of the time of a small update: its statements are long, and its sets are short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that prepares its statements; several statements without parameters cannot be prepared."""

    keeps_plans = True

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        options.setdefault("prepare", self.keeps_plans and (params is not None or ";" not in query))
        return super().execute(query, params, **options)


FEW = 1_000
"""An update with fewer lines uses kept plans. With more lines, planning for the actual sets is worth the time."""


def keeping_cursor() -> CursorWrapper:
    """Return a cursor on Django's connection, like `connection.cursor()`, for which PostgreSQL keeps the plans."""
    connection.ensure_connection()
    plain: Any = _Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)


def keep_for_few(wrapped: CursorWrapper, lines: int) -> None:
    """Use kept plans from here on if an update has few lines, else plan each statement for itself.

    Args:
        wrapped: The cursor of `keeping_cursor`.
        lines: The number of lines of the update.
    """
    wrapped.cursor.keeps_plans = lines < FEW
