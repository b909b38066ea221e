"""The results of delivery attempts: they are stored, and set the next state of the message.

If the message is passed on (uftp/delivery/forwarding.py), its handler gets the final result in the transaction that
records it.
"""

import logging
import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils import timezone

from common import clock, sql
from common.retry import retried
from uftp import meanings
from uftp.delivery import circuits
from uftp.delivery.leases import Lease
from uftp.delivery.ordering import last_try, release_next, release_only_tries, stop_earlier
from uftp.handlers import Party, PassOnResult, handler_for
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage

logger = logging.getLogger(__name__)

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0)
"""Pause in seconds after the first, second … failed attempt. The last one repeats. Jitter is added to each."""

MAX_PAUSE_IN_LINE = 4
"""After so many attempts, the pause of a message that is passed on grows no more: later messages wait behind it."""

JITTER = 0.2

MAX_UNREPORTED = timedelta(minutes=10)
"""Maximum pause before the result is reported to the handler again, if that has failed."""

_STORE_ATTEMPT = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, endpoint, status, outcome, detail)
VALUES (%(id)s, %(started_at)s, %(endpoint)s, %(status)s, %(outcome)s, %(detail)s)
"""

_SET_STATE = """
UPDATE uftp_outboundmessage
SET state = %(state)s, next_attempt_at = %(next_attempt_at)s, finished_at = %(finished_at)s, claimed_until = NULL,
    not_before = %(not_before)s
WHERE id = %(id)s AND state = 'waiting' AND claims = %(lease)s
RETURNING id
"""

# The attempt is stored in any case. The state of the message changes only if no worker has leased it since.
_RECORD = f"WITH attempt AS ({_STORE_ATTEMPT}) {_SET_STATE}"

DELIVERED, TEMPORARILY, FOR_GOOD = "delivered", "temporary", "permanent"
EXPIRED = "expired"
"""A message that is passed on was not delivered in time. No DeliveryAttempt has this outcome."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of a delivery attempt.

    Attributes:
        outcome: DELIVERED, TEMPORARILY, FOR_GOOD or EXPIRED.
        detail: The reply, or why there was none.
        endpoint: The URL that was posted to. Empty if there was none.
        status: The HTTP status, or None without a reply.
        retry_after: Seconds that the recipient asked to wait, or None.
        reached: Whether the participant's system replied at all.
        is_new_attempt: False if no POST was made, so that no DeliveryAttempt is stored.
        wakes: Parties for whom messages were stored or became due when the result was recorded.
    """

    outcome: str
    detail: str
    endpoint: str = ""
    status: int | None = None
    retry_after: float | None = None
    reached: bool = True
    is_new_attempt: bool = True
    wakes: tuple[Party, ...] = ()


def record(lease: Lease, result: AttemptResult, started_at: datetime, now: datetime) -> tuple[Party, ...]:
    """Store the attempt, and set the message's state: delivered, failed, or waiting for the next attempt.

    If the message is passed on and its handler fails with the final result, the attempt is stored and the message
    waits. The handler gets the result later, without another POST.

    Returns:
        The parties for whom messages were stored or became due. They are delivered after the commit.
    """
    if result.outcome == FOR_GOOD and result.is_new_attempt:
        next_trial_at = circuits.open_after_refusal(lease.recipient, lease.id, result.detail[:2000], now)
        if next_trial_at is None:
            logger.warning("Messages to %s %s are tried one at a time: it refused one.", *lease.recipient)
        result = _temporary_if_open(lease, result, next_trial_at, now)
    if result.outcome == DELIVERED and lease.trial and circuits.close(lease.recipient):
        logger.info("Messages to %s %s are delivered as before: it took one again.", *lease.recipient)
    return _record(lease, result, started_at, now)


def _temporary_if_open(
    lease: Lease, result: AttemptResult, next_trial_at: datetime | None, now: datetime
) -> AttemptResult:
    """Return the result of a permanent refusal: temporary if the circuit breaker was open and the message is passed on.

    To end such a message would undo what it is about (docs/rules.md F13). So it waits for a later trial, until its time
    is over.
    """
    if next_trial_at is None or lease.passes_on is None:
        return result
    return replace(result, outcome=TEMPORARILY, retry_after=(next_trial_at - now).total_seconds())


def _record(lease: Lease, result: AttemptResult, started_at: datetime, now: datetime) -> tuple[Party, ...]:
    state, next_attempt_at, finished_at = OutboundMessage.State.WAITING, None, None
    if result.outcome == DELIVERED:
        state, finished_at = OutboundMessage.State.DELIVERED, now
    elif result.outcome in (FOR_GOOD, EXPIRED) or now >= lease.give_up_at:
        state, finished_at = OutboundMessage.State.FAILED, now
    else:
        next_attempt_at = _next_attempt(lease, result, now)
    statement = _RECORD if result.is_new_attempt else _SET_STATE
    values = {
        "id": lease.id,
        "lease": lease.number,
        "started_at": started_at,
        "endpoint": result.endpoint[:500],
        "status": result.status,
        "outcome": result.outcome,
        "detail": result.detail.replace("\x00", "")[:2000],
        "state": str(state),
        "next_attempt_at": next_attempt_at,
        "finished_at": finished_at,
        "not_before": _not_before(lease, result, now),
    }

    def store() -> tuple[Party, ...] | None:
        if sql.fetch(statement, values) is None:
            return None
        if lease.passes_on is None or lease.sender_id is None:
            return ()
        if finished_at is None:
            release_only_tries(lease.id, lease.sender_id, lease.recipient, now)
            return ()
        if lease.has_earlier and result.outcome == DELIVERED:
            stop_earlier(lease.id, lease.sender_id, lease.recipient, lease.give_up_at)
        parties = _report_to_handler(lease, result, lease.passes_on)
        release_next(lease.id, lease.sender_id, lease.recipient, now)
        return parties

    if lease.passes_on is None or finished_at is None:
        wakes = store()
    else:
        try:
            wakes = retried(store)
        except Exception:
            logger.exception(
                "The result of message %s is reported to its handler later: internal error.", lease.id
            )
            pause = min(pause_after(lease.attempts, None), MAX_UNREPORTED)
            values |= {"state": "waiting", "next_attempt_at": now + pause, "finished_at": None}
            sql.fetch(statement, values)
            return ()
    if wakes is None:
        logger.warning("Message %s was taken over while attempt %s was under way.", lease.id, lease.attempts)
    elif state is OutboundMessage.State.FAILED:
        logger.error("Message %s cannot be delivered: %s", lease.id, result.detail)
    return wakes or ()


def pause_after(attempts: int, retry_after: float | None) -> timedelta:
    """Return the pause after `attempts` failed attempts. It is at least `retry_after` seconds."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return timedelta(seconds=max(pause, retry_after or 0.0))


def _next_attempt(lease: Lease, result: AttemptResult, now: datetime) -> datetime:
    """Return the moment of the next attempt. A message that is passed on gets a last one shortly before its end."""
    if lease.passes_on is None:
        return min(now + pause_after(lease.attempts, result.retry_after), lease.give_up_at)
    paused = now + pause_after(min(lease.attempts, MAX_PAUSE_IN_LINE), None)
    at = paused if paused < lease.give_up_at else last_try(lease.give_up_at, now)
    return min(max(at, _not_before(lease, result, now) or at), lease.give_up_at)


def _not_before(lease: Lease, result: AttemptResult, now: datetime) -> datetime | None:
    """Return the moment until which the recipient of a message that is passed on asked to wait, or None."""
    if lease.passes_on is None or result.retry_after is None:
        return None
    return now + timedelta(seconds=result.retry_after)


def expired_result(lease: Lease) -> AttemptResult | None:
    """Return the result EXPIRED for a message that is passed on if it may no longer be posted, or None."""
    if lease.passes_on is None or timezone.now() < lease.give_up_at:
        return None
    last = DeliveryAttempt.objects.filter(message_id=lease.id).order_by("pk").last()
    return AttemptResult(EXPIRED, _expiry_text(last), is_new_attempt=False)


def earlier_result(lease: Lease) -> AttemptResult | None:
    """Return the final result of an earlier POST of a message that is passed on, or None.

    There is one if its handler failed with it then.
    """
    if lease.passes_on is None or lease.attempts == 1:
        return None
    final = DeliveryAttempt.objects.filter(message_id=lease.id, outcome__in=(DELIVERED, FOR_GOOD))
    if lease.resent_at is not None:
        final = final.filter(started_at__gte=lease.resent_at)
    first = final.order_by("pk").first()
    if first is None:
        return None
    return AttemptResult(first.outcome, first.detail, first.endpoint, first.status, is_new_attempt=False)


def _report_to_handler(lease: Lease, result: AttemptResult, inbound_id: int) -> tuple[Party, ...]:
    """Call the handler of a message that was passed on with the final result, in the caller's transaction.

    Returns:
        The parties whose deliveries are to be woken after the commit.

    Raises:
        Exception: Whatever the handler raises.
    """
    inbound = InboundMessage.objects.select_related("sender").defer("sealed").get(pk=inbound_id)
    handler = handler_for(inbound.message_type)
    if handler is None:
        return ()
    role, domain = lease.recipient
    passed = PassOnResult(
        inbound=inbound,
        recipient_role=role,
        recipient_domain=domain,
        delivered=result.outcome == DELIVERED,
        expired=result.outcome in (TEMPORARILY, EXPIRED),
        at=clock.now(),
        endpoint=result.endpoint,
        detail=_expiry_text(result) if result.outcome == TEMPORARILY else result.detail,
    )
    return tuple(handler.on_passed_on(passed))


def _expiry_text(last: DeliveryAttempt | AttemptResult | None) -> str:
    if last is None:
        return "not delivered in time; there was no attempt"
    reply = meanings.with_detail(last.detail) if last.status is None else last.detail
    return f"not delivered in time; the last attempt: {reply}"
