"""The operator's screens for messages in and out, their deliveries, and what was refused at the door."""

from uftp import decision_places, participant_cards, test_message_action
from uftp.inbound_admin import InboundMessageAdmin, SenderAdmin
from uftp.outbound_admin import DeliveryAttemptAdmin, OutboundMessageAdmin
from uftp.refusal_admin import RefusalAdmin

# Each of these modules registers its screens; the first three add to screens of participants.
__all__ = [
    "DeliveryAttemptAdmin",
    "InboundMessageAdmin",
    "OutboundMessageAdmin",
    "RefusalAdmin",
    "SenderAdmin",
    "decision_places",
    "participant_cards",
    "test_message_action",
]
