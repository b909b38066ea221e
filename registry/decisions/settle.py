"""Settle conflicts: staff decide which of two parties gets the contested days.

Each function that settles is one transaction that may lose a race: callers repeat it with `common.retry.retried`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from participants import audit
from participants.models import Participant
from registry.changes import Recorder, Source, lock_changed_connections
from registry.decisions.history import require_open
from registry.decisions.reversal import settle_anew
from registry.decisions.rulings import (
    KINDS,
    DecisionError,
    apply_rulings,
    check_decision,
    no_split,
    shares,
)
from registry.models import Change, Conflict
from registry.notices.queue import queue_notices
from registry.periods import Days
from registry.periods import in_words as days_in_words
from registry.previews import effects
from registry.sql.staging import analyze_if_large, prepare

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

__all__ = ["DecisionError", "settle", "settle_anew", "settle_many", "similar_conflicts"]

STAGE_RULINGS = """
-- For each selected open conflict: the days that its holder keeps, and those that its claimant gets.
INSERT INTO ruling
SELECT f.connection_id, part.days, part.winner, part.loser
FROM selected_conflict
JOIN registry_conflict f ON f.id = conflict_id
CROSS JOIN LATERAL (VALUES
    (f.period * %(keeps)s::daterange, f.holder_id, f.claimant_id),
    (f.period * %(gives)s::daterange, f.claimant_id, f.holder_id)
) part (days, winner, loser)
WHERE f.closed_by_id IS NULL AND NOT isempty(part.days)
"""

PARTIES = """
SELECT DISTINCT f.kind, f.holder_id, f.claimant_id
FROM selected_conflict JOIN registry_conflict f ON f.id = conflict_id
"""

NOT_SPLIT = """
-- How many of the selected conflicts the day does not split.
SELECT count(*) FROM selected_conflict JOIN registry_conflict f ON f.id = conflict_id
WHERE NOT (f.period @> %(at)s::date AND lower(f.period) < %(at)s::date)
"""

CLOSE_CONFLICTS = """
-- Close the selected conflicts: each of their days goes to one party and is refused to the other.
UPDATE registry_conflict f
SET decision = %(decision)s, split_at = %(at)s, decided_by = %(by)s, reason = %(reason)s, closed_by_id = %(change)s
FROM selected_conflict WHERE f.id = conflict_id
"""


@transaction.atomic
def settle(
    conflict_id: int,
    decision: str,
    *,
    at: date | None,
    source: Source,
    today: date,
    expected: str | None = None,
) -> int:
    """Settle an open conflict for all its days (docs/rules.md C9), and return the number of the change.

    Args:
        conflict_id: The number of the conflict.
        decision: `keep`: the holder keeps the days, and the claimant's claim is refused. `give`: the claimant gets the
            days, and the holder's claim is refused. `split`: the holder keeps the days before `at`, and the claimant
            gets the days from `at` on.
        at: The day of a split, within the conflict and after its first day; None for other decisions.
        source: Who settles, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Returns:
        The number of the change.

    Raises:
        DecisionError: The conflict is not open, the decision is unknown, there is no reason, or `at` does not fit.
        ConsequencesChanged: The decision would have other consequences than `expected`.
    """
    check_decision(decision, at, source)
    conflict = (
        Conflict.objects.select_related("connection", "holder", "claimant").filter(pk=conflict_id).first()
    )
    if conflict is None:
        raise DecisionError(f"There is no conflict {conflict_id}.")
    with connection.cursor() as cursor:
        prepare(cursor)
        cursor.execute("INSERT INTO selected_conflict VALUES (%s)", [conflict_id])
        require_open(cursor)
        if decision == Conflict.Decision.SPLIT and not _splits(at, conflict.period):
            raise no_split([conflict.period])
        change = _settle_selected(cursor, conflict, decision, at, source, today)
    effects.require_same(change.change_id(), expected)
    audit.record(
        source.actor,
        "settle conflict",
        f"conflict {conflict_id} about {conflict.connection}",
        {
            "holder": conflict.holder.domain,
            "claimant": conflict.claimant.domain,
            "days": days_in_words(conflict.period),
        },
        {
            "decision": decision,
            "change": change.change_id(),
            **({"at": at.isoformat()} if at else {}),
        },
        source.reason,
        about=conflict,
        participants=(conflict.holder_id, conflict.claimant_id),
    )
    queue_notices(change.change_id(), (conflict.holder_id, conflict.claimant_id))
    change.stamp()
    return change.change_id()


@transaction.atomic
def settle_many(
    conflicts: QuerySet[Conflict],
    decision: str,
    *,
    at: date | None,
    source: Source,
    today: date,
    expected: str | None = None,
) -> int:
    """Settle open conflicts between the same two parties together: all of them, or none (docs/rules.md C11).

    The work is done on sets: 100,000 conflicts need as many statements as one.

    Args:
        conflicts: Open conflicts of one kind, with one holder and one claimant.
        decision: As for `settle`.
        at: As for `settle`; it must lie within each of the conflicts and after its first day.
        source: Who settles, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Returns:
        The number of the change.

    Raises:
        DecisionError: As for `settle`; or there are no conflicts, they are of several kinds or between several
            parties, some are closed, or `at` does not split each of them.
        ConsequencesChanged: The decision would have other consequences than `expected`.
    """
    check_decision(decision, at, source)
    with connection.cursor() as cursor:
        prepare(cursor)
        selected = _stage_conflicts(cursor, conflicts)
        conflict = _any_conflict(cursor)
        require_open(cursor, selected)
        if decision == Conflict.Decision.SPLIT:
            if at is None:
                raise DecisionError("A split needs a day: from then on the claimant gets the days.")
            cursor.execute(NOT_SPLIT, {"at": at})
            (unsplit,) = cursor.fetchone()
            if unsplit:
                raise DecisionError(
                    f"{at} does not split {unsplit:,} of the {selected:,} conflicts: it must be a day within each of"
                    " them and after its first. Settle those by themselves."
                )
        change = _settle_selected(cursor, conflict, decision, at, source, today, selected)
    effects.require_same(change.change_id(), expected)
    audit.record(
        source.actor,
        "settle conflicts",
        f"{selected:,} conflicts between {conflict.holder} and {conflict.claimant}",
        {"holder": conflict.holder.domain, "claimant": conflict.claimant.domain, "conflicts": selected},
        {
            "decision": decision,
            "change": change.change_id(),
            **({"at": at.isoformat()} if at else {}),
        },
        source.reason,
        about=Change(pk=change.change_id()),
        participants=(conflict.holder_id, conflict.claimant_id),
    )
    queue_notices(change.change_id(), (conflict.holder_id, conflict.claimant_id))
    change.stamp()
    return change.change_id()


def similar_conflicts(conflict: Conflict) -> QuerySet[Conflict]:
    """Return the open conflicts of the same kind and parties that the same message, or else the same change, opened."""
    message = conflict.opened_by.message_id
    opened = Q(opened_by__message=message) if message else Q(opened_by=conflict.opened_by_id)
    return Conflict.objects.filter(
        opened,
        kind=conflict.kind,
        holder=conflict.holder_id,
        claimant=conflict.claimant_id,
        closed_by__isnull=True,
    )


def _splits(at: date | None, days: Days) -> bool:
    """Return whether `at` is a day within `days` and after their first day."""
    return at is not None and days.lower is not None and days.lower < at and at in days


def _settle_selected(
    cursor: CursorWrapper,
    conflict: Conflict,
    decision: str,
    at: date | None,
    source: Source,
    today: date,
    selected: int = 1,
) -> Recorder:
    """Lock the connections of the selected conflicts, check that the conflicts are still open, and decide them."""
    keeps, gives = shares(decision, at)

    def compute(_: bool) -> None:
        cursor.execute("DELETE FROM ruling")
        cursor.execute(STAGE_RULINGS, {"keeps": keeps, "gives": gives})
        analyze_if_large(cursor, "ruling", cursor.rowcount)

    lock_changed_connections(cursor, compute)
    require_open(cursor, selected)
    recorder = Recorder(source)
    change = recorder.change_id()
    cursor.execute(
        CLOSE_CONFLICTS,
        {
            "decision": decision,
            "at": at,
            "by": source.actor[:150],
            "reason": source.reason,
            "change": change,
        },
    )
    apply_rulings(cursor, KINDS[conflict.kind], change=change, today=today)
    return recorder


def _stage_conflicts(cursor: CursorWrapper, conflicts: QuerySet[Conflict]) -> int:
    """Stage the numbers of the conflicts, and return how many there are."""
    try:
        query, parameters = (
            Conflict.objects.filter(pk__in=conflicts.values("pk"))
            .values("pk")
            .order_by()
            .query.sql_with_params()
        )
    except EmptyResultSet:
        raise DecisionError("There are no conflicts to settle.") from None
    cursor.execute(f"INSERT INTO selected_conflict {query}", parameters)
    selected = int(cursor.rowcount)
    if not selected:
        raise DecisionError("There are no conflicts to settle.")
    analyze_if_large(cursor, "selected_conflict", selected)
    return selected


def _any_conflict(cursor: CursorWrapper) -> Conflict:
    """Build a conflict, without storing it, with the kind and parties that all selected ones have.

    Raises:
        DecisionError: They do not all have the same.
    """
    cursor.execute(PARTIES)
    parties: list[tuple[Any, ...]] = cursor.fetchall()
    if len(parties) > 1:
        raise DecisionError(
            f"The conflicts are of {len(parties):,} sorts: conflicts that are settled together are of one kind, with"
            " one holder and one claimant. Choose fewer."
        )
    kind, holder, claimant = parties[0]
    both = Participant.objects.in_bulk([holder, claimant])
    return Conflict(kind=kind, holder=both[holder], claimant=both[claimant])
