"""Messages that are passed on: the sender's signed bytes, unchanged, to another participant.

The envelope has the sender's name. So the recipient verifies the sender's signature and answers the sender. The
handler of the message gets the result, in the transaction that records it. Messages of one sender reach a recipient in
the order in which they were passed on (uftp/delivery/ordering.py).
"""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.utils import timezone

from common import sql
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.messages import ACCEPTED

_STORE = """
INSERT INTO uftp_outboundmessage (
    recipient_role, recipient_domain, passes_on_id, sealed_by_id, message_type, version, message_id, conversation_id,
    result, reason, sealed, size, created_at, state, attempts, next_attempt_at, give_up_at
)
SELECT %(recipient_role)s, %(recipient_domain)s, id, sender_id, message_type, version, message_id, conversation_id,
    '', '', sealed, size, %(created_at)s, 'waiting', 0, %(due)s, %(give_up_at)s
FROM uftp_inboundmessage
WHERE id = %(inbound)s
RETURNING id
"""


def pass_on(
    inbound: InboundMessage, *, recipient_role: str, recipient_domain: str, until: datetime, now: datetime
) -> int:
    """Store `inbound` as its sender signed it, in the caller's transaction. It is delivered after the commit.

    The handler of its type gets the result (`on_passed_on` of `uftp.handlers.register`).

    Args:
        inbound: The message to pass on.
        recipient_role: The role of the recipient.
        recipient_domain: The domain of the recipient.
        until: The moment from which it is not posted any more, on the CRO's clock.
        now: The present moment, on the CRO's clock. The message is due by the real time.

    Returns:
        The id of the OutboundMessage.

    Raises:
        IntegrityError: It was passed on to this recipient before.
    """
    due = timezone.now()
    stored = sql.fetch(
        _STORE,
        {
            "inbound": inbound.pk,
            "recipient_role": recipient_role,
            "recipient_domain": recipient_domain,
            "created_at": now,
            "due": due,
            "give_up_at": due + (until - now),
        },
    )
    assert stored is not None
    outbound_id: int = stored[0]
    return outbound_id


def pass_on_again(
    inbound_id: int, *, recipient_role: str, recipient_domain: str, until: datetime, now: datetime
) -> bool:
    """Have a message that was passed on in vain passed on again, in the caller's transaction.

    It is delivered after the commit, after the messages of its sender that wait and were passed on before it. Its
    handler gets the new result.

    Args:
        inbound_id: The id of the InboundMessage.
        recipient_role: The role of the recipient.
        recipient_domain: The domain of the recipient.
        until: The moment from which it is not posted any more, on the CRO's clock.
        now: The present moment, on the CRO's clock. The message is due by the real time.

    Returns:
        Whether there was such a message. One that waits or is delivered does not change.
    """
    due = timezone.now()
    failed = OutboundMessage.objects.filter(
        passes_on=inbound_id,
        recipient_role=recipient_role,
        recipient_domain=recipient_domain,
        state=OutboundMessage.State.FAILED,
    )
    return bool(
        failed.update(
            state=OutboundMessage.State.WAITING,
            attempts=0,
            next_attempt_at=due,
            not_before=None,
            claimed_until=None,
            finished_at=None,
            resent_at=due,
            give_up_at=due + (until - now),
        )
    )


PASSED_ON, BEING_PASSED_ON = "Passed on", "Being passed on"

_PASSINGS = OutboundMessage.objects.filter(passes_on=OuterRef("pk"), passes_on__isnull=False).order_by("pk")

IS_PASSED_ON = Q(Exists(_PASSINGS), result=ACCEPTED)
"""Condition on InboundMessage: it was or is being passed on, and this CRO has not answered it."""


def with_passing(messages: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
    """Annotate each message with `passing`: the state of its delivery if it is passed on, or None."""
    return messages.annotate(passing=Subquery(_PASSINGS.values("state")[:1]))


def with_recipient(messages: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
    """Annotate each message with `passing`, and with `passed_on_to`, such as `AGR flex.example`, or None."""
    recipient = Concat("recipient_role", Value(" "), "recipient_domain")
    return with_passing(messages).annotate(
        passed_on_to=Subquery(_PASSINGS.annotate(recipient=recipient).values("recipient")[:1])
    )


def result_in_words(result: str, passing: str | None) -> str:
    """Return the result of a received message, or how far it is passed on if this CRO has not answered it."""
    if passing is None or result != ACCEPTED:
        return result
    return BEING_PASSED_ON if passing == OutboundMessage.State.WAITING else PASSED_ON
