"""Messages as participants' systems send them: XML, sealed, in its envelope, as an HTTP request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from nacl.bindings import crypto_sign, crypto_sign_keypair

from common.check_digits import with_check_digit

PATH = "/shapeshifter/api/v3/message"
CRO_DOMAIN = "cro.example"
ZONE = "Europe/Amsterdam"


def today() -> date:
    """Return the market's day."""
    return datetime.now(ZoneInfo(ZONE)).date()


def ean(block: int, number: int) -> str:
    """Return the entity address of connection `number` (below 10^10) in the block (0 to 99)."""
    return f"ean.{with_check_digit(f'87168{block:02}{number:010}')}"


@dataclass
class Sender:
    """A participant that signs."""

    domain: str
    role: str = "AGR"
    public_key: bytes = field(init=False)
    private_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.public_key, self.private_key = crypto_sign_keypair()

    @property
    def published_key(self) -> str:
        """Return the public key as DNS has it: `cs1.…`."""
        return f"cs1.{b64encode(self.public_key).decode()}"


@dataclass(frozen=True)
class Message:
    """A message that is ready to be posted."""

    conversation_id: str
    size: int
    """Bytes of inner XML."""
    envelope: bytes

    @property
    def request(self) -> bytes:
        """Return the whole HTTP request."""
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n"
            f"Content-Length: {len(self.envelope)}\r\n\r\n".encode()
            + self.envelope
        )


def sealed(sender: Sender, name: str, attributes: str, content: str = "") -> Message:
    """Return a sealed message of type `name` with a new MessageID and ConversationID."""
    conversation_id = str(uuid4())
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} Version="3.1.0" SenderDomain="{sender.domain}" '
        f'RecipientDomain="{CRO_DOMAIN}" TimeStamp="{datetime.now(UTC).isoformat()}" '
        f'MessageID="{uuid4()}" ConversationID="{conversation_id}" TimeZone="{ZONE}"{attributes}>'
        f"{content}</{name}>"
    ).encode()
    body = b64encode(crypto_sign(xml, sender.private_key))
    opening = f'<SignedMessage SenderDomain="{sender.domain}" SenderRole="{sender.role}" Body="'.encode()
    return Message(conversation_id, len(xml), opening + body + b'"/>')


def representations(sender: Sender, lines: Iterable[tuple[str, date, date | None]]) -> Message:
    """Return an AGRPortfolioUpdate of (connection, first day, last day inclusive or None)."""
    return sealed(sender, "AGRPortfolioUpdate", "", "".join(_connection(*line) for line in lines))


def portfolio_query(sender: Sender, day: date) -> Message:
    """Return an AGRPortfolioQuery."""
    return sealed(sender, "AGRPortfolioQuery", f' Period="{day}"')


def congestion_points(sender: Sender, points: Iterable[tuple[str, Iterable[str]]], first: date) -> Message:
    """Return a DSOPortfolioUpdate of (congestion point, its connections), from `first` on, without an end."""
    content = "".join(
        f'<CongestionPoint EntityAddress="{address}" StartPeriod="{first}" MutexOffersSupported="true" '
        f'DayAheadRedispatchBy="DSO" IntradayRedispatchBy="AGR">'
        f"{''.join(_connection(connection, first, None) for connection in connections)}</CongestionPoint>"
        for address, connections in points
    )
    return sealed(sender, "DSOPortfolioUpdate", "", content)


def _connection(address: str, first: date, last: date | None) -> str:
    end = f' EndPeriod="{last}"' if last else ""
    return f'<Connection EntityAddress="{address}" StartPeriod="{first}"{end}/>'
