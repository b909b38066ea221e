"""The words in which a message is rejected, or accepted with a warning (docs/protocol-support.md, "Reasons").

The same words for all versions. No one may match on them, but people read them.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

NAMED_AT_MOST = 20


class Reason(StrEnum):
    """Every RejectionReason that this CRO gives."""

    MISMATCH_SENDER = "Mismatch SenderDomain"
    INVALID_ROLE = "Invalid SenderRole"
    BARRED = "Barred Sender"
    UNAUTHORIZED = "Unauthorized"
    UNKNOWN_RECIPIENT = "Unknown RecipientDomain"
    INVALID_MESSAGE = "Invalid Message"
    DUPLICATE_IDENTIFIER = "Duplicate Identifier"
    TIME_ZONE = "TimeZone rejected"
    PERIOD = "Period out of bounds"
    SUBORDINATE_SEQUENCE = "Subordinate sequence number"
    NO_CONNECTIONS = "No connections available"
    CONNECTION_CONFLICT = "Connection conflict"
    UNKNOWN_CONTRACT = "Unknown reference ContractID"
    INVALID_CONGESTION_POINT = "Invalid CongestionPoint"
    ISP_DURATION = "ISP duration rejected"
    ISPS = "ISPs out of bounds"
    ISP_CONFLICT = "ISP conflict"
    DEADLINE = "Deadline expired"
    POWER = "Power value rejection"
    UNDELIVERABLE = "Undeliverable"


def named(reason: str, names: Sequence[str], detail: str = "", *, total: int | None = None) -> str:
    """`reason` about the things in `names`, as `reason: a, b and 7 more detail`.

    Names at most 20 of them and counts the rest; `total` is how many there are where `names` holds only the first
    of them. Without names, `detail` follows the colon; without both, the reason
    stands alone.
    """
    shown = ", ".join(names[:NAMED_AT_MOST])
    hidden = (len(names) if total is None else total) - min(len(names), NAMED_AT_MOST)
    if hidden > 0:
        shown = f"{shown} and {hidden} more"
    about = " ".join(part for part in (shown, detail) if part)
    return f"{reason}: {about}" if about else str(reason)


def join(reasons: Iterable[str]) -> str:
    """All `reasons` in one RejectionReason, each once, in the order given."""
    return "; ".join(dict.fromkeys(str(reason) for reason in reasons))


def warning(texts: Iterable[str]) -> str:
    """The RejectionReason of a message that is accepted, but not quite as it was sent."""
    return f"Warning: {join(texts)}"
