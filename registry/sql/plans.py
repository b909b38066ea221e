"""Statements that PostgreSQL plans once for a database connection, instead of each time.

Of what a small update costs, planning is more than half: its statements are long, and their sets are short.

A plan that is kept outlives what it was made for: made while the registry is nearly empty, it would read whole tables
of facts, and go on doing so as they grow. So the few rows of a small update are looked up by index from the first day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    """Has its statements prepared where they have parameters, or are one by themselves."""

    prepares = True
    looks_up = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        options.setdefault("prepare", self.prepares and (params is not None or ";" not in query))
        return super().execute(query, params, **options)


def cursor() -> CursorWrapper:
    """A cursor on Django's connection, as `connection.cursor()` gives, that has PostgreSQL keep its plans."""
    connection.ensure_connection()
    plain: Any = _Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)


FEW = 1_000
"""Fewer lines than so many are an update whose plans are kept."""

_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}

LOOKED_UP = ", ".join(
    f"set_config('{name}', CASE WHEN %(looked_up)s THEN '{value}' ELSE current_setting('{name}') END, true)"
    for name, value in _BY_INDEX.items()
)
"""To be selected: to the end of the transaction, where so, what is joined to a set is looked up by index, row by row.

Without `jit`: the temporary tables are read as a whole all the same, at the price of what is forbidden, for which
PostgreSQL would compile. And that price hides from it what planning costs: it would plan again each time.
"""

PLANNED_AS_USUAL = "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _BY_INDEX)
"""Takes LOOKED_UP back, before sets are joined that may be larger than the update."""


def plan_anew_unless_few(wrapped: CursorWrapper, rows: int) -> None:
    """From here on have statements planned for the sets as they are, where these are worth the time."""
    wrapped.cursor.prepares = rows < FEW


def look_up(wrapped: CursorWrapper) -> None:
    """Say of a cursor that LOOKED_UP is in force for what it executes."""
    wrapped.cursor.looks_up = True


def looks_up(wrapped: CursorWrapper) -> bool:
    """Whether LOOKED_UP is in force for what a cursor executes, whoever made it."""
    return getattr(wrapped.cursor, "looks_up", False)
