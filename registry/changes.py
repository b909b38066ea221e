"""Changes of the registry: their source, their moment and their locks.

Every verb that writes facts uses `lock_changed_connections` and `Recorder`: two transactions never judge the same days
at the same time (docs/decisions/0011-writing-facts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction

from common import locks, sql
from registry.models import Change
from registry.sql import plans
from uftp.models import InboundMessage

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

LOCK_CONNECTIONS = """
-- Lock the connections whose days change, unless they are locked already. All writers lock in the order of ids.
WITH locked AS (
    SELECT id FROM registry_connection
    WHERE id = ANY(ARRAY(
        SELECT connection_id FROM (
            SELECT connection_id FROM claim_change UNION ALL SELECT connection_id FROM ruling
        ) changing
        WHERE NOT EXISTS (SELECT FROM locked_connection h WHERE h.connection_id = changing.connection_id)
    ))
    ORDER BY id
    FOR NO KEY UPDATE
)
INSERT INTO locked_connection SELECT id FROM locked
"""

# The notices of the verb that is being previewed; None outside a preview.
_notices: ContextVar[list[str] | None] = ContextVar("notices", default=None)

CHANGED_PARTICIPANTS = """
-- The participants whose facts differ after the change.
SELECT coalesce(array_agg(party_id ORDER BY party_id), '{}') FROM (
    SELECT party_id FROM claim_change
    UNION SELECT party_id FROM piece WHERE was IS DISTINCT FROM standing
    UNION SELECT p.dso_id FROM registry_congestionpointterms t
    JOIN registry_congestionpoint p ON p.id = t.congestion_point_id WHERE t.recorded_by_id = %(change)s
    UNION SELECT p.dso_id FROM registry_congestionpointterms t
    JOIN registry_congestionpoint p ON p.id = t.congestion_point_id WHERE t.superseded_by_id = %(change)s
) changed
"""

RECORD = """
INSERT INTO registry_change (kind, message_id, actor, reason, participants)
VALUES (%(kind)s, %(message)s, %(actor)s, %(reason)s, '{}')
RETURNING id
"""

TAKE_MOMENT_LOCK = f"""
SET LOCAL enable_seqscan TO off; SET CONSTRAINTS ALL IMMEDIATE; SELECT pg_advisory_xact_lock({locks.MOMENT})
"""
"""Check the foreign keys, then take the lock for stamping a moment.

One change at a time is stamped and not committed yet. Without SET CONSTRAINTS, the commit would check the foreign keys
while other changes wait for the lock.

PostgreSQL keeps the plans by which it checks foreign keys as long as the connection lives. Made while a table is nearly
empty, they would read the whole table for each row, and go on doing so as it grows. Hence the index is the only way."""

STAMP = """
-- The moment at which the change becomes known: later than the moments of all other changes.
UPDATE registry_change
SET participants = %(participants)s, moment = greatest(
    clock_timestamp(),
    (SELECT max(moment) + interval '1 microsecond' FROM registry_change)
)
WHERE id = %(change)s
"""


@dataclass(frozen=True)
class Source:
    """The source of a change: a message, a delivery, an import or staff."""

    kind: Change.Kind
    message: InboundMessage | None = None
    actor: str = ""
    reason: str = ""

    @property
    def received_at(self) -> datetime | None:
        """Return when the message was received; None for a source without a message."""
        return self.message.received_at if self.message else None

    @classmethod
    def of_message(cls, message: InboundMessage) -> Source:
        """Return the source of a change by a participant's update."""
        return cls(Change.Kind.MESSAGE, message=message)

    @classmethod
    def of_delivery(cls, message: InboundMessage, detail: str) -> Source:
        """Return the source of a change by the delivery of a message that was passed on; `detail` is its result."""
        return cls(Change.Kind.DELIVERY, message=message, reason=detail)

    @classmethod
    def of_staff(cls, actor: str, reason: str) -> Source:
        """Return the source of a change by staff, with their reason."""
        return cls(Change.Kind.STAFF, actor=actor, reason=reason)

    @classmethod
    def of_import(cls, name: str, actor: str = "", why: str = "") -> Source:
        """Return the source of a change by an import.

        The reason of the change is the file's name on the first line, and why it is imported on the next lines.

        Args:
            name: The name of the file.
            actor: Who imports it.
            why: Why it is imported.
        """
        lines = " ".join(name.splitlines()), why.strip()
        return cls(Change.Kind.IMPORT, actor=actor, reason="\n".join(filter(None, lines)))


class Recorder:
    """The recorder of one transaction: it records the change when it is first needed, and stamps it at the end.

    A transaction that changes nothing records no change.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._id: int | None = None

    @property
    def recorded(self) -> int | None:
        """Return the id of the change, or None if it is not recorded."""
        return self._id

    def change_id(self) -> int:
        """Return the id of the change; record it if it is not recorded yet."""
        if self._id is None:
            source = self._source
            recorded = sql.fetch(
                RECORD,
                {
                    "kind": str(source.kind),
                    "message": source.message.pk if source.message else None,
                    "actor": source.actor,
                    "reason": source.reason,
                },
            )
            assert recorded is not None
            self._id = int(recorded[0])
        return self._id

    def stamp(self, participants: Iterable[int] | None = None) -> None:
        """Store the moment and the participants of the change (docs/rules.md H1).

        Only the commit may follow, because other changes wait from here on until the commit. In a preview the change
        gets no moment, and no other change waits for it.

        Args:
            participants: The primary keys of the participants whose facts it changed; None to find them from the
                staged claims and terms.
        """
        if self._id is None or _notices.get() is not None:
            return
        with plans.keeping_cursor() as cursor:
            if participants is None:
                cursor.execute(CHANGED_PARTICIPANTS, {"change": self._id})
                (participants,) = cursor.fetchone()
            cursor.execute(TAKE_MOMENT_LOCK)
            cursor.execute(STAMP, {"participants": sorted(participants), "change": self._id})


@contextmanager
def collect_notices() -> Iterator[list[str]]:
    """Collect the notices of a verb that is previewed: its transaction will be rolled back.

    Yields:
        The list to which `notice` appends.
    """
    notices: list[str] = []
    token = _notices.set(notices)
    try:
        yield notices
    finally:
        _notices.reset(token)


def notice(text: str) -> None:
    """Add a sentence to the preview of the running verb; do nothing outside a preview."""
    notices = _notices.get()
    if notices is not None:
        notices.append(text)


def analyze(cursor: CursorWrapper, *tables: str) -> None:
    """ANALYZE tables of facts after much was written to them.

    Do nothing in a preview: its writes are rolled back, and other transactions would wait for the lock.
    """
    if _notices.get() is None:
        cursor.execute(f"ANALYZE {', '.join(tables)}")


def wait_for_stamped_changes() -> None:
    """Wait until every stamped change is committed (docs/rules.md H1).

    Call this before the queries for what was known at a moment. A change that is stamped earlier but not committed yet
    would be missing in the first result and present in the next. A change that is stamped afterwards has a later moment
    than the present: it is in none of these results, so nothing has to hold it back.
    """
    with holding_back_stamps():
        pass


@contextmanager
def holding_back_stamps() -> Iterator[None]:
    """Wait until every stamped change is committed, and let no change be stamped inside the `with` block.

    All changes wait for the block, so read one value in it, and nothing else. It is rolled back: only so is the lock
    released at the end of the block, also where the caller's transaction goes on.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [locks.MOMENT])
        yield
        transaction.set_rollback(True)


def lock_changed_connections(
    cursor: CursorWrapper, compute: Callable[[bool], int | None], *, locked: int = 0
) -> None:
    """Lock all connections in `claim_change`, and compute it again until it is not stale.

    A result that was computed before a lock was granted may be stale. So `compute` runs again after each lock that had
    to be taken. Each run sees what others have committed by then. From the second run on, only locked connections have
    to be compared: for all others the first result, no change, is still valid, as if this transaction had come first.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        compute: Fills the empty `claim_change` and returns the number of claims that change. Its argument is False in
            the first run. It is True in later runs, which compare locked connections only.
        locked: The number of connections that are locked from the start, all of which change. If `compute` returns this
            number, no other connection has to be locked.
    """
    if compute(False) == locked:
        return
    while _lock(cursor):
        cursor.execute("DELETE FROM claim_change")
        compute(True)


def _lock(cursor: CursorWrapper) -> int:
    cursor.execute(LOCK_CONNECTIONS)
    return int(cursor.rowcount)
