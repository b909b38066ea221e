"""The responses to requests, in the version of the request."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from uftp.delivery import outbox
from uftp.handlers import Handler, Incoming, Outcome, handler_for
from uftp.models import InboundMessage
from uftp.processing import checks
from uftp.protocol import messages, reasons
from uftp.protocol.messages import Message, Metadata
from uftp.protocol.versions import for_major

_RESPONSES: dict[str, type[Message]] = {
    "AGRPortfolioUpdate": messages.AGRPortfolioUpdateResponse,
    "AGRPortfolioQuery": messages.AGRPortfolioQueryResponse,
    "DSOPortfolioUpdate": messages.DSOPortfolioUpdateResponse,
    "DSOPortfolioQuery": messages.DSOPortfolioQueryResponse,
    "FlexReservationUpdate": messages.FlexReservationUpdateResponse,
    "TestMessage": messages.TestMessageResponse,
}


@dataclass(frozen=True, slots=True)
class PreparedResponse:
    """A response, with the values that are stored beside its bytes."""

    message: Message
    message_type: str
    result: str
    reason: str


def accepted_response(incoming: Incoming, outcome: Outcome, now: datetime) -> PreparedResponse:
    """Return the Accepted response, with `now` as its TimeStamp."""
    reason = reasons.warning(outcome.warnings) if outcome.warnings else ""
    return _response(incoming, messages.ACCEPTED, reason, outcome.fields, now)


def rejected_response(
    incoming: Incoming, why: Iterable[str], handler: Handler | None, now: datetime
) -> PreparedResponse:
    """Return the Rejected response with the reasons `why`, and with `now` as its TimeStamp."""
    fields = handler.rejected_fields(incoming) if handler else {}
    return _response(incoming, messages.REJECTED, reasons.join(why), fields, now)


def enqueue_response(response: PreparedResponse, incoming: Incoming) -> None:
    """Store a response to the sender of the envelope, in the caller's transaction."""
    outbox.enqueue(
        response.message,
        message_type=response.message_type,
        recipient_role=incoming.inbound.sender.role,
        now=response.message.metadata.time_stamp,
        in_reply_to=incoming.inbound.pk,
        result=response.result,
        reason=response.reason,
    )


def reject_later(inbound: InboundMessage, why: Iterable[str], now: datetime) -> None:
    """Reject, in the caller's transaction, a message that was accepted and that another participant should answer.

    The response is delivered after the commit. Call `uftp.wakeups.wakeups.wake_outbox` for the sender then to deliver
    it at once.

    Args:
        inbound: The message.
        why: The reasons.
        now: The TimeStamp of the response.

    Raises:
        ValueError: The message is not handled yet, was rejected, or was answered.
    """
    accepted_so_far = InboundMessage.objects.filter(
        pk=inbound.pk, state=InboundMessage.State.PROCESSED, result=messages.ACCEPTED, replies=None
    )
    if not accepted_so_far.exists():
        raise ValueError(
            f"{inbound} (id {inbound.pk}) is not one that was accepted and left without an answer"
        )
    incoming = checks.parse_message(inbound, inbound.content).incoming
    response = rejected_response(incoming, why, handler_for(inbound.message_type), now)
    enqueue_response(response, incoming)
    InboundMessage.objects.filter(pk=inbound.pk).update(result=response.result, reason=response.reason)


def _response(
    incoming: Incoming, result: str, reason: str, fields: Mapping[str, Any], now: datetime
) -> PreparedResponse:
    inbound, header = incoming.inbound, incoming.header
    response_type = f"{inbound.message_type}Response"
    metadata = Metadata(
        version=for_major(inbound.major, header.version).name,
        sender_domain=settings.CRO_DOMAIN,
        recipient_domain=inbound.sender.domain,
        time_stamp=now,
        message_id=str(uuid.uuid4()),
        conversation_id=header.conversation_id,
    )
    common: dict[str, Any] = {
        "metadata": metadata,
        "result": result,
        "rejection_reason": reason or None,
        "reference_message_id": header.message_id,
    }
    known = _RESPONSES.get(inbound.message_type)
    message = (
        known(**common, **fields)
        if known
        else messages.OtherResponse(message_type=response_type, **common, **fields)
    )
    return PreparedResponse(message, response_type, result, reason)
