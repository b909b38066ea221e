"""Which decision of staff refused a claim its days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from registry.models import Conflict, CongestionPointConnection, Representation, Standing
from registry.periods import Days

Refusable = Representation | CongestionPointConnection


def refusals(claims: Iterable[Refusable], *, known_at: datetime | None = None) -> dict[Refusable, Conflict]:
    """For each refused claim the latest decision by which days of it are another's; in one query.

    Decisions made once a claim was superseded, or after `known_at` (aware; None: at present), do not concern it. A
    refused claim without one was refused by the policy `newest wins`.
    """
    refused = [claim for claim in claims if claim.standing == Standing.REFUSED]
    if not refused:
        return {}
    made = Conflict.objects.filter(connection__in={claim.connection_id for claim in refused})
    if known_at is not None:
        made = made.filter(closed_by__moment__lte=known_at)
    decided = list(made.exclude(decision="").order_by("-closed_by_id", "-pk"))
    found = {claim: next((each for each in decided if _refuses(each, claim)), None) for claim in refused}
    return {claim: conflict for claim, conflict in found.items() if conflict}


def _refuses(conflict: Conflict, claim: Refusable) -> bool:
    """Whether the decision about `conflict` took days from `claim`, which has waited for them since before it."""
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
    lost = _lost(conflict, party)
    return lost is not None and _overlap(lost, claim.period)


def _lost(conflict: Conflict, party: int) -> Days | None:
    """The days that the decision took from `party`; None: none."""
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
