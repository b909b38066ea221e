"""The receipt of messages. A message is stored once, even if copies of it come."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from common import sql
from participants.admission import check_room
from participants.models import Participant
from uftp.models import InboundMessage, Sender
from uftp.protocol.parsing import Header

_INTO = """
INSERT INTO uftp_inboundmessage (
    sender_id, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    state, result, reason, attempts, last_error
)
"""

_ONCE = """
ON CONFLICT (sender_id, message_id, content_hash) DO NOTHING
RETURNING id, sender_id
"""

_MESSAGE = """
SELECT uftp_sender.id, %(message_type)s, %(version)s, %(major)s, %(message_id)s, %(conversation_id)s,
    %(content_hash)s, %(sealed)s, %(size)s, %(received_at)s, 'received', '', '', 0, ''
FROM uftp_sender
WHERE uftp_sender.role = %(role)s AND uftp_sender.domain = %(domain)s
"""

_KEY_IS_VALID = """
AND EXISTS (
    SELECT FROM participants_publickey AS key
    JOIN participants_participant AS participant ON participant.id = key.participant_id
    WHERE participant.role = %(role)s AND participant.domain = %(domain)s AND key.value = %(key)s
        AND (key.valid_from IS NULL OR key.valid_from <= %(received_at)s)
        AND (key.valid_until IS NULL OR key.valid_until > %(received_at)s)
)
"""

# Store a message of a known Sender in one statement, which is one short transaction. It returns no row for a copy, and
# no row for a new sender.
_STORE = _INTO + _MESSAGE + _ONCE

# The same, but it also returns no row if the key is not configured for the participant or not valid at the receipt.
_STORE_WITH_KEY = _INTO + _MESSAGE + _KEY_IS_VALID + _ONCE

_LONGEST_VERSION = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ids of a stored message and its Sender.

    `copy` is True if the message was stored before, and `set_aside` if it is set aside since.
    """

    inbound_id: int
    sender_id: int
    copy: bool
    set_aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedMessage:
    """A verified and valid message. `content` is the inner XML, `sealed` is the signature and the inner XML."""

    role: str
    domain: str
    sealed: bytes
    content: bytes
    header: Header
    major: int
    received_at: datetime


def store(message: VerifiedMessage) -> Receipt:
    """Store a message in the caller's transaction, or else in one statement.

    A copy of an earlier message, with the same sender, MessageID and content, is not stored (docs/rules.md M11).
    """
    values = _values(message)
    stored = sql.fetch(_STORE, values)
    if stored is None:
        Sender.objects.get_or_create(role=message.role, domain=message.domain)
        stored = sql.fetch(_STORE, values)
    if stored is not None:
        return Receipt(stored[0], stored[1], copy=False)
    inbound_id, sender_id, state = InboundMessage.objects.values_list("id", "sender_id", "state").get(
        sender__role=message.role,
        sender__domain=message.domain,
        message_id=values["message_id"],
        content_hash=values["content_hash"],
    )
    return Receipt(inbound_id, sender_id, copy=True, set_aside=state == InboundMessage.State.SET_ASIDE)


def check_room_of(role: str, domain: str) -> None:
    """Check that a message of a sender that is not registered may be stored, as closed mode registers none.

    Raises:
        TooManyDiscovered: It is a new sender, and there are too many that are not registered.
    """
    if Sender.objects.filter(role=role, domain=domain).exists():
        return
    registered = Participant.objects.filter(role=OuterRef("role"), domain=OuterRef("domain"))
    unregistered = Sender.objects.exclude(Exists(registered))
    check_room(domain, unregistered, unregistered)


def store_with_key(message: VerifiedMessage, key: bytes) -> Receipt | None:
    """Store a message as `store` does, if the key that verified it is configured and valid at its receipt.

    Returns:
        The receipt. None, with nothing stored, if the key is not valid, if the message is a copy, or if it is the
        first of its sender.
    """
    stored = sql.fetch(_STORE_WITH_KEY, {**_values(message), "key": key})
    return Receipt(stored[0], stored[1], copy=False) if stored else None


def _values(message: VerifiedMessage) -> dict[str, Any]:
    header = message.header
    return {
        "role": message.role,
        "domain": message.domain,
        "message_type": header.message_type,
        "version": header.version[:_LONGEST_VERSION],
        "major": message.major,
        "message_id": header.message_id.lower(),
        "conversation_id": header.conversation_id,
        "content_hash": hashlib.sha256(message.content).digest(),
        "sealed": message.sealed,
        "size": len(message.content),
        "received_at": message.received_at,
    }
