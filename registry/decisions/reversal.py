"""Reverse a decision: staff decide a decided conflict again, and the first decision is kept.

The decision that replaces it is a conflict of its own, opened and closed by one change (docs/rules.md C12).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q
from psycopg.types.multirange import Multirange

from participants import audit
from registry.changes import Recorder, Source, lock_changed_connections
from registry.decisions.rulings import (
    KINDS,
    DecisionError,
    apply_rulings,
    check_decision,
    decision_in_words,
    no_split,
)
from registry.models import Conflict
from registry.notices.queue import queue_notices
from registry.periods import Days, list_in_words
from registry.periods import in_words as days_in_words
from registry.previews import effects
from registry.queries.change_sources import source_in_words
from registry.sql.staging import prepare

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

REVERSIBLE_DAYS = """
-- Of the decided days that were not decided later: those that the holder holds and the claimant is refused against it,
-- the reverse, both of these, and those that the two contest; then all of them, and those that each of the two claims.
WITH side AS (
    SELECT s.party_id,
        coalesce(range_agg(c.period) FILTER (WHERE c.standing = 'effective'), '{{}}') AS holds,
        coalesce(range_agg(c.period) FILTER (WHERE c.given_to_id = s.other_id), '{{}}') AS refused,
        coalesce(range_agg(c.period) FILTER (WHERE c.standing = 'contested'), '{{}}') AS contests,
        coalesce(range_agg(c.period), '{{}}') AS claims
    FROM (VALUES
        (%(holder)s::bigint, %(claimant)s::bigint), (%(claimant)s::bigint, %(holder)s::bigint)
    ) s (party_id, other_id)
    LEFT JOIN {claims} c
        ON c.connection_id = %(connection)s AND c.{party} = s.party_id AND c.superseded_by_id IS NULL
    GROUP BY s.party_id
), about AS (
    SELECT %(days)s::datemultirange - coalesce(range_agg(period), '{{}}') AS days
    FROM registry_conflict
    WHERE kind = %(kind)s AND connection_id = %(connection)s AND decision <> '' AND closed_by_id > %(decided)s
        AND holder_id IN (%(holder)s, %(claimant)s) AND claimant_id IN (%(holder)s, %(claimant)s)
)
SELECT
    days * h.holds * (c.refused - c.holds), days * c.holds * (h.refused - h.holds),
    days * (h.holds * (c.refused - c.holds) + c.holds * (h.refused - h.holds)),
    days * (h.holds * (c.contests - c.holds) + c.holds * (h.contests - h.holds)),
    days, days * h.claims, days * c.claims
FROM about, side h, side c
WHERE h.party_id = %(holder)s AND c.party_id = %(claimant)s
"""

TAKES_EFFECTIVE_DAYS = """
-- Whether a party loses a day by the rulings.
SELECT EXISTS (
    SELECT FROM ruling r
    JOIN {claims} c ON c.connection_id = r.connection_id AND c.{party} = r.loser AND c.superseded_by_id IS NULL
        AND c.standing = 'effective' AND c.period && r.days
)
"""


class ReversibleDays(NamedTuple):
    """Days (half-open) of a decided conflict by what stands in the way of deciding them again.

    `either` are the days that can be decided again: days of `holders`, which the holder holds and the claimant is
    refused, and days of `claimants`, the reverse. `contested` are contested between the two. `not_decided_later` were
    not decided later. The last two are the days of these that each party claims.
    """

    holders: Multirange[date]
    claimants: Multirange[date]
    either: Multirange[date]
    contested: Multirange[date]
    not_decided_later: Multirange[date]
    claimed_by_holder: Multirange[date]
    claimed_by_claimant: Multirange[date]


@transaction.atomic
def settle_anew(
    conflict_id: int,
    decision: str,
    *,
    at: date | None,
    source: Source,
    today: date,
    expected: str | None = None,
) -> int:
    """Decide a decided conflict again (docs/rules.md C12), and return the number of the change.

    The decision is about those days of the conflict that both parties still claim, that one of them holds and the
    other is refused, and that no later decision is about.

    Args:
        conflict_id: The number of the conflict.
        decision: As for `settle`; holder and claimant are the conflict's.
        at: As for `settle`.
        source: Who decides, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Returns:
        The number of the change.

    Raises:
        DecisionError: There is no such day, or the decision would change nothing; the message says why.
        ConsequencesChanged: The decision would have other consequences than `expected`.
    """
    check_decision(decision, at, source)
    conflict = (
        Conflict.objects.select_related("connection", "holder", "claimant", "closed_by__message__sender")
        .filter(pk=conflict_id)
        .first()
    )
    if conflict is None:
        raise DecisionError(f"There is no conflict {conflict_id}.")
    if conflict.closed_by is None:
        raise DecisionError(f"Conflict {conflict_id} is open: settle it.")
    if not conflict.decision:
        raise DecisionError(
            f"Conflict {conflict_id} ended without a decision {source_in_words(conflict.closed_by)}:"
            " there is none to replace."
        )
    kind = KINDS[conflict.kind]
    with connection.cursor() as cursor:
        prepare(cursor)
        _lock_connection(cursor, conflict)
        runs = reversible_days(cursor, conflict)
        decided = [(days, *decision_for_run(days, decision, at)) for days in runs]
        parts = {part for _, part, _ in decided}
        if decision == Conflict.Decision.SPLIT and (at is None or parts in ({"keep"}, {"give"})):
            raise no_split(runs)
        _stage_rulings(cursor, conflict, decided)
        cursor.execute(kind.sql(TAKES_EFFECTIVE_DAYS))
        if not cursor.fetchone()[0]:
            raise DecisionError(
                f"It is so already: {decision_in_words(decision, at, conflict.holder, conflict.claimant)}"
                f" ({list_in_words(runs)})."
            )
        recorder = Recorder(source)
        change = recorder.change_id()
        apply_rulings(cursor, kind, change=change, today=today)
    decisions = Conflict.objects.bulk_create(
        Conflict(
            kind=conflict.kind,
            connection_id=conflict.connection_id,
            holder_id=conflict.holder_id,
            claimant_id=conflict.claimant_id,
            period=days,
            opened_by_id=change,
            closed_by_id=change,
            decision=part,
            split_at=day,
            decided_by=source.actor[:150],
            reason=source.reason,
            replaces=conflict,
        )
        for days, part, day in decided
    )
    effects.require_same(change, expected)
    audit.record(
        source.actor,
        "settle conflict anew",
        f"conflict {conflict_id} about {conflict.connection}",
        {
            "conflict": conflict_id,
            "holder": conflict.holder.domain,
            "claimant": conflict.claimant.domain,
            "days": days_in_words(conflict.period),
            "decision": conflict.decision,
            **({"at": conflict.split_at.isoformat()} if conflict.split_at else {}),
        },
        {
            "conflict": ", ".join(str(each.pk) for each in decisions),
            "days": list_in_words(runs),
            "decision": decision,
            "change": change,
            **({"at": at.isoformat()} if at else {}),
        },
        source.reason,
        about=conflict,
        participants=(conflict.holder_id, conflict.claimant_id),
    )
    queue_notices(change, (conflict.holder_id, conflict.claimant_id))
    recorder.stamp()
    return change


def _lock_connection(cursor: CursorWrapper, conflict: Conflict) -> None:
    def compute(_: bool) -> None:
        cursor.execute("DELETE FROM ruling")
        cursor.execute(
            "INSERT INTO ruling VALUES (%s, %s, %s, %s)",
            [conflict.connection_id, conflict.period, conflict.holder_id, conflict.claimant_id],
        )

    lock_changed_connections(cursor, compute)


def reversible_days(cursor: CursorWrapper, conflict: Conflict) -> list[Days]:
    """Return the runs of days that can be decided again; raise DecisionError when there are none."""
    parameters: dict[str, Any] = {
        "holder": conflict.holder_id,
        "claimant": conflict.claimant_id,
        "connection": conflict.connection_id,
        "kind": conflict.kind,
        "days": Multirange([conflict.period]),
        "decided": conflict.closed_by_id,
    }
    cursor.execute(KINDS[conflict.kind].sql(REVERSIBLE_DAYS), parameters)
    found = ReversibleDays(*cursor.fetchone())
    if found.either:
        return list(found.either)
    raise DecisionError(f"Conflict {conflict.pk} cannot be decided again: {_why_not(conflict, found)}.")


def _why_not(conflict: Conflict, found: ReversibleDays) -> str:
    if not found.not_decided_later:
        later = (
            Conflict.objects.filter(
                Q(holder=conflict.holder_id, claimant=conflict.claimant_id)
                | Q(holder=conflict.claimant_id, claimant=conflict.holder_id),
                kind=conflict.kind,
                connection=conflict.connection_id,
                period__overlap=conflict.period,
                closed_by__gt=conflict.closed_by_id,
            )
            .exclude(decision="")
            .select_related("closed_by__message__sender")
            .order_by("-closed_by_id", "-pk")[:1]
            .get()
        )
        assert later.closed_by is not None
        source = source_in_words(later.closed_by)
        return f"these days were decided later, in conflict {later.pk}, {source}; decide that one again"
    if found.contested:
        return (
            f"{list_in_words(found.contested)} is contested again; settle the conflict that is open about it"
        )
    for party, claimed in (
        (conflict.claimant, found.claimed_by_claimant),
        (conflict.holder, found.claimed_by_holder),
    ):
        if not claimed:
            return f"{party} no longer claims these days"
    return f"{list_in_words(found.not_decided_later)} is by now another's, or counts for both"


def decision_for_run(days: Days, decision: str, at: date | None) -> tuple[str, date | None]:
    """Return the decision for one run of days, and the day of its split.

    A split at a day before or after the run gives the whole run to one of the two.
    """
    if at is None or decision != Conflict.Decision.SPLIT:
        return decision, None
    if days.lower is not None and at <= days.lower:
        return "give", None
    return ("split", at) if at in days else ("keep", None)


def _stage_rulings(
    cursor: CursorWrapper, conflict: Conflict, decided: list[tuple[Days, str, date | None]]
) -> None:
    cursor.execute("DELETE FROM ruling")
    holder, claimant = conflict.holder_id, conflict.claimant_id
    for days, decision, at in decided:
        parts: list[tuple[Any, int, int]] = {
            "keep": [(days, holder, claimant)],
            "give": [(days, claimant, holder)],
            "split": [
                (type(days)(days.lower, at, "[)"), holder, claimant),
                (type(days)(at, days.upper, "[)"), claimant, holder),
            ],
        }[decision]
        cursor.executemany(
            "INSERT INTO ruling VALUES (%s, %s, %s, %s)",
            [(conflict.connection_id, *part) for part in parts],
        )
