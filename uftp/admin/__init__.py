"""The operator's screens for messages in and out, their deliveries, and what was refused at the door."""

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
