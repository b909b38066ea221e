"""The rendering of messages and envelopes as XML (docs/protocol-support.md, "Writing").

A message has exactly the attributes and elements of its version: one of the participants' libraries refuses all
others. Lists are joined in blocks of thousands, so that a connection needs no Python object of its own.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import TypeVar

from uftp.protocol import messages
from uftp.protocol.messages import Message, Metadata, Response
from uftp.protocol.versions import SUPPORTED, Version

_BATCH_SIZE = 10_000
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile("[^ !#-%'-;=?-~\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_SEPARATOR = "\x00"
_NEXT_CONNECTION = '"/><Connection EntityAddress="'

_Item = TypeVar("_Item")


def render(message: Message) -> bytes:
    """Render `message` as UTF-8 XML of the version `message.metadata.version`.

    Each iterable of the message is iterated over once.

    Raises:
        KeyError: The version is not supported.
        TypeError: A CRO never sends this type of message.
    """
    version = SUPPORTED[message.metadata.version]
    return b"".join(piece.encode() for piece in chain((_DECLARATION,), _pieces(message, version)))


def seal_envelope(sender_domain: str, sender_role: str, sealed: bytes) -> bytes:
    """Render the SignedMessage to POST. `sealed` is the signature, then the inner XML."""
    opening = _start("SignedMessage", {"SenderDomain": sender_domain, "SenderRole": sender_role})
    return b"".join((f'{_DECLARATION}{opening} Body="'.encode(), base64.b64encode(sealed), b'"/>\n'))


def escape(text: str) -> str:
    """Escape `text` for an attribute in double quotes. Characters that XML does not allow become U+FFFD."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match.group(), "\ufffd"), text)


def _pieces(message: Message, version: Version) -> Iterator[str]:
    """Yield the document in pieces: single elements, and long lists in large blocks."""
    match message:
        case messages.AGRPortfolioQueryResponse():
            content = _dso_view(message)
        case messages.DSOPortfolioQueryResponse():
            content = _active_connections(message)
        case messages.OtherResponse(message_type="FlexSettlementResponse"):
            content = iter(('<FlexOrderSettlementStatus Disposition="Disputed"/>',))
        case _:
            content = iter(())
    name, attributes = _root(message, version)
    yield _start(name, attributes)
    first = next(content, None)
    if first is None:
        yield "/>\n"
        return
    yield ">"
    yield first
    yield from content
    yield f"</{name}>\n"


def _root(message: Message, version: Version) -> tuple[str, Mapping[str, str | None]]:
    """Return the name and the attributes of the message's root element. Attributes of None are left out."""
    name = message.message_type if isinstance(message, messages.OtherResponse) else type(message).__name__
    common = _payload(message.metadata)
    match message:
        case messages.TestMessage():
            return name, common
        case messages.TestMessageResponse():
            if not version.test_response_has_result:
                return name, common
            return name, common | {
                version.reference_attribute(name): message.reference_message_id,
                "Result": message.result or messages.ACCEPTED,
                "RejectionReason": message.rejection_reason,
            }
        case Response():
            attributes = common | {
                version.reference_attribute(name): message.reference_message_id,
                "Result": message.result,
                "RejectionReason": message.rejection_reason,
            }
            if isinstance(message, messages.AGRPortfolioQueryResponse | messages.DSOPortfolioQueryResponse):
                attributes |= {"TimeZone": message.time_zone, "Period": _day(message.period)}
            return name, attributes
        case _:
            raise TypeError(f"a CRO sends no {name}")


def _payload(metadata: Metadata) -> dict[str, str | None]:
    return {
        "Version": metadata.version,
        "SenderDomain": metadata.sender_domain,
        "RecipientDomain": metadata.recipient_domain,
        "TimeStamp": _moment(metadata.time_stamp),
        "MessageID": metadata.message_id,
        "ConversationID": metadata.conversation_id,
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _day(day: date | str) -> str:
    return day if isinstance(day, str) else day.isoformat()


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _start(name: str, attributes: Mapping[str, str | None]) -> str:
    """Return a start tag without its closing bracket."""
    rendered = (f' {key}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{name}{''.join(rendered)}"


def _blocks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while block := list(islice(iterator, _BATCH_SIZE)):
        yield block


def _connections(addresses: Iterable[str]) -> Iterator[str]:
    """Yield the Connection elements of the addresses, a block at a time. Only a block that needs it is escaped."""
    for block in _blocks(addresses):
        joined = _SEPARATOR.join(block)
        if _SPECIAL.search(joined.replace(_SEPARATOR, " ")) is not None:
            joined = _SEPARATOR.join(map(escape, block))
        yield f'<Connection EntityAddress="{joined.replace(_SEPARATOR, _NEXT_CONNECTION)}"/>'


def _dso_view(message: messages.AGRPortfolioQueryResponse) -> Iterator[str]:
    content = chain(_portfolios(message.dso_portfolios), _connections(message.connections))
    first = next(content, None)
    if first is None:
        return
    yield f"<DSO-View>{first}"
    yield from content
    yield "</DSO-View>"


def _portfolios(portfolios: Iterable[messages.DSOPortfolio]) -> Iterator[str]:
    for portfolio in portfolios:
        yield _start("DSO-Portfolio", {"DSO-Domain": portfolio.dso_domain}) + ">"
        for point in portfolio.congestion_points:
            terms = {
                "EntityAddress": point.entity_address,
                "MutexOffersSupported": _boolean(point.mutex_offers_supported),
                "DayAheadRedispatchBy": point.day_ahead_redispatch_by,
                "IntradayRedispatchBy": point.intraday_redispatch_by,
            }
            yield _start("CongestionPoint", terms) + ">"
            yield from _connections(point.connections)
            yield "</CongestionPoint>"
        yield "</DSO-Portfolio>"


def _active_connections(message: messages.DSOPortfolioQueryResponse) -> Iterator[str]:
    if message.congestion_point is None:
        return
    yield _start("CongestionPoint", {"EntityAddress": message.congestion_point}) + ">"
    for block in _blocks(message.connections):
        if _SPECIAL.search("".join(address for address, _ in block)) is not None:
            block = [(escape(address), agr_domain) for address, agr_domain in block]
        yield "".join(
            f'<Connection EntityAddress="{address}"/>'
            if agr_domain is None
            else f'<Connection EntityAddress="{address}" AGR-Domain="{agr_domain}"/>'
            for address, agr_domain in block
        )
    yield "</CongestionPoint>"
