"""The screens of received and sent messages, delivery attempts, refused requests and unknown senders."""

from uftp.admin.inbound import InboundMessageAdmin, SenderAdmin
from uftp.admin.outbound import DeliveryAttemptAdmin, OutboundMessageAdmin
from uftp.admin.refusals import RefusalAdmin
from uftp.admin.unknown_senders import UnknownSenderAdmin

__all__ = [
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
    "UnknownSenderAdmin",
]
