"""The inner XML of stored messages, read a piece at a time."""

from collections.abc import Iterator
from typing import LiteralString

from common import sql
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.sealing import SIGNATURE_BYTES

PIECE_BYTES = 4_000_000

# One piece of the signed bytes; the rest stays with the server.
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
    """At most `length` bytes of the message's inner XML from byte `start` on, counted from 0."""
    found = sql.fetch(
        _PIECE[type(message)],
        {"id": message.pk, "first": SIGNATURE_BYTES + start + 1, "length": length},
    )
    return bytes(found[0]) if found else b""


def pieces(message: InboundMessage | OutboundMessage) -> Iterator[bytes]:
    """The whole inner XML, PIECE_BYTES at a time."""
    for start in range(0, message.size, PIECE_BYTES):
        yield read(message, start, PIECE_BYTES)
