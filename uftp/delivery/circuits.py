"""The circuit breaker of a recipient (docs/rules.md M15): after a permanent refusal one message at a time is tried.

One fault in a participant's system must not end every message that waits for it. The state is in the database, one row
for each recipient that has refused a message. A row lock makes workers agree. `uftp/delivery/leases.py` reads the
state, `uftp/delivery/attempts.py` changes it.
"""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from common import sql
from uftp.delivery.ordering import LAST_TRY_BEFORE_END
from uftp.handlers import Party
from uftp.models import CircuitBreaker, OutboundMessage

TRIAL_PAUSES = (5.0, 30.0, 120.0, 600.0)
"""Pause in seconds before the next trial, after the second, third … refusal in a row. The last one repeats."""

# The first refusal opens it, and the next message is tried at once. Each further refusal makes the pause longer.
_OPEN = """
INSERT INTO uftp_circuitbreaker AS circuit (
    role, domain, state, opened_at, refusals, next_trial_at, message_id, detail
)
VALUES (%(role)s, %(domain)s, 'open', %(now)s, 1, %(now)s, %(message)s, %(detail)s)
ON CONFLICT (role, domain) DO UPDATE
SET state = 'open',
    opened_at = CASE WHEN circuit.state = 'open' THEN circuit.opened_at ELSE %(now)s END,
    refusals = CASE WHEN circuit.state = 'open' THEN circuit.refusals + 1 ELSE 1 END,
    next_trial_at = CASE
        WHEN circuit.state = 'open' THEN %(now)s + make_interval(
            secs => (%(pauses)s::float8[])[least(circuit.refusals, %(number)s)]
        )
        ELSE %(now)s
    END,
    message_id = CASE WHEN circuit.state = 'open' THEN circuit.message_id ELSE %(message)s END,
    detail = %(detail)s
RETURNING message_id, next_trial_at
"""


def open_after_refusal(recipient: Party, message: int, detail: str, now: datetime) -> datetime | None:
    """Open the circuit breaker after a permanent refusal.

    Of several workers whose messages are refused at the same time, one is the first. The message that opened it stays
    the first if it is refused once more, because its worker died before it recorded the result.

    Args:
        recipient: The recipient.
        message: The id of the refused OutboundMessage.
        detail: The reply.
        now: The present moment, in real time.

    Returns:
        The moment of the next trial if another message has opened it: the refusal is one of several in a row. Else
        None.
    """
    role, domain = recipient
    found = sql.fetch(
        _OPEN,
        {
            "role": role,
            "domain": domain,
            "now": now,
            "message": message,
            "detail": detail,
            "pauses": list(TRIAL_PAUSES),
            "number": len(TRIAL_PAUSES),
        },
    )
    assert found is not None
    first, next_trial_at = found
    return next_trial_at if first != message else None


def close(recipient: Party) -> bool:
    """Close the circuit breaker: all messages are delivered again. Return whether it was open."""
    role, domain = recipient
    opened = CircuitBreaker.objects.filter(role=role, domain=domain, state=CircuitBreaker.State.OPEN)
    return bool(opened.update(state=CircuitBreaker.State.CLOSED))


def resume(recipient: Party, now: datetime) -> bool:
    """Close the circuit breaker, and make the messages due that wait for a later trial. Return whether it was open."""
    role, domain = recipient
    closed = close(recipient)
    if closed:
        OutboundMessage.objects.filter(
            recipient_role=role,
            recipient_domain=domain,
            state=OutboundMessage.State.WAITING,
            passes_on__isnull=False,
            not_before__gt=now,
        ).update(next_attempt_at=now, not_before=None)
    return closed


def open_circuit(recipient: Party) -> CircuitBreaker | None:
    """Return the circuit breaker of a recipient if it is open, or None."""
    role, domain = recipient
    return CircuitBreaker.objects.filter(role=role, domain=domain, state=CircuitBreaker.State.OPEN).first()


def without_paused(due: QuerySet[OutboundMessage], now: datetime) -> QuerySet[OutboundMessage]:
    """Return the messages of `due` without those that wait for the next trial of an open circuit breaker."""
    pausing = CircuitBreaker.objects.filter(
        role=OuterRef("recipient_role"),
        domain=OuterRef("recipient_domain"),
        state=CircuitBreaker.State.OPEN,
        next_trial_at__gt=now,
    )
    near_end = Q(passes_on__isnull=False, give_up_at__lte=now + LAST_TRY_BEFORE_END)
    return due.filter(near_end | ~Exists(pausing))
