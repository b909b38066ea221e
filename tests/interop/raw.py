"""Messages that the library cannot send, or would not: its own XML, changed, signed and posted as it is."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import httpx
from nacl.bindings import crypto_sign
from shapeshifter_uftp import transport
from shapeshifter_uftp.uftp import PayloadMessage

from demo.participants import Cro


class Sender(Protocol):
    """Who signs and posts: a Participant, or anything that has as much."""

    role: str
    domain: str
    cro: Cro
    public_key: str
    private_key: str
    endpoint: str


def complete(sender: Sender, message: PayloadMessage, version: str = "3.1.0") -> PayloadMessage:
    """`message` with its metadata filled in as the library does when it sends one."""
    message.version = version
    message.sender_domain = message.sender_domain or sender.domain
    message.recipient_domain = message.recipient_domain or sender.cro.domain
    message.time_stamp = message.time_stamp or datetime.now(UTC).isoformat()
    message.message_id = message.message_id or str(uuid4())
    message.conversation_id = message.conversation_id or str(uuid4())
    return message


def with_attribute(xml: str, name: str, value: object) -> str:
    """`xml` with one more attribute in its root element."""
    declaration, _, rest = xml.partition("?>\n")
    root, space, attributes = rest.partition(" ")
    return f'{declaration}?>\n{root}{space}{name}="{value}" {attributes}'


def xml_of(message: PayloadMessage) -> str:
    return str(transport.to_xml(message))


def seal(sender: Sender, xml: str) -> bytes:
    return bytes(crypto_sign(xml.encode(), b64decode(sender.private_key)))


def envelope(domain: str, role: str, sealed: bytes) -> bytes:
    body = b64encode(sealed).decode()
    return f'<SignedMessage SenderDomain="{domain}" SenderRole="{role}" Body="{body}"/>'.encode()


def post(sender: Sender, xml: str) -> httpx.Response:
    """Sign `xml` as `sender` and POST it."""
    return post_envelope(sender, envelope(sender.domain, sender.role, seal(sender, xml)))


def post_envelope(sender: Sender, content: bytes, timeout: float = 30) -> httpx.Response:
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    return httpx.post(sender.cro.endpoint, content=content, headers=headers, timeout=timeout)
