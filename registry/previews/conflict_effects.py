"""List the conflicts that a change opened and closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from registry.periods import Days

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

MAX_NAMED = 20
"""At most this many opened conflicts are listed for a change, and this many closed ones."""

NAME_CONFLICTS = """
-- The first conflicts that the change opened or closed; a decision that replaces another is neither.
WITH touched AS MATERIALIZED (
    SELECT id, connection_id, holder_id, claimant_id, period FROM registry_conflict
    WHERE {by}_id = %(change)s AND replaces_id IS NULL
), first AS (
    SELECT * FROM touched ORDER BY id LIMIT %(max_named)s
)
SELECT n.address, f.period, h.domain, h.id, c.domain, c.id, f.id
FROM first f
JOIN registry_connection n ON n.id = f.connection_id
JOIN participants_participant h ON h.id = f.holder_id
JOIN participants_participant c ON c.id = f.claimant_id
ORDER BY f.id
"""


@dataclass(frozen=True, slots=True)
class ConflictLine:
    """A conflict that a change opened or closed; `days` are half-open.

    `number` is None for a conflict that a preview opens: it gets its number when the action is done.
    """

    opened: bool
    connection: str
    days: Days
    holder: str
    holder_id: int
    claimant: str
    claimant_id: int
    number: int | None = field(compare=False)


def conflict_lines(cursor: CursorWrapper, change: int) -> tuple[ConflictLine, ...]:
    """Return the conflicts that the change closed, then those that it opened: the first MAX_NAMED of each."""
    found = []
    for opened, by in ((False, "closed_by"), (True, "opened_by")):
        cursor.execute(NAME_CONFLICTS.format(by=by), {"change": change, "max_named": MAX_NAMED})
        found += [ConflictLine(opened, *row) for row in cursor.fetchall()]
    return tuple(found)


def without_new_numbers(lines: Iterable[ConflictLine]) -> tuple[ConflictLine, ...]:
    """Return the lines of a preview without the numbers of the conflicts that it opened."""
    return tuple(replace(line, number=None) if line.opened else line for line in lines)
