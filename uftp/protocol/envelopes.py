"""The parsing of envelopes: a SignedMessage with its Body (docs/protocol-support.md, "Reading")."""

import binascii
import re
import secrets

from uftp.protocol.messages import SignedMessage
from uftp.protocol.validation import ENVELOPE, InvalidXML, Root, validate
from uftp.protocol.values import WHITE_SPACE

_LARGE_BODY = 1 << 16
_BODY = re.compile(rb"Body\s*=\s*([\"'])")


def open_envelope(body: bytes) -> SignedMessage:
    """Return the SignedMessage in `body`, with its Body decoded. The Body may be shorter than a signature.

    Raises:
        InvalidXML: The envelope is not valid, or its Body is not canonical Base64. White space in it is allowed.
    """
    root, text = _detached(body)
    if text is None:
        root = validate(body, ENVELOPE, longest_tag=len(body))
        text = root.attributes["Body"].encode()
    return SignedMessage(
        sender_domain=root.attributes["SenderDomain"],
        sender_role=root.attributes["SenderRole"],
        body=_decoded(text),
    )


def _detached(body: bytes) -> tuple[Root, bytes | None]:
    """Return the envelope's root and the text of a large Body, cut out before a parser copies it.

    The text is None if the Body is small or cannot be cut out. A regular expression guesses where the Body is. A
    random text replaces it there. If the parser does not find this text as the root's Body, the guess was wrong.
    """
    nowhere = Root("", {})
    opening = _BODY.search(body)
    if opening is None:
        return nowhere, None
    end = body.find(opening.group(1), opening.end())
    if end - opening.end() < _LARGE_BODY or body.find(b"&", opening.end(), end) >= 0:
        return nowhere, None
    stand_in = secrets.token_hex(32)
    root = validate(body[: opening.end()] + stand_in.encode() + body[end:], ENVELOPE)
    if root.attributes["Body"] != stand_in:
        return nowhere, None
    return root, body[opening.end() : end]


def _decoded(text: bytes) -> bytes:
    """Decode canonical Base64. Raises InvalidXML for any other text."""
    compact = text.translate(None, WHITE_SPACE.encode())
    try:
        decoded = binascii.a2b_base64(compact, strict_mode=True)
    except binascii.Error:
        raise InvalidXML("SignedMessage, attribute Body: not Base64") from None
    tail = (len(decoded) - 1) // 3 * 3 if decoded else 0
    if len(compact) != (len(decoded) + 2) // 3 * 4 or not compact.endswith(
        binascii.b2a_base64(decoded[tail:], newline=False)
    ):
        raise InvalidXML("SignedMessage, attribute Body: not canonical Base64")
    return decoded
