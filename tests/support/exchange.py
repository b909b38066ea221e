"""Messages put into this process's own exchange, where a test needs no process of its own for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.test import Client

from tests.support.peer import Peer
from uftp import handlers
from uftp.handlers import Handler, Incoming, Outcome
from uftp.models import InboundMessage, OutboundMessage, Sender
from uftp.processing import drain as inbox_drain


def receive(peer: Peer, content: bytes, major: int = 3) -> InboundMessage:
    """Post a message through the view; it must be accepted."""
    answer = Client().post(
        f"/shapeshifter/api/v{major}/message", peer.envelope(content), content_type="text/xml; charset=utf-8"
    )
    assert answer.status_code == 200, answer.content
    return InboundMessage.objects.filter(sender__role=peer.role, sender__domain=peer.domain).latest("id")


def drain(peer: Peer) -> list[tuple[str, str]]:
    """Handle what waits for this sender; gives the wake-ups asked for."""
    wakes: list[tuple[str, str]] = []
    sender = Sender.objects.get(role=peer.role, domain=peer.domain)
    inbox_drain.drain(sender.pk, wake=lambda role, domain: wakes.append((role, domain)))
    return wakes


def exchange(peer: Peer, content: bytes, major: int = 3) -> OutboundMessage:
    """Post a message, have it handled, and give its answer."""
    received = receive(peer, content, major)
    drain(peer)
    return OutboundMessage.objects.get(in_reply_to=received)


@contextmanager
def handled_by(message_type: str, handle: Callable[[Incoming], Outcome], **changed: object) -> Iterator[None]:
    """Have `handle` registered for `message_type` instead of what is."""
    before = handlers._handlers.pop(message_type, None)
    handlers.register(message_type, role=["AGR", "DSO"], handle=handle, **changed)  # type: ignore[arg-type]
    try:
        yield
    finally:
        del handlers._handlers[message_type]
        if before:
            handlers._handlers[message_type] = before


__all__ = ["Handler", "drain", "exchange", "handled_by", "receive"]
