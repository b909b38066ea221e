"""The receipt of a message: stored once, whatever is sent how often."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from uftp import binary
from uftp.models import InboundMessage, Sender
from uftp.parsing import Header

# One statement, and so one short transaction, stores a message of a sender that is not new. It gives no row for a
# copy, and none for a sender that is not there yet.
_STORE = """
INSERT INTO uftp_inboundmessage (
    sender_id, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    state, result, reason, attempts, last_error
)
SELECT id, %(message_type)s, %(version)s, %(major)s, %(message_id)s, %(conversation_id)s, %(content_hash)s,
    %(sealed)s, %(size)s, %(received_at)s, 'received', '', '', 0, ''
FROM uftp_sender
WHERE role = %(role)s AND domain = %(domain)s
ON CONFLICT (sender_id, message_id, content_hash) DO NOTHING
RETURNING id, sender_id
"""

_LONGEST_VERSION = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message is stored; `copy` where it was there before."""

    inbound_id: int
    sender_id: int
    copy: bool


def receive(
    *,
    role: str,
    domain: str,
    sealed: bytes,
    content: bytes,
    header: Header,
    major: int,
    received_at: datetime,
) -> Receipt:
    """Store a verified and valid message, durably once the caller's transaction (or this statement) is committed.

    `sealed` is the signature and `content`, the inner XML. A message with the same sender, MessageID and content as an
    earlier one is not stored again (docs/rules.md M11).
    """
    content_hash = hashlib.sha256(content).digest()
    message_id = header.message_id.lower()
    values = {
        "role": role,
        "domain": domain,
        "message_type": header.message_type,
        "version": header.version[:_LONGEST_VERSION],
        "major": major,
        "message_id": message_id,
        "conversation_id": header.conversation_id,
        "content_hash": content_hash,
        "sealed": sealed,
        "size": len(content),
        "received_at": received_at,
    }
    stored = binary.fetch(_STORE, values)
    if stored is None:
        Sender.objects.get_or_create(role=role, domain=domain)
        stored = binary.fetch(_STORE, values)
    if stored is not None:
        return Receipt(stored[0], stored[1], copy=False)
    earlier = InboundMessage.objects.values_list("id", "sender_id").get(
        sender__role=role, sender__domain=domain, message_id=message_id, content_hash=content_hash
    )
    return Receipt(earlier[0], earlier[1], copy=True)
