"""The results of delivery attempts: they are stored, and set the next state of the message.

If the message is passed on (uftp/delivery/forwarding.py), its handler gets the final result in the transaction that
records it.
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
"""Pause in seconds after the first, second … failed attempt. The last one repeats. Jitter is added to each."""

LONGEST_IN_LINE = 4
"""For a message that is passed on, the pause is never longer than after so many attempts: later ones wait for it."""

JITTER = 0.2

LONGEST_UNTOLD = timedelta(minutes=10)
"""Maximum pause before the result is reported to the handler again, if that has failed."""

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

# The attempt is stored in any case. The state of the message changes only if no worker has leased it since.
_RECORD = f"WITH attempt AS ({_KEEP_ATTEMPT}) {_SET_STATE}"

DELIVERED, TEMPORARILY, FOR_GOOD = "delivered", "temporary", "permanent"
EXPIRED = "expired"
"""A message that is passed on was not delivered in time. No DeliveryAttempt has this outcome."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a delivery attempt.

    Attributes:
        outcome: DELIVERED, TEMPORARILY, FOR_GOOD or EXPIRED.
        detail: The reply, or why there was none.
        endpoint: The URL that was posted to. Empty if there was none.
        status: The HTTP status, or None without a reply.
        retry_after: Seconds that the recipient asked to wait, or None.
        reached: Whether the participant's system replied at all.
        fresh: False if no POST was made, so that no DeliveryAttempt is stored.
        wakes: Parties for whom messages were stored or became due when the result was recorded.
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
    """Store the attempt, and set the message's state: delivered, failed, or waiting for the next attempt.

    If the message is passed on and its handler fails with the final result, the attempt is stored and the message
    waits. The handler gets the result later, without another POST.

    Returns:
        The parties for whom messages were stored or became due. They are delivered after the commit.
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
    """Return the pause after `attempts` failed attempts. It is at least `retry_after` seconds."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return timedelta(seconds=max(pause, retry_after or 0.0))


def _next_attempt(claim: Claim, result: Result, now: datetime) -> datetime:
    """Return the moment of the next attempt. A message that is passed on gets a last one shortly before its end."""
    if claim.passes_on is None:
        return min(now + pause_after(claim.attempts, result.retry_after), claim.give_up_at)
    paused = now + pause_after(min(claim.attempts, LONGEST_IN_LINE), None)
    at = paused if paused < claim.give_up_at else last_try(claim.give_up_at, now)
    return min(max(at, _not_before(claim, result, now) or at), claim.give_up_at)


def _not_before(claim: Claim, result: Result, now: datetime) -> datetime | None:
    """Return the moment until which the recipient of a message that is passed on asked to wait, or None."""
    if claim.passes_on is None or result.retry_after is None:
        return None
    return now + timedelta(seconds=result.retry_after)


def time_is_over(claim: Claim) -> Result | None:
    """Return the result EXPIRED for a message that is passed on if it may no longer be posted, or None."""
    if claim.passes_on is None or timezone.now() < claim.give_up_at:
        return None
    last = DeliveryAttempt.objects.filter(message_id=claim.id).order_by("pk").last()
    return Result(EXPIRED, _not_in_time(last), fresh=False)


def settled_before(claim: Claim) -> Result | None:
    """Return the final result of an earlier POST of a message that is passed on, or None.

    There is one if its handler failed with it then.
    """
    if claim.passes_on is None or claim.attempts == 1:
        return None
    ends = DeliveryAttempt.objects.filter(message_id=claim.id, outcome__in=(DELIVERED, FOR_GOOD))
    end = ends.order_by("pk").first()
    return Result(end.outcome, end.detail, end.endpoint, end.status, fresh=False) if end else None


def _tell(claim: Claim, result: Result, inbound_id: int) -> tuple[Party, ...]:
    """Call the handler of a message that was passed on with the final result, in the caller's transaction.

    Returns:
        The parties whose deliveries are to be woken after the commit.

    Raises:
        Exception: Whatever the handler raises.
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
