"""Messages in, bytes out (docs/protocol-support.md, "Writing")."""

from uftp.messages import Message


def render(message: Message) -> bytes:
    """`message` as UTF-8 XML in the form of its version."""
    raise NotImplementedError


def seal_envelope(sender_domain: str, sender_role: str, sealed: bytes) -> bytes:
    """The SignedMessage to POST: `sealed`, in Base64, with who sends it."""
    raise NotImplementedError
