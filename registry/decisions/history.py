"""Find out how conflicts were closed, and which decision about their days is the latest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from registry.decisions.rulings import DecisionError, decision_in_words, join_words
from registry.models import Change, ClaimStanding, Conflict, CongestionPointConnection, Representation
from registry.periods import Days
from registry.queries.change_sources import source_in_words

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

Refusable = Representation | CongestionPointConnection
"""A claim, which may be refused."""

CLOSED = """
-- The selected conflicts that are closed, by the change that closed them.
SELECT f.closed_by_id, count(*) FROM selected_conflict JOIN registry_conflict f ON f.id = conflict_id
WHERE f.closed_by_id IS NOT NULL
GROUP BY 1 ORDER BY 2 DESC, 1
"""


def require_open(cursor: CursorWrapper, selected: int = 1) -> None:
    """Raise DecisionError when a selected conflict is closed; the message says by whom, when and how.

    Args:
        cursor: A cursor with the numbers of the conflicts in the table `selected_conflict`.
        selected: How many conflicts are selected.
    """
    cursor.execute(CLOSED)
    closed: list[tuple[int, int]] = cursor.fetchall()
    if not closed:
        return
    changes = (
        Change.objects.select_related("message__sender")
        .defer("message__sealed")
        .in_bulk([change for change, _ in closed[:3]])
    )
    if selected == 1:
        raise DecisionError(_how_closed(cursor, changes[closed[0][0]]))
    by = [f"{count:,} {source_in_words(changes[change])}" for change, count in closed[:3]]
    others = sum(count for _, count in closed[3:])
    total = sum(count for _, count in closed)
    raise DecisionError(
        f"{total:,} of the {selected:,} conflicts {'is' if total == 1 else 'are'} closed meanwhile:"
        f" {join_words([*by, *([f'{others:,} by others'] if others else [])])}. Nothing was settled;"
        " look at those that are open."
    )


def _how_closed(cursor: CursorWrapper, change: Change) -> str:
    cursor.execute("SELECT conflict_id FROM selected_conflict")
    conflict = Conflict.objects.select_related("holder", "claimant").get(pk=cursor.fetchone()[0])
    if not conflict.decision:
        return (
            f"Conflict {conflict.pk} is closed: its days are no longer contested since a change"
            f" {source_in_words(change)}."
            " There is nothing left to settle in it."
        )
    decision = decision_in_words(conflict.decision, conflict.split_at, conflict.holder, conflict.claimant)
    return (
        f"Conflict {conflict.pk} is closed: it was settled {source_in_words(change)}: {decision}."
        " To reverse it, decide it again."
    )


def later_decisions(conflict: Conflict) -> list[Conflict]:
    """Return the later decisions that together replace the decision about `conflict`, by number.

    Return an empty list while some of its days were not decided later: staff can decide these again.
    """
    if conflict.closed_by_id is None:
        return []
    later = list(_decided_between(conflict).filter(closed_by__gt=conflict.closed_by_id).order_by("pk"))
    return later if _cover(later, conflict) else []


def replaced_among(conflicts: Iterable[Conflict]) -> set[Conflict]:
    """Return those of the conflicts about one connection whose decision is replaced by later ones among them.

    These are the conflicts for which `later_decisions` returns something, if all later decisions are given.
    """
    decided = [each for each in conflicts if each.decision and each.closed_by_id]
    return {each for each in decided if _later_among(decided, each)}


def replacements(conflicts: Iterable[Conflict]) -> dict[Conflict, list[Conflict]]:
    """Return, for each conflict whose decision is replaced, the later decisions about its days that hold, by number.

    Runs one query, and none if nothing is decided.
    """
    decided = [each for each in conflicts if each.decision and each.closed_by_id]
    if not decided:
        return {}
    by_connection = defaultdict(list)
    about = {each.connection_id for each in decided}
    for row in Conflict.objects.filter(connection__in=about, closed_by__isnull=False).exclude(decision=""):
        by_connection[row.connection_id].append(row)
    replaced = {connection: replaced_among(rows) for connection, rows in by_connection.items()}
    found = {}
    for conflict in decided:
        later = _later_among(by_connection[conflict.connection_id], conflict)
        # What was replaced in its turn is left out: the decisions that replaced it are among `later`.
        holding = [each for each in later if each not in replaced[conflict.connection_id]]
        if holding:
            found[conflict] = sorted(holding, key=lambda each: each.pk)
    return found


def _later_among(decided: Iterable[Conflict], conflict: Conflict) -> list[Conflict]:
    """Return those of the decided conflicts about one connection that together replace the decision of `conflict`."""
    parties = {conflict.holder_id, conflict.claimant_id}
    later = [
        each
        for each in decided
        if (each.closed_by_id or 0) > (conflict.closed_by_id or 0)
        and each.kind == conflict.kind
        and {each.holder_id, each.claimant_id} == parties
        and _overlap(each.period, conflict.period)
    ]
    return later if _cover(later, conflict) else []


def _cover(later: list[Conflict], conflict: Conflict) -> bool:
    """Return whether the days of later conflicts, each of which overlaps `conflict`, are all of its days."""
    left = conflict.period.lower
    for days in sorted((each.period for each in later), key=lambda days: days.lower):
        if days.lower > left:
            return False
        if days.upper is None:
            return True
        left = max(left, days.upper)
    return conflict.period.upper is not None and left >= conflict.period.upper


def latest_decision(conflict: Conflict) -> list[Conflict]:
    """Return the conflicts of the latest decision between the two parties about any day of `conflict`.

    They were decided by one change. They may be `conflict` itself, its replacements, or later conflicts. The list is
    empty when staff decided nothing.
    """
    found = list(_decided_between(conflict).order_by("-closed_by_id", "pk"))
    return [row for row in found if row.closed_by_id == found[0].closed_by_id]


def _decided_between(conflict: Conflict) -> QuerySet[Conflict]:
    """Return the conflicts between the two parties about any day of `conflict` that staff decided."""
    return Conflict.objects.filter(
        Q(holder=conflict.holder_id, claimant=conflict.claimant_id)
        | Q(holder=conflict.claimant_id, claimant=conflict.holder_id),
        kind=conflict.kind,
        connection=conflict.connection_id,
        period__overlap=conflict.period,
        closed_by__isnull=False,
    ).exclude(decision="")


def refusals(claims: Iterable[Refusable], *, known_at: datetime | None = None) -> dict[Refusable, Conflict]:
    """Return, for each refused claim, the latest decision that gave days of it to another party.

    A decision does not concern a claim that was superseded before it. A refused claim that is not in the result was
    refused by the policy `newest wins`. Runs one query.

    Args:
        claims: Claims of any standing.
        known_at: Ignore decisions made after this aware moment; None: take all decisions.
    """
    refused = [claim for claim in claims if claim.standing == ClaimStanding.REFUSED]
    if not refused:
        return {}
    made = Conflict.objects.filter(connection__in={claim.connection_id for claim in refused})
    if known_at is not None:
        made = made.filter(closed_by__moment__lte=known_at)
    decided = list(made.exclude(decision="").order_by("-closed_by_id", "-pk"))
    found = {
        claim: next((each for each in decided if _takes_days_from(each, claim)), None) for claim in refused
    }
    return {claim: conflict for claim, conflict in found.items() if conflict}


def _takes_days_from(conflict: Conflict, claim: Refusable) -> bool:
    """Return whether the decision about `conflict` took days from `claim`, which was waiting for them before it."""
    if isinstance(claim, Representation):
        kind, party = Conflict.Kind.REPRESENTATION, claim.agr_id
    else:
        kind, party = Conflict.Kind.MEMBERSHIP, claim.dso_id
    if conflict.kind != kind or conflict.connection_id != claim.connection_id:
        return False
    if (
        not conflict.closed_by_id
        or not claim.waiting_since_id
        or conflict.closed_by_id < claim.waiting_since_id
    ):
        return False
    if claim.superseded_by_id and claim.superseded_by_id <= conflict.closed_by_id:
        return False
    other = conflict.claimant_id if party == conflict.holder_id else conflict.holder_id
    if claim.given_to_id not in (None, other):
        return False
    lost = _days_taken_from(conflict, party)
    return lost is not None and _overlap(lost, claim.period)


def _days_taken_from(conflict: Conflict, party: int) -> Days | None:
    """Return the days (half-open) that the decision took from `party`; None when it took none."""
    days: Days = conflict.period
    match conflict.decision:
        case Conflict.Decision.KEEP:
            return days if party == conflict.claimant_id else None
        case Conflict.Decision.GIVE:
            return days if party == conflict.holder_id else None
    if party == conflict.claimant_id:
        return type(days)(days.lower, conflict.split_at, "[)")
    return type(days)(conflict.split_at, days.upper, "[)") if party == conflict.holder_id else None


def _overlap(one: Days, other: Days) -> bool:
    begins = max((day for day in (one.lower, other.lower) if day), default=None)
    ends = min((day for day in (one.upper, other.upper) if day), default=None)
    return begins is None or ends is None or begins < ends
