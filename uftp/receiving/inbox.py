"""The receipt of a message: stored once, whatever is sent how often."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import sql
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
RETURNING id, sender_id, message_id, content_hash
"""

# One statement, and so one short transaction, stores a message of a sender that is not new. It gives no row for a
# copy, and none for a sender that is not there yet.
_STORE = (
    _INTO
    + """
SELECT uftp_sender.id, %(message_type)s, %(version)s, %(major)s, %(message_id)s, %(conversation_id)s,
    %(content_hash)s, %(sealed)s, %(size)s, %(received_at)s, 'received', '', '', 0, ''
FROM uftp_sender
WHERE uftp_sender.role = %(role)s AND uftp_sender.domain = %(domain)s
"""
    + _ONCE
)

# The same for several messages. It gives no row either for one whose key is none of the participant's own, or not
# valid at the moment. In the order of their hashes, two that store the same messages at once are no deadlock; and one
# that waits for another transaction with the same message gives up soon, for the others' sake.
_STORE_PROVEN = (
    _INTO
    + """
SELECT uftp_sender.id, message.message_type, message.version, message.major::smallint, message.message_id,
    message.conversation_id, message.content_hash, message.sealed, message.size::integer,
    message.received_at::timestamptz, 'received', '', '', 0, ''
FROM unnest(
    %(role)s::text[], %(domain)s::text[], %(message_type)s::text[], %(version)s::text[], %(major)s::text[],
    %(message_id)s::text[], %(conversation_id)s::text[], %(content_hash)s::bytea[], %(sealed)s::bytea[],
    %(size)s::text[], %(received_at)s::text[], %(key)s::bytea[]
) AS message (
    role, domain, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    key
)
JOIN uftp_sender ON uftp_sender.role = message.role AND uftp_sender.domain = message.domain
WHERE EXISTS (
    SELECT FROM participants_publickey AS key
    JOIN participants_participant AS participant ON participant.id = key.participant_id
    WHERE participant.role = message.role AND participant.domain = message.domain AND key.value = message.key
        AND (key.valid_from IS NULL OR key.valid_from <= message.received_at::timestamptz)
        AND (key.valid_until IS NULL OR key.valid_until > message.received_at::timestamptz)
) AND (SELECT set_config('lock_timeout', '250ms', true)) IS NOT NULL
ORDER BY message.content_hash
"""
    + _ONCE
)

_LONGEST_VERSION = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message is stored; `copy` where it was there before."""

    inbound_id: int
    sender_id: int
    copy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A verified and valid message as it came; `sealed` is the signature and `content`, the inner XML."""

    role: str
    domain: str
    sealed: bytes
    content: bytes
    header: Header
    major: int
    received_at: datetime


def receive(arrived: Arrived) -> Receipt:
    """Store a message, durably once the caller's transaction (or this statement) is committed.

    A message with the same sender, MessageID and content as an earlier one is not stored again (docs/rules.md M11).
    """
    values = _values(arrived)
    stored = sql.fetch(_STORE, values)
    if stored is None:
        Sender.objects.get_or_create(role=arrived.role, domain=arrived.domain)
        stored = sql.fetch(_STORE, values)
    if stored is not None:
        return Receipt(stored[0], stored[1], copy=False)
    earlier = InboundMessage.objects.values_list("id", "sender_id").get(
        sender__role=arrived.role,
        sender__domain=arrived.domain,
        message_id=values["message_id"],
        content_hash=values["content_hash"],
    )
    return Receipt(earlier[0], earlier[1], copy=True)


def receive_proven(proven: Sequence[tuple[Arrived, bytes]]) -> list[Receipt | None]:
    """Store messages as `receive` does, in one statement, each if its key is valid for its sender at its receipt.

    The key, which has verified the message, has to be configured for the participant. None, with nothing stored,
    for one where it is not, or where there is anything else to be done than to store: a copy, also of another of
    `proven`, or a sender whose first message this is.
    """
    messages = [{**_values(arrived), "key": key} for arrived, key in proven]
    first: dict[tuple[str, bytes], int] = {}
    for number, message in enumerate(messages):
        first.setdefault((message["message_id"], message["content_hash"]), number)
    chosen = [messages[number] for number in first.values()]
    columns = {
        name: sql.blobs(each[name] for each in chosen)
        if isinstance(value, bytes)
        else sql.texts(str(each[name]) for each in chosen)
        for name, value in chosen[0].items()
    }
    rows = sql.fetch_all(_STORE_PROVEN, columns)
    receipts: list[Receipt | None] = [None] * len(messages)
    for inbound_id, sender_id, message_id, content_hash in rows:
        receipts[first[message_id, content_hash]] = Receipt(inbound_id, sender_id, copy=False)
    return receipts


def _values(arrived: Arrived) -> dict[str, Any]:
    header = arrived.header
    return {
        "role": arrived.role,
        "domain": arrived.domain,
        "message_type": header.message_type,
        "version": header.version[:_LONGEST_VERSION],
        "major": arrived.major,
        "message_id": header.message_id.lower(),
        "conversation_id": header.conversation_id,
        "content_hash": hashlib.sha256(arrived.content).digest(),
        "sealed": arrived.sealed,
        "size": len(arrived.content),
        "received_at": arrived.received_at,
    }
