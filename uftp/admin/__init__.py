"""The operator's screens for messages in and out, their deliveries, and what was refused at the door."""

from uftp.admin import connectivity_pages, participant_cards
from uftp.admin.inbound import InboundMessageAdmin, SenderAdmin
from uftp.admin.outbound import DeliveryAttemptAdmin, OutboundMessageAdmin
from uftp.admin.refusals import RefusalAdmin

# Each of these modules registers its screens; the first two add to screens of participants.
__all__ = [
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
    "connectivity_pages",
    "participant_cards",
]
