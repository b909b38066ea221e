"""How PostgreSQL plans the statements of an update.

Planning takes more than half of the time of a small update: its statements are long, and its sets are short. So the
plans of a small update are kept. They are made to find rows by index, since a kept plan outlives what it was made for:
in a nearly empty registry PostgreSQL would choose to read whole tables of facts, and go on doing so as they grow.
Measured in docs/decisions/0021-clever-things-and-what-each-gains.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

from common import sql

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that prepares its statements; several statements without parameters cannot be prepared."""

    keeps_plans = True
    by_index = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        options.setdefault("prepare", self.keeps_plans and (params is not None or ";" not in query))
        return super().execute(query, params, **options)


FEW = 1_000
"""An update with fewer lines uses kept plans. With more lines, planning for the actual sets is worth the time."""

# Without jit: staged lines are read as a whole all the same, at the price of what is forbidden, for which PostgreSQL
# would compile. With generic plans: that price would hide what planning costs, so it would plan again each time.
_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
_SET = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _BY_INDEX.items())
_RESET = "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _BY_INDEX)


def keeping_cursor() -> CursorWrapper:
    """Return a cursor on Django's connection, like `connection.cursor()`, for which PostgreSQL keeps the plans."""
    sql.ensure_connection()
    plain: Any = _Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)


def keep_for_few(wrapped: CursorWrapper, lines: int) -> None:
    """Use kept plans from here on if an update has few lines, else plan each statement for itself.

    Args:
        wrapped: The cursor of `keeping_cursor`.
        lines: The number of lines of the update.
    """
    wrapped.cursor.keeps_plans = lines < FEW


def by_index(wrapped: CursorWrapper) -> None:
    """Have every table that is joined to the staged lines read by index, row by row, until the transaction ends.

    Args:
        wrapped: The cursor of `keeping_cursor`, in a transaction that only stores the answer after the update.
    """
    wrapped.execute(_SET, {})
    wrapped.cursor.by_index = True


def as_usual(wrapped: CursorWrapper) -> None:
    """End `by_index` before the transaction ends, to join sets that may be larger than the update."""
    if is_by_index(wrapped):
        wrapped.execute(_RESET)
        wrapped.cursor.by_index = False


def is_by_index(wrapped: CursorWrapper) -> bool:
    """Return whether `by_index` is in force for a cursor, whoever made it."""
    return getattr(wrapped.cursor, "by_index", False)
