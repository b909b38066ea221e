"""Received messages that are passed on: taken by this CRO, which is no answer, as their recipient gives that."""

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.messages import ACCEPTED

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
