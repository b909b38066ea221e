"""What an attempt to deliver came to: kept, with what follows from it.

The app that had a message passed on (uftp/delivery/forwarding.py) is told of its end in the transaction that records
it.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from common import clock, sql
from common.retry import retried
from uftp import meanings
from uftp.delivery.leases import Claim
from uftp.delivery.ordering import last_try, let_next_go
from uftp.handlers import Party, Passed, handler_of
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage

logger = logging.getLogger(__name__)

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0)
"""Seconds after the first, second … failed attempt; the last one again and again. Each with some jitter."""

LONGEST_IN_LINE = 4
"""What is passed on pauses as after so many attempts at most: few are tried at a time, and others wait behind them."""

JITTER = 0.2

LONGEST_UNTOLD = timedelta(minutes=10)
"""How long at most what became of a message waits to be told to its app, where that failed before."""

_KEEP_ATTEMPT = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, endpoint, status, outcome, detail)
VALUES (%(id)s, %(started_at)s, %(endpoint)s, %(status)s, %(outcome)s, %(detail)s)
"""

_SET_STATE = """
UPDATE uftp_outboundmessage
SET state = %(state)s, next_attempt_at = %(next_attempt_at)s, finished_at = %(finished_at)s, claimed_until = NULL,
    not_before = %(not_before)s
WHERE id = %(id)s AND state = 'waiting' AND claims = %(claim)s
RETURNING id
"""

# The attempt is kept whatever has become of the message; its state changes only while this
# attempt's claim is the latest.
_RECORD = f"WITH attempt AS ({_KEEP_ATTEMPT}) {_SET_STATE}"

DELIVERED, TEMPORARILY, FOR_GOOD = "delivered", "temporary", "permanent"
EXPIRED = "expired"
"""The outcome of no attempt: the time of a message that is passed on is over."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. `reached` is False where the participant's system did not answer at all.

    `fresh` is False for what was found out without one, so that none is kept. `wakes` are those for whom there is
    something to deliver since it was recorded.
    """

    outcome: str
    detail: str
    endpoint: str = ""
    status: int | None = None
    retry_after: float | None = None
    reached: bool = True
    fresh: bool = True
    wakes: tuple[Party, ...] = ()


def record(claim: Claim, result: Result, started_at: datetime, now: datetime) -> tuple[Party, ...]:
    """Keep the attempt, and set what follows: delivered, failed, or when to try again.

    Gives those for whom there is something to deliver since. Where the app that had a message passed on cannot be
    told of its end, the attempt is kept and the message waits, for the app to be told later without another POST.
    """
    state, next_attempt_at, finished_at = OutboundMessage.State.WAITING, None, None
    if result.outcome == DELIVERED:
        state, finished_at = OutboundMessage.State.DELIVERED, now
    elif result.outcome in (FOR_GOOD, EXPIRED) or now >= claim.give_up_at:
        state, finished_at = OutboundMessage.State.FAILED, now
    else:
        next_attempt_at = _next_attempt(claim, result, now)
    statement = _RECORD if result.fresh else _SET_STATE
    values = {
        "id": claim.id,
        "claim": claim.number,
        "started_at": started_at,
        "endpoint": result.endpoint[:500],
        "status": result.status,
        "outcome": result.outcome,
        "detail": result.detail.replace("\x00", "")[:2000],
        "state": str(state),
        "next_attempt_at": next_attempt_at,
        "finished_at": finished_at,
        "not_before": _not_before(claim, result, now),
    }

    def keep() -> tuple[Party, ...] | None:
        if sql.fetch(statement, values) is None:
            return None
        if claim.passes_on is None or claim.line is None or finished_at is None:
            return ()
        told = _tell(claim, result, claim.passes_on)
        let_next_go(claim.id, claim.line, claim.recipient, now)
        return told

    if claim.passes_on is None or finished_at is None:
        wakes = keep()
    else:
        try:
            wakes = retried(keep)
        except Exception:
            logger.exception("What became of message %s is told later, for an error of ours.", claim.id)
            pause = min(pause_after(claim.attempts, None), LONGEST_UNTOLD)
            values |= {"state": "waiting", "next_attempt_at": now + pause, "finished_at": None}
            sql.fetch(statement, values)
            return ()
    if wakes is None:
        logger.warning("Message %s was taken over while attempt %s was under way.", claim.id, claim.attempts)
    elif state is OutboundMessage.State.FAILED:
        logger.error("Message %s cannot be delivered: %s", claim.id, result.detail)
    return wakes or ()


def pause_after(attempts: int, retry_after: float | None) -> timedelta:
    """How long to wait after `attempts` attempts in vain, and no shorter than the participant asked for."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return timedelta(seconds=max(pause, retry_after or 0.0))


def _next_attempt(claim: Claim, result: Result, now: datetime) -> datetime:
    """When to try again. A message that is passed on is tried once more shortly before its end, rather than not."""
    if claim.passes_on is None:
        return min(now + pause_after(claim.attempts, result.retry_after), claim.give_up_at)
    paused = now + pause_after(min(claim.attempts, LONGEST_IN_LINE), None)
    at = paused if paused < claim.give_up_at else last_try(claim.give_up_at, now)
    return min(max(at, _not_before(claim, result, now) or at), claim.give_up_at)


def _not_before(claim: Claim, result: Result, now: datetime) -> datetime | None:
    """Until when its recipient asked to wait with a message that is passed on; None without that."""
    if claim.passes_on is None or result.retry_after is None:
        return None
    return now + timedelta(seconds=result.retry_after)


def time_is_over(claim: Claim) -> Result | None:
    """The end of a message that is passed on and may not be posted any more; None as long as it may."""
    if claim.passes_on is None or timezone.now() < claim.give_up_at:
        return None
    last = DeliveryAttempt.objects.filter(message_id=claim.id).order_by("pk").last()
    return Result(EXPIRED, _not_in_time(last), fresh=False)


def settled_before(claim: Claim) -> Result | None:
    """What an earlier POST of a message that is passed on came to, where its app could not be told of it then."""
    if claim.passes_on is None or claim.attempts == 1:
        return None
    ends = DeliveryAttempt.objects.filter(message_id=claim.id, outcome__in=(DELIVERED, FOR_GOOD))
    end = ends.order_by("pk").first()
    return Result(end.outcome, end.detail, end.endpoint, end.status, fresh=False) if end else None


def _tell(claim: Claim, result: Result, inbound_id: int) -> tuple[Party, ...]:
    """Tell the app that had a message passed on what became of it, in the caller's transaction.

    Gives whom to wake deliveries for after the commit. Raises what the app raises.
    """
    inbound = InboundMessage.objects.select_related("sender").defer("sealed").get(pk=inbound_id)
    handler = handler_of(inbound.message_type)
    if handler is None:
        return ()
    role, domain = claim.recipient
    passed = Passed(
        inbound=inbound,
        recipient_role=role,
        recipient_domain=domain,
        delivered=result.outcome == DELIVERED,
        expired=result.outcome in (TEMPORARILY, EXPIRED),
        at=clock.now(),
        endpoint=result.endpoint,
        detail=_not_in_time(result) if result.outcome == TEMPORARILY else result.detail,
    )
    return tuple(handler.passed_on(passed))


def _not_in_time(last: DeliveryAttempt | Result | None) -> str:
    if last is None:
        return "not delivered in time; there was no attempt"
    came = meanings.with_detail(last.detail) if last.status is None else last.detail
    return f"not delivered in time; the last attempt: {came}"
