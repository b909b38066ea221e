"""The connectivity test, in both directions."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from participants.models import Participant
from uftp.delivery import outbox
from uftp.handlers import Incoming, Outcome
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.messages import Metadata, TestMessage
from uftp.protocol.versions import SUPPORTED, supported

USUAL_VERSION = "3.1.0"


def handle_test_message(incoming: Incoming) -> Outcome:
    """Accept a TestMessage. Nothing else is to be done."""
    return Outcome()


def handle_test_response(incoming: Incoming) -> Outcome:
    """Accept the response to a TestMessage of ours. The page of the test finds it by its conversation."""
    return Outcome()


def send_test_message(participant: Participant, now: datetime) -> OutboundMessage:
    """Store a TestMessage to `participant`, in the version of its latest message.

    It is delivered after the commit. Call `uftp.wakeups.wakeups.wake_outbox` then to deliver it at once.

    Args:
        participant: The recipient.
        now: The moment on the CRO's clock.
    """
    outbound_id = outbox.enqueue(
        TestMessage(
            metadata=Metadata(
                version=_version_of(participant),
                sender_domain=settings.CRO_DOMAIN,
                recipient_domain=participant.domain,
                time_stamp=now,
                message_id=str(uuid.uuid4()),
                conversation_id=str(uuid.uuid4()),
            )
        ),
        message_type="TestMessage",
        recipient_role=participant.role,
        now=now,
    )
    return OutboundMessage.objects.defer("sealed").get(pk=outbound_id)


def _version_of(participant: Participant) -> str:
    minors = "|".join(re.escape(name.removesuffix(".0")) for name in SUPPORTED)
    spoken: Mapping[str, Any] | None = (
        InboundMessage.objects.filter(
            sender__role=participant.role,
            sender__domain=participant.domain,
            version__regex=rf"^({minors})\.[0-9]+$",
        )
        .order_by("-id")
        .values("version")
        .first()
    )
    version = supported(spoken["version"]) if spoken else None
    return version.name if version else USUAL_VERSION
