"""The parsing of messages (docs/protocol-support.md, "Reading").

`check` validates a whole message. The other functions read a message that `check` has found valid.
"""

from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from uftp.protocol import messages
from uftp.protocol.messages import Message, Metadata
from uftp.protocol.streaming import (
    MembershipLine,
    PointLine,
    stream_congestion_points,
    stream_connections,
    stream_isps,
)
from uftp.protocol.validation import HARDENED, InvalidXML, Root, read_root, validate
from uftp.protocol.values import WHITE_SPACE, UnusableValue, boolean, day, integer, moment
from uftp.protocol.versions import SUPPORTED, for_major

__all__ = [
    "Header",
    "InvalidXML",
    "MembershipLine",
    "PointLine",
    "UnusableValue",
    "check",
    "check_to_pass_on",
    "metadata",
    "parse",
    "read_header",
    "sequence",
    "stream_congestion_points",
    "stream_connections",
]

_TRIMMED = frozenset({"TimeStamp", "Period", "Sequence", "ISP-Duration", "PeriodStart", "PeriodEnd"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The root element of a valid message.

    `attributes` has the attributes without a namespace. They are verbatim, but white space around days, moments and
    numbers is removed.
    """

    message_type: str
    attributes: dict[str, str]
    message_id: str
    conversation_id: str
    version: str
    sender_domain: str
    recipient_domain: str


def check(content: bytes | memoryview, major: int) -> Header:
    """Validate a whole message that was posted to the path of `major`, and return its root element.

    The memory needed does not grow with the length of the message.

    Raises:
        InvalidXML: The message is not valid.
        KeyError: `major` is not supported.
    """
    return _header(validate(content, for_major(major, "").schema))


def check_to_pass_on(content: bytes | memoryview, major: int) -> None:
    """Check that a message that `check` has found valid holds nothing that its recipient may refuse.

    The recipient may hold the message to the specification's own schema, which knows no foreign namespaces, and its
    parser may not know a byte order mark.

    Raises:
        InvalidXML: The message is not to be passed on.
    """
    if bytes(content[: len(BOM_UTF8)]) == BOM_UTF8:
        raise InvalidXML("line 1, column 1: a byte order mark")
    validate(content, for_major(major, "").strict_schema)


def metadata(header: Header) -> Metadata:
    """Return the metadata of a valid message.

    Raises:
        UnusableValue: The TimeStamp is not a moment of the calendar.
    """
    return Metadata(
        version=header.version,
        sender_domain=header.sender_domain,
        recipient_domain=header.recipient_domain,
        time_stamp=moment(header.attributes["TimeStamp"]),
        message_id=header.message_id,
        conversation_id=header.conversation_id,
    )


def read_header(content: bytes | memoryview) -> Header:
    """Return the root element of a valid message. The rest of the message is not read."""
    return _header(read_root(content))


def sequence(header: Header) -> int | None:
    """Return the Sequence of a valid update, or None if it has none.

    Raises:
        UnusableValue: The Sequence needs more than 64 bits.
    """
    text = header.attributes.get("Sequence")
    return None if text is None else integer(text, "Sequence")


def parse(content: bytes | memoryview) -> Message:
    """Return the whole of a valid message, in memory.

    Raises:
        UnusableValue: A value is valid by the schema, but cannot be stored.
    """
    header = read_header(content)
    read = _READERS.get(header.message_type)
    if read is not None:
        return read(header, content)
    if header.message_type in messages.OTHER_REQUESTS:
        return messages.OtherRequest(metadata=metadata(header), message_type=header.message_type)
    return messages.OtherResponse(**_answer(header), message_type=header.message_type)


def _header(root: Root) -> Header:
    attributes = {
        name: value.strip(WHITE_SPACE) if name in _TRIMMED else value
        for name, value in root.attributes.items()
    }
    return Header(
        message_type=root.name,
        attributes=attributes,
        message_id=attributes["MessageID"],
        conversation_id=attributes["ConversationID"],
        version=attributes["Version"],
        sender_domain=attributes["SenderDomain"],
        recipient_domain=attributes["RecipientDomain"],
    )


def _tree(content: bytes | memoryview) -> etree._Element:
    return etree.fromstring(bytes(content), etree.XMLParser(**HARDENED))


def _attribute(element: etree._Element, name: str) -> str:
    return str(element.attrib[name])


def _request(header: Header) -> dict[str, Any]:
    """Return the fields that all requests that a CRO handles have in common."""
    return {"metadata": metadata(header), "time_zone": header.attributes["TimeZone"]}


def _answer(header: Header) -> dict[str, Any]:
    """Return the fields that all responses have in common. The reference may be empty if the CRO does not need it."""
    attributes = header.attributes
    name = SUPPORTED["3.1.0"].reference_attribute(header.message_type)
    return {
        "metadata": metadata(header),
        "result": attributes["Result"],
        "rejection_reason": attributes.get("RejectionReason"),
        "reference_message_id": attributes.get("ReferenceMessageID") or attributes.get(name, ""),
    }


def _agr_portfolio_update(header: Header, content: bytes | memoryview) -> Message:
    return messages.AGRPortfolioUpdate(
        **_request(header),
        sequence=sequence(header),
        connections=tuple(
            messages.ConnectionPeriod(entity_address=address, start_period=start, end_period=end)
            for address, start, end in stream_connections(content)
        ),
    )


def _dso_portfolio_update(header: Header, content: bytes | memoryview) -> Message:
    points: list[PointLine] = []
    connections: list[list[messages.ConnectionPeriod]] = []
    for line in stream_congestion_points(content):
        if isinstance(line, PointLine):
            points.append(line)
            connections.append([])
        else:
            connections[-1].append(
                messages.ConnectionPeriod(
                    entity_address=line.address, start_period=line.start, end_period=line.end
                )
            )
    return messages.DSOPortfolioUpdate(
        **_request(header),
        sequence=sequence(header),
        congestion_points=tuple(
            messages.CongestionPointPeriod(
                entity_address=point.address,
                start_period=point.start,
                end_period=point.end,
                mutex_offers_supported=point.mutex,
                day_ahead_redispatch_by=point.day_ahead,
                intraday_redispatch_by=point.intraday,
                connections=tuple(listed),
            )
            for point, listed in zip(points, connections, strict=True)
        ),
    )


def _agr_portfolio_query(header: Header, content: bytes | memoryview) -> Message:
    return messages.AGRPortfolioQuery(**_request(header), period=day(header.attributes["Period"]))


def _dso_portfolio_query(header: Header, content: bytes | memoryview) -> Message:
    return messages.DSOPortfolioQuery(
        **_request(header),
        period=day(header.attributes["Period"]),
        entity_address=header.attributes["EntityAddress"],
    )


def _query_answer(header: Header) -> dict[str, Any]:
    attributes = header.attributes
    return {**_answer(header), "time_zone": attributes["TimeZone"], "period": day(attributes["Period"])}


def _addresses(parent: etree._Element) -> tuple[str, ...]:
    return tuple(_attribute(child, "EntityAddress") for child in parent.iterchildren("Connection"))


def _agr_portfolio_query_response(header: Header, content: bytes | memoryview) -> Message:
    views = list(_tree(content).iterchildren("DSO-View"))
    return messages.AGRPortfolioQueryResponse(
        **_query_answer(header),
        dso_portfolios=tuple(
            messages.DSOPortfolio(
                dso_domain=_attribute(portfolio, "DSO-Domain"),
                congestion_points=tuple(
                    messages.PortfolioCongestionPoint(
                        entity_address=_attribute(point, "EntityAddress"),
                        mutex_offers_supported=boolean(_attribute(point, "MutexOffersSupported")),
                        day_ahead_redispatch_by=_attribute(point, "DayAheadRedispatchBy"),
                        intraday_redispatch_by=point.attrib.get("IntradayRedispatchBy"),
                        connections=_addresses(point),
                    )
                    for point in portfolio.iterchildren("CongestionPoint")
                ),
            )
            for view in views
            for portfolio in view.iterchildren("DSO-Portfolio")
        ),
        connections=tuple(address for view in views for address in _addresses(view)),
    )


def _dso_portfolio_query_response(header: Header, content: bytes | memoryview) -> Message:
    point = next(_tree(content).iterchildren("CongestionPoint"), None)
    if point is None:
        return messages.DSOPortfolioQueryResponse(**_query_answer(header))
    return messages.DSOPortfolioQueryResponse(
        **_query_answer(header),
        congestion_point=_attribute(point, "EntityAddress"),
        connections=tuple(
            (_attribute(child, "EntityAddress"), child.attrib.get("AGR-Domain"))
            for child in point.iterchildren("Connection")
        ),
    )


def _flex_reservation_update(header: Header, content: bytes | memoryview) -> Message:
    attributes = header.attributes
    return messages.FlexReservationUpdate(
        **_request(header),
        isp_duration=attributes["ISP-Duration"],
        period=day(attributes["Period"]),
        congestion_point=attributes["CongestionPoint"],
        contract_id=attributes["ContractID"],
        reference=attributes["Reference"],
        isps=tuple(stream_isps(content)),
    )


def _test_message(header: Header, content: bytes | memoryview) -> Message:
    return messages.TestMessage(metadata=metadata(header))


def _test_message_response(header: Header, content: bytes | memoryview) -> Message:
    return messages.TestMessageResponse(
        metadata=metadata(header),
        result=header.attributes.get("Result"),
        rejection_reason=header.attributes.get("RejectionReason"),
        reference_message_id=header.attributes.get("ReferenceMessageID"),
    )


_READERS: dict[str, Callable[[Header, bytes | memoryview], Message]] = {
    "AGRPortfolioUpdate": _agr_portfolio_update,
    "DSOPortfolioUpdate": _dso_portfolio_update,
    "AGRPortfolioQuery": _agr_portfolio_query,
    "DSOPortfolioQuery": _dso_portfolio_query,
    "AGRPortfolioUpdateResponse": lambda header, _: messages.AGRPortfolioUpdateResponse(**_answer(header)),
    "DSOPortfolioUpdateResponse": lambda header, _: messages.DSOPortfolioUpdateResponse(**_answer(header)),
    "AGRPortfolioQueryResponse": _agr_portfolio_query_response,
    "DSOPortfolioQueryResponse": _dso_portfolio_query_response,
    "FlexReservationUpdate": _flex_reservation_update,
    "FlexReservationUpdateResponse": lambda header, _: messages.FlexReservationUpdateResponse(
        **_answer(header)
    ),
    "TestMessage": _test_message,
    "TestMessageResponse": _test_message_response,
}
