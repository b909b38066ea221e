"""UFTP's messages as values: what a CRO receives and sends (docs/protocol-support.md, "Messages").

Names are the protocol's in snake case. Days are inclusive, as the protocol has them; an `end_period` of None is
an open end. Addresses and domains are verbatim. Lists that may be long are iterables in the messages that a CRO
sends, each walked once, while the message is written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

ACCEPTED = "Accepted"
REJECTED = "Rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The attributes that every message has. `time_stamp` is aware, in UTC."""

    version: str
    sender_domain: str
    recipient_domain: str
    time_stamp: datetime
    message_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """The envelope of a message: `body` is the decoded Base64, a 64-byte signature and then the XML it signs."""

    sender_domain: str
    sender_role: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Any message inside an envelope."""

    metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """Any answer: `result` is `ACCEPTED` or `REJECTED`; `reference_message_id` is the request's MessageID."""

    result: str
    rejection_reason: str | None = None
    reference_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPeriod:
    """A connection, and the days a participant speaks of, both inclusive."""

    entity_address: str
    start_period: date
    end_period: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioUpdate(Message):
    """An aggregator's connections."""

    time_zone: str
    connections: tuple[ConnectionPeriod, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CongestionPointPeriod:
    """A congestion point, its terms, the days it speaks of, and the connections behind it.

    `intraday_redispatch_by` None: there is no intraday trading at the point.
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
    """A DSO's congestion points."""

    time_zone: str
    congestion_points: tuple[CongestionPointPeriod, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioQuery(Message):
    """An aggregator asks for its portfolio on the day `period`."""

    time_zone: str
    period: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioQuery(Message):
    """A DSO asks who is active behind its congestion point `entity_address` on the day `period`."""

    time_zone: str
    period: date
    entity_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioUpdateResponse(Response):
    """The answer to an AGRPortfolioUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioUpdateResponse(Response):
    """The answer to a DSOPortfolioUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioCongestionPoint:
    """A congestion point with its terms, and the addresses of the connections the asking AGR has behind it."""

    entity_address: str
    mutex_offers_supported: bool
    day_ahead_redispatch_by: str
    intraday_redispatch_by: str | None = None
    connections: Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolio:
    """The congestion points of one DSO behind which the asking AGR has connections."""

    dso_domain: str
    congestion_points: Iterable[PortfolioCongestionPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class AGRPortfolioQueryResponse(Response):
    """The answer to an AGRPortfolioQuery: a view of all DSOs, and the connections that no DSO has allocated.

    `period` is a day, or the request's own text where no calendar holds it. With neither portfolios nor
    connections there is no DSO-View at all, which is the specification's form but not its schema's.
    """

    time_zone: str
    period: date | str
    dso_portfolios: Iterable[DSOPortfolio] = ()
    connections: Iterable[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DSOPortfolioQueryResponse(Response):
    """The answer to a DSOPortfolioQuery: (connection address, domain of the AGR active there or None) pairs.

    `congestion_point` None leaves the congestion point out, and with it all connections. `period` is a day, or
    the request's own text where no calendar holds it.
    """

    time_zone: str
    period: date | str
    congestion_point: str | None = None
    connections: Iterable[tuple[str, str | None]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessage(Message):
    """A test of the connection."""

    __test__ = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessageResponse(Message):
    """The answer to a TestMessage; versions 3.x have metadata only, whatever the other fields say."""

    __test__ = False

    result: str | None = None
    rejection_reason: str | None = None
    reference_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISP:
    """Reserved power in watts (the sign is the direction) from ISP `start` on (1 is the day's first)."""

    power: int
    start: int
    duration: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexReservationUpdate(Message):
    """What a DSO leaves reserved under a contract on the day `period`. `isp_duration` is as sent."""

    isp_duration: str
    time_zone: str
    period: date
    congestion_point: str
    contract_id: str
    reference: str
    isps: tuple[ISP, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexReservationUpdateResponse(Response):
    """The answer to a FlexReservationUpdate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRequest(Message):
    """A message that is no CRO's business (FlexRequest, FlexOffer, Metering …): only its metadata is read."""

    message_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherResponse(Response):
    """The answer, of type `message_type`, to a message that is no CRO's business."""

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
"""Message types that a CRO acts on."""

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
"""Message types that a CRO answers with `Invalid Message`."""

OTHER_RESPONSES = frozenset(f"{request}Response" for request in OTHER_REQUESTS)
"""Answers that a CRO reads no further than their result, and never answers."""


def is_response(message_type: str) -> bool:
    """Whether messages of `message_type` are answers; an answer is never answered."""
    return message_type.endswith("Response")
