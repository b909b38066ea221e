"""Check and apply the rulings of staff: which party gets which contested days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from registry.changes import Source
from registry.market.policies import HOLD
from registry.models import Conflict
from registry.periods import Days, list_in_words
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.updates import claims, standings

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

KINDS = {kind.conflict.value: kind for kind in (REPRESENTATION, MEMBERSHIP)}


class DecisionError(ValueError):
    """The conflict cannot be settled like that; the message says why, and what staff can do."""


def check_decision(decision: str, at: date | None, source: Source) -> None:
    """Raise DecisionError when a decision is unknown, has no reason, or has a day and is not a split."""
    if not source.reason.strip():
        raise DecisionError("A settlement needs a reason.")
    if decision not in Conflict.Decision.values:
        raise DecisionError(f"A conflict is settled by keep, give or split, not {decision!r}.")
    if at is not None and decision != Conflict.Decision.SPLIT:
        raise DecisionError("A day goes with split alone.")


def no_split(runs: Iterable[Days]) -> DecisionError:
    """Return the error for a split whose day is missing, outside the days, or their first."""
    return DecisionError(
        f"A split needs a day within {list_in_words(runs)} and after its first:"
        " from then on the claimant gets the days."
    )


def shares(decision: str, at: date | None) -> tuple[str, str]:
    """Return the days that the holder keeps and the days that the claimant gets, as range literals of PostgreSQL."""
    if decision == Conflict.Decision.KEEP:
        return "(,)", "empty"
    if decision == Conflict.Decision.GIVE:
        return "empty", "(,)"
    return f"(,{at})", f"[{at},)"


def apply_rulings(cursor: CursorWrapper, kind: ClaimKind, *, change: int, today: date) -> None:
    """Judge the claims that the staged rulings are about, write what changes, and close and open conflicts.

    A ruling is between the two parties that it names. Another party that holds the same day keeps it.
    """
    standings.judge(cursor, kind, change=change, policy=HOLD, today=today)
    claims.write(cursor, kind, change=change, policy=HOLD, today=today)


def decision_in_words(decision: str, at: date | None, holder: object, claimant: object) -> str:
    """Return a decision in words: who gets the days."""
    if decision == Conflict.Decision.SPLIT:
        return f"{claimant} gets the days from {at} on"
    return f"{holder} keeps the days" if decision == Conflict.Decision.KEEP else f"{claimant} gets the days"


def join_words(items: Sequence[str]) -> str:
    """Join words: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
