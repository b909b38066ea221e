"""One transaction on the registry: where it comes from, in which order it became known, whom it keeps waiting.

Every verb that writes facts goes through `under_lock` and `Recorder`, so that two of them never judge the same days
at once (docs/design.md, "Writing facts").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from common import sql
from registry.models import Change
from registry.sql import plans
from uftp.models import InboundMessage

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Held from the stamping of a moment to the commit, so that moments are in the order of commits.
MOMENT_LOCK = 0x43524F01

LOCK_CONNECTIONS = """
-- Connections whose days change and that are not yet held, locked in the one order that all writers keep.
WITH locked AS (
    SELECT id FROM registry_connection
    WHERE id = ANY(ARRAY(
        SELECT connection_id FROM (
            SELECT connection_id FROM claim_change UNION ALL SELECT connection_id FROM ruling
        ) changing
        WHERE NOT EXISTS (SELECT FROM held_connection h WHERE h.connection_id = changing.connection_id)
    ))
    ORDER BY id
    FOR NO KEY UPDATE
)
INSERT INTO held_connection SELECT id FROM locked
"""

# What the verb that is being rehearsed has to say to staff; None outside a rehearsal.
_notices: ContextVar[list[str] | None] = ContextVar("notices", default=None)

TOUCHED = """
-- The participants whose facts differ after the change.
SELECT coalesce(array_agg(party_id ORDER BY party_id), '{}') FROM (
    SELECT party_id FROM claim_change
    UNION SELECT party_id FROM piece WHERE was IS DISTINCT FROM standing
    UNION SELECT p.dso_id FROM registry_congestionpointterms t
    JOIN registry_congestionpoint p ON p.id = t.congestion_point_id WHERE t.recorded_by_id = %(change)s
    UNION SELECT p.dso_id FROM registry_congestionpointterms t
    JOIN registry_congestionpoint p ON p.id = t.congestion_point_id WHERE t.superseded_by_id = %(change)s
) touched
"""

RECORD = """
INSERT INTO registry_change (kind, message_id, actor, reason, participants)
VALUES (%(kind)s, %(message)s, %(actor)s, %(reason)s, '{}')
RETURNING id
"""

AWAIT_TURN = f"SET CONSTRAINTS ALL IMMEDIATE; SELECT pg_advisory_xact_lock({MOMENT_LOCK})"
"""One change at a time has its moment and is not committed yet: the checks of foreign keys, which would be left to the
commit, are done before."""

STAMP = """
-- The moment at which the change becomes known: later than every other.
UPDATE registry_change
SET participants = %(participants)s, moment = greatest(
    clock_timestamp(),
    (SELECT max(moment) + interval '1 microsecond' FROM registry_change)
)
WHERE id = %(change)s
"""


@dataclass(frozen=True)
class Source:
    """Where a change of the registry comes from."""

    kind: Change.Kind
    message: InboundMessage | None = None
    actor: str = ""
    reason: str = ""

    @property
    def received_at(self) -> datetime | None:
        """When the message behind it came; None where there is none."""
        return self.message.received_at if self.message else None

    @classmethod
    def of_message(cls, message: InboundMessage) -> Source:
        """A participant's update."""
        return cls(Change.Kind.MESSAGE, message=message)

    @classmethod
    def of_delivery(cls, message: InboundMessage, detail: str) -> Source:
        """What became of a participant's message that was passed on; `detail` says how it went."""
        return cls(Change.Kind.DELIVERY, message=message, reason=detail)

    @classmethod
    def of_staff(cls, actor: str, reason: str) -> Source:
        """A decision of staff; `reason` is theirs."""
        return cls(Change.Kind.DECISION, actor=actor, reason=reason)

    @classmethod
    def of_import(cls, name: str, actor: str = "", why: str = "") -> Source:
        """A file, by its name; with why it is imported, on the lines after the name."""
        lines = " ".join(name.splitlines()), why.strip()
        return cls(Change.Kind.IMPORT, actor=actor, reason="\n".join(filter(None, lines)))


class Recorder:
    """The change of one transaction: recorded when first needed, stamped at the end.

    A transaction that changes nothing leaves no change behind.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._id: int | None = None

    @property
    def recorded(self) -> int | None:
        """The change's id, or None as long as nothing needed one."""
        return self._id

    def change_id(self) -> int:
        """The change's id; records it the first time."""
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
        """Give the change its participants and its moment (docs/rules.md H1).

        Nothing may follow but the commit of what is at hand. Without `participants`, the primary keys of those whose
        facts it changed, they are those of the claims and terms that are staged.

        A change that is only rehearsed gets none, and so keeps no other waiting.
        """
        if self._id is None or _notices.get() is not None:
            return
        with plans.cursor() as cursor:
            if participants is None:
                cursor.execute(TOUCHED, {"change": self._id})
                (participants,) = cursor.fetchone()
            cursor.execute(AWAIT_TURN)
            cursor.execute(STAMP, {"participants": sorted(participants), "change": self._id})


@contextmanager
def rehearsed() -> Iterator[list[str]]:
    """For verbs whose transaction will be rolled back: what they `notice` is gathered in the list that is given."""
    notices: list[str] = []
    token = _notices.set(notices)
    try:
        yield notices
    finally:
        _notices.reset(token)


def notice(text: str) -> None:
    """Tell staff who rehearse the verb at hand something that is not to be seen from the facts."""
    notices = _notices.get()
    if notices is not None:
        notices.append(text)


def analyze(cursor: CursorWrapper, *tables: str) -> None:
    """Give the planner the sizes of tables of facts of which much was written.

    Not while a verb is rehearsed: what it wrote is taken back, and others would wait for the lock.
    """
    if _notices.get() is None:
        cursor.execute(f"ANALYZE {', '.join(tables)}")


def await_stamped_changes() -> None:
    """Wait until every change that has its moment is committed (docs/rules.md H1).

    To be called, in a transaction, before asking what was known at a moment: a change that was stamped earlier but is
    not committed yet would show up in a second answer only.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [MOMENT_LOCK])


def under_lock(cursor: CursorWrapper, compute: Callable[[bool], int | None], *, held: int = 0) -> None:
    """Run `compute`, which fills the empty `claim_change`, until every connection in it is held by this transaction.

    What was computed before a lock was granted may be stale by then; each further run is a statement of its own and
    sees what others have committed. It is told True, as it need not look at other connections than those held: of the
    rest, what it found first still is an order in which it may have happened.

    `held` connections are held from the start, and all of them change: where `compute` says that no more than so many
    claims do, nothing is left to be locked.
    """
    if compute(False) == held:
        return
    while _lock(cursor):
        cursor.execute("DELETE FROM claim_change")
        compute(True)


def _lock(cursor: CursorWrapper) -> int:
    cursor.execute(LOCK_CONNECTIONS)
    return int(cursor.rowcount)
