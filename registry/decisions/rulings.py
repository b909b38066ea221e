"""What all decisions of staff about contested days have in common: who gets which, and carrying it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from registry.changes import Source
from registry.market.policies import HOLD
from registry.models import Conflict
from registry.periods import Days, list_in_words
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.updates import standings

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

KINDS = {kind.conflict.value: kind for kind in (REPRESENTATION, MEMBERSHIP)}


class SettlementError(ValueError):
    """The conflict cannot be settled like that; the message says why and what can be done."""


def check_decision(decision: str, at: date | None, source: Source) -> None:
    """Raise SettlementError for a decision without a reason, that is none, or with a day that it does not take."""
    if not source.reason.strip():
        raise SettlementError("A settlement needs a reason.")
    if decision not in Conflict.Decision.values:
        raise SettlementError(f"A conflict is settled by keep, give or split, not {decision!r}.")
    if at is not None and decision != Conflict.Decision.SPLIT:
        raise SettlementError("A day goes with split alone.")


def no_split(runs: Iterable[Days]) -> SettlementError:
    """What is wrong with a split's day that is missing, or not within the days and after their first."""
    return SettlementError(
        f"A split needs a day within {list_in_words(runs)} and after its first:"
        " from then on the claimant gets the days."
    )


def shares(decision: str, at: date | None) -> tuple[str, str]:
    """The days that the holder keeps and those that the claimant gets, as ranges of PostgreSQL's."""
    if decision == Conflict.Decision.KEEP:
        return "(,)", "empty"
    if decision == Conflict.Decision.GIVE:
        return "empty", "(,)"
    return f"(,{at})", f"[{at},)"


def carry_out(cursor: CursorWrapper, kind: ClaimKind, *, change: int, today: date) -> None:
    """Judge the claims that the staged rulings are about, write what differs, and close and open conflicts.

    Where several hold a day together, the ruling is between the two it names: the others stay.
    """
    standings.judge(cursor, kind, change=change, policy=HOLD, today=today)
    standings.write(cursor, kind, change=change, policy=HOLD, today=today)


def in_words(decision: str, at: date | None, holder: object, claimant: object) -> str:
    """A decision as people read it: who gets the days."""
    if decision == Conflict.Decision.SPLIT:
        return f"{claimant} gets the days from {at} on"
    return f"{holder} keeps the days" if decision == Conflict.Decision.KEEP else f"{claimant} gets the days"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
