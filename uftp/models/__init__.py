"""The tables of messages: received, to be sent, refused, searched."""

from uftp.models.deliveries import CircuitBreaker, DeliveryAttempt, OutboundMessage
from uftp.models.messages import InboundMessage, Sender
from uftp.models.refusals import OtherUnknownSenders, Refusal, UnknownSender
from uftp.models.searches import MessageSearch

__all__ = [
    "CircuitBreaker",
    "DeliveryAttempt",
    "InboundMessage",
    "MessageSearch",
    "OtherUnknownSenders",
    "OutboundMessage",
    "Refusal",
    "Sender",
    "UnknownSender",
]
