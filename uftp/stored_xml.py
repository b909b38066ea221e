"""The inner XML of stored messages, read in pieces."""

from collections.abc import Iterator
from typing import LiteralString

from common import sql
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.sealing import SIGNATURE_BYTES

PIECE_BYTES = 4_000_000

# Return one piece of the signed bytes. The others are not sent by the database.
_PIECE: dict[type[InboundMessage] | type[OutboundMessage], LiteralString] = {
    InboundMessage: """
        SELECT substring(sealed FROM %(first)s::int FOR %(length)s::int)
        FROM uftp_inboundmessage WHERE id = %(id)s
    """,
    OutboundMessage: """
        SELECT substring(sealed FROM %(first)s::int FOR %(length)s::int)
        FROM uftp_outboundmessage WHERE id = %(id)s
    """,
}


def read(message: InboundMessage | OutboundMessage, start: int, length: int) -> bytes:
    """Return at most `length` bytes of the inner XML of `message`, from byte `start` on, counted from 0."""
    found = sql.fetch(
        _PIECE[type(message)],
        {"id": message.pk, "first": SIGNATURE_BYTES + start + 1, "length": length},
    )
    return bytes(found[0]) if found else b""


def pieces(message: InboundMessage | OutboundMessage) -> Iterator[bytes]:
    """Yield the whole inner XML in pieces of PIECE_BYTES."""
    for start in range(0, message.size, PIECE_BYTES):
        yield read(message, start, PIECE_BYTES)
