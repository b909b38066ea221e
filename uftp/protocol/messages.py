"""The messages that a CRO receives and sends, as dataclasses (docs/protocol-support.md, "Messages").

Names are the protocol's, in snake case. Days are inclusive. An `end_period` of None is an open end. Addresses and
domains are verbatim. Messages that a CRO sends have iterables for long lists. Rendering iterates over each once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

ACCEPTED = "Accepted"
REJECTED = "Rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The attributes of every message. `time_stamp` is an aware moment in UTC."""

    version: str
    sender_domain: str
    recipient_domain: str
    time_stamp: datetime
    message_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """The envelope of a message. `body` is the decoded Base64: a signature of 64 bytes, then the signed XML."""

    sender_domain: str
    sender_role: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message inside an envelope."""

    metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """A response. `result` is `ACCEPTED` or `REJECTED`. `reference_message_id` is the request's MessageID."""

    result: str
    rejection_reason: str | None = None
    reference_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPeriod:
    """A connection and its stated days, both inclusive."""

    entity_address: str
    start_period: date
    end_period: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioUpdate(Message):
    """The connections of an aggregator."""

    time_zone: str
    connections: tuple[ConnectionPeriod, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CongestionPointPeriod:
    """A congestion point with its terms, its stated days and its members.

    `intraday_redispatch_by` is None if there is no intraday trading at the congestion point.
    """

    entity_address: str
    start_period: date
    end_period: date | None = None
    mutex_offers_supported: bool
    day_ahead_redispatch_by: str
    intraday_redispatch_by: str | None = None
    connections: tuple[ConnectionPeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioUpdate(Message):
    """The congestion points of a DSO."""

    time_zone: str
    congestion_points: tuple[CongestionPointPeriod, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioQuery(Message):
    """An aggregator's query for its portfolio on the day `period`."""

    time_zone: str
    period: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioQuery(Message):
    """A DSO's query for the active aggregators at its congestion point `entity_address` on the day `period`."""

    time_zone: str
    period: date
    entity_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioUpdateResponse(Response):
    """The response to an AGRPortfolioUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioUpdateResponse(Response):
    """The response to a DSOPortfolioUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioCongestionPoint:
    """A congestion point with its terms, and the addresses of its members that the querying AGR represents."""

    entity_address: str
    mutex_offers_supported: bool
    day_ahead_redispatch_by: str
    intraday_redispatch_by: str | None = None
    connections: Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolio:
    """The congestion points of one DSO whose members the querying AGR represents."""

    dso_domain: str
    congestion_points: Iterable[PortfolioCongestionPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioQueryResponse(Response):
    """The response to an AGRPortfolioQuery: the portfolio by DSO, and the connections of no congestion point.

    `period` is a day, or the text of the request if that is not a valid day. Without portfolios and connections the
    response has no DSO-View. The specification demands that, its schema does not allow it.
    """

    time_zone: str
    period: date | str
    dso_portfolios: Iterable[DSOPortfolio] = ()
    connections: Iterable[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioQueryResponse(Response):
    """The response to a DSOPortfolioQuery.

    `connections` are pairs: the address of a connection, and the domain of its active aggregator or None. If
    `congestion_point` is None, the response has no congestion point and no connections. `period` is a day, or the
    text of the request if that is not a valid day.
    """

    time_zone: str
    period: date | str
    congestion_point: str | None = None
    connections: Iterable[tuple[str, str | None]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessage(Message):
    """A request that tests whether messages arrive."""

    __test__ = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessageResponse(Message):
    """The response to a TestMessage. Versions 3.x have metadata only and ignore the other fields."""

    __test__ = False

    result: str | None = None
    rejection_reason: str | None = None
    reference_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISP:
    """Reserved power in watts for `duration` ISPs from ISP `start` on.

    The sign of `power` is the direction. The first ISP of a day is 1.
    """

    power: int
    start: int
    duration: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexReservationUpdate(Message):
    """The power that stays reserved under a contract on the day `period`. `isp_duration` is verbatim."""

    isp_duration: str
    time_zone: str
    period: date
    congestion_point: str
    contract_id: str
    reference: str
    isps: tuple[ISP, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexReservationUpdateResponse(Response):
    """The response to a FlexReservationUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRequest(Message):
    """A request that a CRO does not handle (FlexRequest, FlexOffer, Metering …). Only its metadata is read."""

    message_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherResponse(Response):
    """The response, of type `message_type`, to a request that a CRO does not handle."""

    message_type: str


HANDLED_REQUESTS = frozenset(
    {
        "AGRPortfolioUpdate",
        "AGRPortfolioQuery",
        "DSOPortfolioUpdate",
        "DSOPortfolioQuery",
        "FlexReservationUpdate",
        "TestMessage",
    }
)
"""Message types of the requests that a CRO handles."""

OTHER_REQUESTS = frozenset(
    {
        "FlexRequest",
        "FlexOffer",
        "FlexOfferRevocation",
        "FlexOrder",
        "FlexSettlement",
        "D-Prognosis",
        "Metering",
    }
)
"""Message types of the requests that a CRO rejects with `Invalid Message`."""

OTHER_RESPONSES = frozenset(f"{request}Response" for request in OTHER_REQUESTS)
"""Message types of responses. A CRO reads only their result and never answers them."""


def is_response(message_type: str) -> bool:
    """Return whether `message_type` is a response. A response is never answered."""
    return message_type.endswith("Response")
