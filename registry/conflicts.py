"""Conflicts: contested days between a holder and a claimant, and how staff settle them.

A conflict is derived from the claims (docs/rules.md C8): `refresh` opens and closes the rows after each change of the
claims; only the decision of staff is added to them.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from participants import journal
from registry import standings
from registry.changes import Recorder, Source, under_lock
from registry.claims import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.models import Conflict
from registry.periods import in_words
from registry.policies import HOLD
from registry.staging import prepare

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

KINDS = {kind.conflict.value: kind for kind in (REPRESENTATION, MEMBERSHIP)}

RUNS = """
-- The maximal runs of contested days on the disputed connections. Where several DSOs hold a day together, the one
-- that holds it exclusively is the holder, else the one registered first.
WITH side AS (
    SELECT c.connection_id, c.{party} AS party_id, c.standing, {exclusive} AS exclusive, range_agg(c.period) AS days
    FROM {claims} c JOIN disputed USING (connection_id)
    WHERE c.superseded_by_id IS NULL AND c.standing IN ('effective', 'contested')
    GROUP BY 1, 2, 3, 4
), holding AS (
    SELECT h.connection_id, h.party_id, h.days - coalesce(range_agg(better.days), '{{}}') AS days
    FROM side h
    LEFT JOIN side better ON better.connection_id = h.connection_id AND better.standing = 'effective'
        AND (NOT better.exclusive, better.party_id) < (NOT h.exclusive, h.party_id)
    WHERE h.standing = 'effective'
    GROUP BY h.connection_id, h.party_id, h.exclusive, h.days
), run AS (
    SELECT h.connection_id, h.party_id AS holder_id, s.party_id AS claimant_id,
        unnest(range_agg(s.days * h.days)) AS period
    FROM side s JOIN holding h ON h.connection_id = s.connection_id AND h.party_id <> s.party_id
    WHERE s.standing = 'contested'
    GROUP BY h.connection_id, h.party_id, s.party_id
)
"""

CLOSE = """
UPDATE registry_conflict f SET closed_by_id = %(change)s
FROM disputed
WHERE f.connection_id = disputed.connection_id AND f.kind = %(kind)s AND f.closed_by_id IS NULL
    AND NOT EXISTS (
        SELECT FROM run
        WHERE run.connection_id = f.connection_id AND run.holder_id = f.holder_id
            AND run.claimant_id = f.claimant_id AND run.period = f.period
    )
"""

OPEN = """
INSERT INTO registry_conflict
    (kind, connection_id, holder_id, claimant_id, period, opened_by_id, decision, decided_by, reason)
SELECT %(kind)s, connection_id, holder_id, claimant_id, period, %(change)s, '', '', ''
FROM run
WHERE NOT EXISTS (
    SELECT FROM registry_conflict f
    WHERE f.kind = %(kind)s AND f.connection_id = run.connection_id AND f.holder_id = run.holder_id
        AND f.claimant_id = run.claimant_id AND f.period = run.period AND f.closed_by_id IS NULL
)
ORDER BY connection_id, period
"""


class SettlementError(ValueError):
    """The conflict cannot be settled like that; the message says why and what can be done."""


def refresh(cursor: CursorWrapper, kind: ClaimKind, *, change: int) -> None:
    """Close the conflicts on the disputed connections that are none any more, and open what has come up."""
    parameters: dict[str, Any] = {"change": change, "kind": kind.conflict.value}
    cursor.execute(kind.sql(RUNS + CLOSE), parameters)
    cursor.execute(kind.sql(RUNS + OPEN), parameters)


@transaction.atomic
def settle(conflict_id: int, decision: str, *, at: date | None, source: Source, today: date) -> None:
    """Decide an open conflict, for all its days (docs/rules.md C9).

    `keep`: the holder keeps them, the claimant's claim is refused. `give`: the claimant gets them, the holder's is
    refused. `split`: the holder keeps the days before `at`, the claimant gets those from `at` on. Raises
    SettlementError where the conflict is not open, the decision is none of these, no reason is given, or `at` is not
    a day within the conflict after its first.
    """
    if not source.reason.strip():
        raise SettlementError("A settlement needs a reason.")
    with connection.cursor() as cursor:
        prepare(cursor)
        conflict = _open_conflict(conflict_id)
        kind = KINDS[conflict.kind]
        rulings = _rulings(conflict, decision, at)

        def compute() -> None:
            cursor.execute("DELETE FROM ruling")
            cursor.executemany(
                "INSERT INTO ruling VALUES (%s, %s, %s, %s)",
                [(conflict.connection_id, *ruling) for ruling in rulings],
            )

        under_lock(cursor, compute)
        _open_conflict(conflict_id)
        recorder = Recorder(source)
        change = recorder.change_id()
        standings.judge(cursor, kind, change=change, policy=HOLD, today=today)
        standings.write(cursor, kind, change=change, policy=HOLD, today=today)
        Conflict.objects.filter(pk=conflict_id).update(
            decision=decision,
            split_at=at if decision == Conflict.Decision.SPLIT else None,
            decided_by=source.actor,
            reason=source.reason,
        )
        refresh(cursor, kind, change=change)
        journal.note(
            source.actor,
            "settle conflict",
            f"conflict {conflict_id} about {conflict.connection}",
            {
                "holder": conflict.holder.domain,
                "claimant": conflict.claimant.domain,
                "days": in_words(conflict.period),
            },
            {"decision": decision, **({"at": at.isoformat()} if at else {})},
            source.reason,
        )
        recorder.stamp()


def _open_conflict(conflict_id: int) -> Conflict:
    conflict = Conflict.objects.filter(pk=conflict_id).first()
    if conflict is None:
        raise SettlementError(f"There is no conflict {conflict_id}.")
    if conflict.closed_by_id is not None:
        raise SettlementError(f"Conflict {conflict_id} is closed: there is nothing left to settle in it.")
    return conflict


def _rulings(conflict: Conflict, decision: str, at: date | None) -> list[tuple[Any, int, int]]:
    """(days, winner, loser) for each part of the conflict's days."""
    days, holder, claimant = conflict.period, conflict.holder_id, conflict.claimant_id
    if at is not None and decision != Conflict.Decision.SPLIT:
        raise SettlementError("A day goes with split alone.")
    if decision == Conflict.Decision.KEEP:
        return [(days, holder, claimant)]
    if decision == Conflict.Decision.GIVE:
        return [(days, claimant, holder)]
    if decision != Conflict.Decision.SPLIT:
        raise SettlementError(f"A conflict is settled by keep, give or split, not {decision!r}.")
    if at is None or at <= days.lower or at not in days:
        raise SettlementError(
            f"A split needs a day within {in_words(days)} and after its first: from then on the claimant gets the days."
        )
    until_then = type(days)(days.lower, at, "[)")
    from_then = type(days)(at, days.upper, "[)")
    return [(until_then, holder, claimant), (from_then, claimant, holder)]
