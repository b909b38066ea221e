"""The operator's screens for messages in and out, their deliveries, and what was refused at the door."""

from uftp import participant_cards, test_message_action
from uftp.inbound_admin import InboundMessageAdmin, SenderAdmin
from uftp.outbound_admin import DeliveryAttemptAdmin, OutboundMessageAdmin
from uftp.refusal_admin import RefusalAdmin

# Each of these modules registers its screens; the last two add to the page of a participant.
__all__ = [
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
    "participant_cards",
    "test_message_action",
]
