"""The texts of RejectionReasons and warnings (docs/protocol-support.md, "Reasons").

They are the same in all versions. People read them. No program may depend on them.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from common.identifiers import odd_character, visible, with_odd_character

MAX_NAMED = 20


class Reason(StrEnum):
    """The RejectionReasons of this CRO."""

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
    """Return `reason` with the items that it is about, such as `reason: a, b and 7 more detail`.

    At most 20 names are listed, the others are counted. Characters other than printable ASCII are shown as `<U+200B>`.
    Without names, `detail` follows the colon. Without names and detail, only the reason is returned.

    Args:
        reason: The RejectionReason.
        names: The names of the items, or only the first of them.
        detail: A text after the names.
        total: The number of items if `names` has only the first of them.
    """
    text = ", ".join(map(visible, names[:MAX_NAMED]))
    others = (len(names) if total is None else total) - min(len(names), MAX_NAMED)
    if others > 0:
        text = f"{text} and {others} more"
    about = " ".join(part for part in (text, detail) if part)
    return f"{reason}: {about}" if about else str(reason)


def of_odd_identifiers(*identifiers: str) -> list[str]:
    """Return the reason against identifiers with a character that they must not have (docs/rules.md E1), if any."""
    odd = [with_odd_character(text) for text in identifiers if odd_character(text)]
    detail = "is not printable ASCII without white space at its ends"
    return [named(Reason.INVALID_MESSAGE, odd, detail)] if odd else []


def join(reasons: Iterable[str]) -> str:
    """Join `reasons` into one RejectionReason, in their order and without repetitions."""
    return "; ".join(dict.fromkeys(str(reason) for reason in reasons))


def warning(texts: Iterable[str]) -> str:
    """Return the RejectionReason of an accepted message with warnings."""
    return f"Warning: {join(texts)}"
