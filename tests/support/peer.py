"""A participant that writes, signs and posts its own XML, right or wrong."""

import base64
import http.client
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import quoteattr

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from participants.keys import format_public_key
from participants.models import Participant, PublicKey

CRO = "cro.example"


@dataclass(frozen=True)
class Answer:
    """What an HTTP request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return self.body.decode().strip()


@dataclass
class Peer:
    """One (role, domain) with a key pair of its own."""

    role: str = "AGR"
    domain: str = field(default_factory=lambda: f"p{secrets.token_hex(4)}.example")
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def public_key(self) -> bytes:
        return bytes(crypto_sign_seed_keypair(self.seed)[0])

    def register(self, endpoint: str = "", standing: str = "authorized") -> Participant:
        """Configure this participant at the CRO."""
        participant = Participant.objects.create(
            role=self.role, domain=self.domain, endpoint=endpoint, standing=standing
        )
        PublicKey.objects.create(
            participant=participant,
            text=format_public_key(self.public_key),
            valid_from=datetime.now(UTC) - timedelta(days=1),
        )
        return participant

    def xml(self, message_type: str = "TestMessage", inside: str = "", **attributes: str | None) -> bytes:
        """A message; an attribute given as None is left out."""
        said: dict[str, str | None] = {
            "Version": "3.1.0",
            "SenderDomain": self.domain,
            "RecipientDomain": CRO,
            "TimeStamp": datetime.now(UTC).isoformat(),
            "MessageID": str(uuid.uuid4()),
            "ConversationID": str(uuid.uuid4()),
            **attributes,
        }
        written = "".join(f" {name}={quoteattr(value)}" for name, value in said.items() if value is not None)
        return f"<{message_type}{written}>{inside}</{message_type}>".encode()

    def update(self, addresses: Iterable[str], **attributes: str | None) -> bytes:
        """An AGRPortfolioUpdate for these connections, from 2026 on."""
        lines = "".join(
            f'<Connection EntityAddress="{address}" StartPeriod="2026-01-01"/>' for address in addresses
        )
        return self.xml("AGRPortfolioUpdate", lines, TimeZone="Europe/Amsterdam", **attributes)

    def seal(self, content: bytes) -> bytes:
        _, secret = crypto_sign_seed_keypair(self.seed)
        return bytes(crypto_sign(content, secret))

    def envelope(self, content: bytes) -> bytes:
        return self.envelope_of(self.seal(content))

    def envelope_of(self, sealed: bytes) -> bytes:
        body = base64.b64encode(sealed)
        names = f'SenderDomain="{self.domain}" SenderRole="{self.role}"'.encode()
        return b'<?xml version="1.0" encoding="UTF-8"?>\n<SignedMessage ' + names + b' Body="' + body + b'"/>'

    def post(self, port: int, content: bytes, major: int = 3) -> Answer:
        """Sign and post a message."""
        return post(port, self.envelope(content), path=f"/shapeshifter/api/v{major}/message")


def post(
    port: int,
    body: bytes,
    *,
    path: str = "/shapeshifter/api/v3/message",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
) -> Answer:
    """One request to the web process on `port` of this machine; no redirect is followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "text/xml; charset=utf-8", **(headers or {})})
        response = connection.getresponse()
        return Answer(
            response.status, {name.title(): value for name, value in response.getheaders()}, response.read()
        )
    finally:
        connection.close()
