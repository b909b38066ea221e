"""The parser of the message endpoint. It turns the body of a request into a SignedMessage."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from uftp.protocol.envelopes import open_envelope
from uftp.protocol.messages import SignedMessage
from uftp.protocol.parsing import InvalidXML
from uftp.receiving.exceptions import PIECE, Refused
from uftp.receiving.refusals import SAMPLE_BYTES


class SignedMessageParser(BaseParser):
    """Reads a body by its Content-Length, which has been checked, and parses the envelope."""

    media_type = "text/xml"

    def parse(  # type: ignore[override]
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> SignedMessage:
        """Return the envelope with its Body decoded.

        Raises:
            Refused: 400.
        """
        assert parser_context is not None
        body = _read(stream, int(parser_context["request"].META["CONTENT_LENGTH"]))
        try:
            return open_envelope(body)
        except InvalidXML as wrong:
            raise Refused(
                400, f"SignedMessage: {wrong}", body_sample=body[:SAMPLE_BYTES] + body[-SAMPLE_BYTES:]
            ) from None


def _read(stream: IO[bytes], length: int) -> bytes:
    """Read `length` bytes of the body. Raises Refused (400) if it is shorter."""
    body = stream.read(length)
    if len(body) == length:
        return body
    pieces = [body]
    missing = length - len(body)
    while missing and (piece := stream.read(min(missing, PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise Refused(400, f"the body ends {missing} bytes before its Content-Length")
    return b"".join(pieces)
