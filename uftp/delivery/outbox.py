"""The outbox: messages to be sent are stored with their signed bytes, in the transaction that causes them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from common import sql
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.messages import Message
from uftp.protocol.rendering import render
from uftp.protocol.sealing import seal

COPY_ANSWER_INTERVAL = timedelta(minutes=1)

_STORE = """
INSERT INTO uftp_outboundmessage (
    recipient_role, recipient_domain, in_reply_to_id, message_type, version, message_id, conversation_id, result,
    reason, sealed, size, created_at, state, attempts, next_attempt_at, give_up_at
)
VALUES (
    %(recipient_role)s, %(recipient_domain)s, %(in_reply_to)s, %(message_type)s, %(version)s, %(message_id)s,
    %(conversation_id)s, %(result)s, %(reason)s, %(sealed)s, %(size)s, %(created_at)s, 'waiting', 0, %(due)s,
    %(give_up_at)s
)
RETURNING id
"""


def enqueue(
    message: Message,
    *,
    message_type: str,
    recipient_role: str,
    now: datetime,
    in_reply_to: int | None = None,
    result: str = "",
    reason: str = "",
) -> int:
    """Render, sign and store `message` in the caller's transaction. It is delivered after the commit.

    Args:
        message: The message.
        message_type: Its message type.
        recipient_role: The role of the recipient. The message has the domain.
        now: The present moment, on the CRO's clock. The message is due by the real time.
        in_reply_to: The id of the InboundMessage that it answers.
        result: The Result of a response.
        reason: The RejectionReason of a response.

    Returns:
        The id of the OutboundMessage.

    Raises:
        ImproperlyConfigured: The CRO has no private key.
    """
    if settings.CRO_SIGNING_KEY is None:
        raise ImproperlyConfigured(
            "CRO_PRIVATE_KEY: set it, or CRO_PRIVATE_KEY_FILE; manage.py generate_key makes one"
        )
    content = render(message)
    due = timezone.now()
    stored = sql.fetch(
        _STORE,
        {
            "recipient_role": recipient_role,
            "recipient_domain": message.metadata.recipient_domain,
            "in_reply_to": in_reply_to,
            "message_type": message_type,
            "version": message.metadata.version,
            "message_id": message.metadata.message_id,
            "conversation_id": message.metadata.conversation_id,
            "result": result,
            "reason": reason,
            "sealed": seal(content, settings.CRO_SIGNING_KEY),
            "size": len(content),
            "created_at": now,
            "due": due,
            "give_up_at": due + timedelta(hours=settings.DELIVERY_RETRY_HOURS),
        },
    )
    assert stored is not None
    outbound_id: int = stored[0]
    return outbound_id


def send_again(messages: Q | OutboundMessage, *, waiting_too: bool = False) -> list[tuple[str, str]]:
    """Have delivered or failed messages delivered again, with the same bytes.

    A message that is passed on is left out: only its sender may send it again.

    Args:
        messages: One message, or a condition on messages.
        waiting_too: Whether a waiting message becomes due at once, unless it is being posted. Otherwise it does not
            change.

    Returns:
        The parties whose deliveries are to be woken after the commit.
    """
    which = Q(pk=messages.pk) if isinstance(messages, OutboundMessage) else messages
    due = timezone.now()
    with transaction.atomic():
        chosen = list(
            OutboundMessage.objects.filter(which, passes_on=None)
            .exclude(leased(due) if waiting_too else Q(state=OutboundMessage.State.WAITING))
            .select_for_update()
            .values_list("pk", "recipient_role", "recipient_domain")
        )
        OutboundMessage.objects.filter(pk__in=[pk for pk, _, _ in chosen]).update(
            state=OutboundMessage.State.WAITING,
            attempts=0,
            next_attempt_at=due,
            claimed_until=None,
            finished_at=None,
            resent_at=due,
            give_up_at=due + timedelta(hours=settings.DELIVERY_RETRY_HOURS),
        )
    return sorted({(role, domain) for _, role, domain in chosen})


def leased(now: datetime) -> Q:
    """Return the condition that a worker is posting the message at `now`, in real time."""
    return Q(state=OutboundMessage.State.WAITING, claimed_until__isnull=False, claimed_until__gt=now)


def resend_response(inbound_id: int, now: datetime) -> list[tuple[str, str]]:
    """Send the stored response of a message again, after a copy of it came at `now` (docs/rules.md M11).

    This happens at most once per COPY_ANSWER_INTERVAL.

    Args:
        inbound_id: The id of the InboundMessage.
        now: The moment of the receipt of the copy.

    Returns:
        The parties whose deliveries are to be woken after the commit.
    """
    with transaction.atomic():
        answerable = InboundMessage.objects.filter(
            Q(last_copy_at__isnull=True) | Q(last_copy_at__lte=now - COPY_ANSWER_INTERVAL), pk=inbound_id
        )
        if not answerable.select_for_update(no_key=True, of=("self",)).values_list("pk"):
            return []
        recipients = send_again(Q(in_reply_to=inbound_id))
        if recipients:
            answerable.update(last_copy_at=now)
        return recipients
