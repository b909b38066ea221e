"""The screens of received and sent messages, delivery attempts and refused requests."""

from uftp.admin.inbound import InboundMessageAdmin, SenderAdmin
from uftp.admin.outbound import DeliveryAttemptAdmin, OutboundMessageAdmin
from uftp.admin.refusals import RefusalAdmin

__all__ = [
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
]
