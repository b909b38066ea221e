"""The screens of messages, delivery attempts, paused recipients, refused requests and unknown senders."""

from uftp.admin.attempts import DeliveryAttemptAdmin
from uftp.admin.circuits import CircuitBreakerAdmin
from uftp.admin.inbound import InboundMessageAdmin, SenderAdmin
from uftp.admin.message_searches import MessageSearchAdmin
from uftp.admin.outbound import OutboundMessageAdmin
from uftp.admin.refusals import RefusalAdmin
from uftp.admin.unknown_senders import UnknownSenderAdmin

__all__ = [
    "CircuitBreakerAdmin",
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "MessageSearchAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
    "UnknownSenderAdmin",
]
