"""Messages that are passed on: the sender's own signed bytes, unchanged, to somebody else than this CRO.

They go out in their sender's name, so that the recipient verifies the sender's signature and answers the sender. The
app that had one passed on is told what became of it, in the transaction that records it. Those of one sender reach a
recipient in the order in which they were passed on (uftp/delivery/ordering.py).
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
    """Store `inbound`, as its sender signed it, in the caller's transaction, to be delivered from its commit on.

    Gives the id of the OutboundMessage. From `until` on it is not posted any more; `until` and `now`, this moment, are
    both on the CRO's clock, while what is due when goes by the real time. What becomes of it is told to `passed_on`
    of the handler of its type (`uftp.handlers.register`).

    Raises IntegrityError where it was passed on to that recipient before.
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


PASSED_ON, ON_ITS_WAY = "Passed on", "Being passed on"

_PASSINGS = OutboundMessage.objects.filter(passes_on=OuterRef("pk"), passes_on__isnull=False).order_by("pk")

IS_PASSED_ON = Q(Exists(_PASSINGS), result=ACCEPTED)
"""Those that were passed on, or are being so, and that this CRO has not answered."""


def with_passing(messages: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
    """`messages`, each with `passing`, the state of its delivery to whom it is passed on; None where it is not."""
    return messages.annotate(passing=Subquery(_PASSINGS.values("state")[:1]))


def with_recipient(messages: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
    """The same, and `passed_on_to`, such as `AGR flex.example`; None where it is not passed on."""
    recipient = Concat("recipient_role", Value(" "), "recipient_domain")
    return with_passing(messages).annotate(
        passed_on_to=Subquery(_PASSINGS.annotate(recipient=recipient).values("recipient")[:1])
    )


def result_in_words(result: str, passing: str | None) -> str:
    """What became of a received message: its result, unless that is up to whom it is passed on to."""
    if passing is None or result != ACCEPTED:
        return result
    return ON_ITS_WAY if passing == OutboundMessage.State.WAITING else PASSED_ON
