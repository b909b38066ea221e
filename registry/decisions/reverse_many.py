"""Reverse a decision about several conflicts: staff decide all of them again, by one change (docs/rules.md C15).

Each conflict is decided again as `registry.decisions.reversal` does it for one. The work is done on sets.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from participants import audit
from registry.changes import Recorder, Source, lock_changed_connections, notice
from registry.decisions.reversal import reversible_days
from registry.decisions.rulings import (
    KINDS,
    DecisionError,
    apply_rulings,
    check_decision,
    decision_in_words,
    no_split,
    shares,
)
from registry.models import Change, Conflict
from registry.notices.queue import queue_notices
from registry.previews import effects
from registry.sql.staging import analyze_if_large, prepare

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

MAX_NAMED = 10
"""At most this many conflicts that are not decided again are named, each with the reason."""

SELECT_CONFLICTS = """
INSERT INTO selected_conflict SELECT id FROM registry_conflict WHERE closed_by_id = %(decided)s AND decision <> ''
"""

STAGE_ALL_DAYS = """
-- All days of the selected conflicts, to lock their connections.
INSERT INTO ruling
SELECT f.connection_id, f.period, f.holder_id, f.claimant_id
FROM selected_conflict JOIN registry_conflict f ON f.id = conflict_id
"""

FIND_RUNS = """
-- The days of each conflict that can be decided again: one party holds them, the other is refused them against it, and
-- they were not decided between the two later. Runs on which the decision changes nothing are left out.
INSERT INTO reversible_run
WITH about AS (
    SELECT f.id, datemultirange(f.period) - later.days AS days, h.holds AS holder_has, c.holds AS claimant_has,
        h.holds * (c.refused - c.holds) + c.holds * (h.refused - h.holds) AS either
    FROM selected_conflict
    JOIN registry_conflict f ON f.id = conflict_id
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(period), '{{}}') AS days FROM registry_conflict l
        WHERE l.kind = f.kind AND l.connection_id = f.connection_id AND l.decision <> ''
            AND l.closed_by_id > f.closed_by_id
            AND l.holder_id IN (f.holder_id, f.claimant_id) AND l.claimant_id IN (f.holder_id, f.claimant_id)
    ) later
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(period) FILTER (WHERE standing = 'effective'), '{{}}') AS holds,
            coalesce(range_agg(period) FILTER (WHERE given_to_id = f.claimant_id), '{{}}') AS refused
        FROM {claims} s
        WHERE s.connection_id = f.connection_id AND s.{party} = f.holder_id AND s.superseded_by_id IS NULL
    ) h
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(period) FILTER (WHERE standing = 'effective'), '{{}}') AS holds,
            coalesce(range_agg(period) FILTER (WHERE given_to_id = f.holder_id), '{{}}') AS refused
        FROM {claims} s
        WHERE s.connection_id = f.connection_id AND s.{party} = f.claimant_id AND s.superseded_by_id IS NULL
    ) c
)
SELECT id, run, CASE
        WHEN isempty(run * %(gives)s::daterange) THEN 'keep'
        WHEN isempty(run * %(keeps)s::daterange) THEN 'give'
        ELSE 'split'
    END
FROM about CROSS JOIN LATERAL unnest(days * either) run
WHERE datemultirange(run * %(keeps)s::daterange) && claimant_has
    OR datemultirange(run * %(gives)s::daterange) && holder_has
"""

STAGE_RULINGS = """
INSERT INTO ruling
SELECT f.connection_id, part.days, part.winner, part.loser
FROM reversible_run r
JOIN registry_conflict f ON f.id = r.conflict_id
CROSS JOIN LATERAL (VALUES
    (r.days * %(keeps)s::daterange, f.holder_id, f.claimant_id),
    (r.days * %(gives)s::daterange, f.claimant_id, f.holder_id)
) part (days, winner, loser)
WHERE NOT isempty(part.days)
"""

RECORD_DECISIONS = """
INSERT INTO registry_conflict (kind, connection_id, holder_id, claimant_id, period, opened_by_id, closed_by_id,
    decision, split_at, decided_by, reason, replaces_id)
SELECT f.kind, f.connection_id, f.holder_id, f.claimant_id, r.days, %(change)s, %(change)s,
    r.decision, CASE WHEN r.decision = 'split' THEN %(at)s::date END, %(by)s, %(reason)s, f.id
FROM reversible_run r JOIN registry_conflict f ON f.id = r.conflict_id
ORDER BY f.id, r.days
"""

LEFT_OUT = """
-- The selected conflicts that are not decided again.
SELECT count(*) OVER (), conflict_id FROM selected_conflict
WHERE NOT EXISTS (SELECT FROM reversible_run r WHERE r.conflict_id = selected_conflict.conflict_id)
ORDER BY conflict_id LIMIT %(named)s
"""


@transaction.atomic
def settle_many_anew(
    decided_by: int,
    decision: str,
    *,
    at: date | None,
    source: Source,
    today: date,
    expected: str | None = None,
) -> int:
    """Decide again all conflicts that one decision settled, and return the number of the change.

    Conflicts that cannot be decided again, or for which nothing would change, are left out; notices say how many, which
    and why.

    Args:
        decided_by: The number of the change by which staff decided the conflicts.
        decision: As for `settle`; holder and claimant are those of the conflicts.
        at: As for `settle`. A conflict whose days all lie before it is kept, and one after it is given.
        source: Who decides, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Raises:
        DecisionError: The change decided no conflict, or none of them can be decided again like that.
        ConsequencesChanged: The decision would have other consequences than `expected`.
    """
    check_decision(decision, at, source)
    if decision == Conflict.Decision.SPLIT and at is None:
        raise DecisionError("A split needs a day: from then on the claimant gets the days.")
    conflict = (
        Conflict.objects.filter(closed_by=decided_by)
        .exclude(decision="")
        .select_related("holder", "claimant")
        .first()
    )
    if conflict is None:
        raise DecisionError(f"Change {decided_by} decided no conflict: there is nothing to reverse.")
    kind, (keeps, gives) = KINDS[conflict.kind], shares(decision, at)
    parameters: dict[str, Any] = {"decided": decided_by, "keeps": keeps, "gives": gives}
    with connection.cursor() as cursor:
        prepare(cursor)
        cursor.execute(SELECT_CONFLICTS, parameters)
        selected = int(cursor.rowcount)
        analyze_if_large(cursor, "selected_conflict", selected)
        _lock_connections(cursor)
        cursor.execute(kind.sql(FIND_RUNS), parameters)
        runs = int(cursor.rowcount)
        _say_left_out(cursor, selected, decision, at)
        if not runs:
            raise DecisionError(_why_none(cursor, conflict, selected, decision, at))
        if at is not None and not _is_split(cursor):
            raise no_split(Conflict.objects.filter(closed_by=decided_by).values_list("period", flat=True)[:3])
        cursor.execute("DELETE FROM ruling")
        cursor.execute(STAGE_RULINGS, parameters)
        analyze_if_large(cursor, "ruling", cursor.rowcount)
        recorder = Recorder(source)
        change = recorder.change_id()
        apply_rulings(cursor, kind, change=change, today=today)
        cursor.execute(
            RECORD_DECISIONS,
            {"change": change, "at": at, "by": source.actor[:150], "reason": source.reason},
        )
        cursor.execute("SELECT count(DISTINCT conflict_id) FROM reversible_run")
        (again,) = cursor.fetchone()
    Change.objects.filter(pk=change).update(reverses=decided_by)
    effects.require_same(change, expected)
    audit.record(
        source.actor,
        "settle conflicts anew",
        f"{again:,} conflicts between {conflict.holder} and {conflict.claimant}",
        {
            "holder": conflict.holder.domain,
            "claimant": conflict.claimant.domain,
            "conflicts": selected,
            "decided by change": decided_by,
        },
        {
            "conflicts": again,
            "decision": decision,
            "change": change,
            **({"at": at.isoformat()} if at else {}),
        },
        source.reason,
        about=Change(pk=decided_by),
        participants=(conflict.holder_id, conflict.claimant_id),
    )
    queue_notices(change, (conflict.holder_id, conflict.claimant_id))
    recorder.stamp()
    return change


def _lock_connections(cursor: CursorWrapper) -> None:
    def compute(_: bool) -> None:
        cursor.execute("DELETE FROM ruling")
        cursor.execute(STAGE_ALL_DAYS)
        analyze_if_large(cursor, "ruling", cursor.rowcount)

    lock_changed_connections(cursor, compute)


def _is_split(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM reversible_run WHERE decision = 'split')")
    return bool(cursor.fetchone()[0])


def _say_left_out(cursor: CursorWrapper, selected: int, decision: str, at: date | None) -> None:
    """Give a notice for the conflicts that are not decided again: how many, and for the first of them why."""
    cursor.execute(LEFT_OUT, {"named": MAX_NAMED})
    rows: list[tuple[int, int]] = cursor.fetchall()
    if not rows:
        return
    number = rows[0][0]
    notice(f"{number:,} of the {selected:,} conflicts {'is' if number == 1 else 'are'} not decided again.")
    left_out: dict[int, Any] = Conflict.objects.select_related("holder", "claimant").in_bulk(
        [pk for _, pk in rows]
    )
    for _, pk in rows:
        notice(_why_not(cursor, left_out[pk], decision, at))
    if number > len(rows):
        notice(f"The other {number - len(rows):,} are not named here; the page of each conflict says why.")


def _why_not(cursor: CursorWrapper, conflict: Conflict, decision: str, at: date | None) -> str:
    try:
        reversible_days(cursor, conflict)
    except DecisionError as error:
        return str(error)
    decided = decision_in_words(decision, at, conflict.holder, conflict.claimant)
    return f"Conflict {conflict.pk}: it is so already: {decided}."


def _why_none(
    cursor: CursorWrapper, conflict: Conflict, selected: int, decision: str, at: date | None
) -> str:
    first = _why_not(cursor, conflict, decision, at)
    return f"None of the {selected:,} conflicts can be decided again like that. {first}"
