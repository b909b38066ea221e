"""What the search box of every page finds among messages."""

from participants.admin_base.html import moment
from participants.admin_base.search import Finder
from uftp.models import InboundMessage, OutboundMessage


def _received(row: InboundMessage) -> tuple[str, str]:
    result = row.result or row.get_state_display()
    return str(row), f"of {row.sender}, {moment(row.received_at)}: {result}"


def _sent(row: OutboundMessage) -> tuple[str, str]:
    to = f"to {row.recipient_role} {row.recipient_domain}"
    return str(row), f"{to}, {moment(row.created_at)}: {row.get_state_display()}"


FINDERS = (Finder(7, InboundMessage, _received), Finder(8, OutboundMessage, _sent))
