"""Ask the CRO something as a participant, and compare its answer with what is expected, to the letter."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any, NamedTuple

from shapeshifter_uftp.service.base_service import snake_case
from shapeshifter_uftp.uftp import (
    AcceptedRejected,
    AgrPortfolioQuery,
    AgrPortfolioQueryResponse,
    AgrPortfolioUpdate,
    AgrPortfolioUpdateConnection,
    DsoPortfolioQuery,
    DsoPortfolioQueryResponse,
    DsoPortfolioUpdate,
    DsoPortfolioUpdateCongestionPoint,
    DsoPortfolioUpdateConnection,
    FlexReservationUpdate,
    FlexReservationUpdateISP,
    FlexReservationUpdateResponse,
    PayloadMessage,
    RedispatchBy,
    TestMessage,
    request_response_map,
)
from xsdata.models.datatype import XmlDate, XmlDuration

from demo.participants import Participant, type_name

Line = tuple[str, date, date | None]
"""An entity address, StartPeriod, and the inclusive EndPeriod or None."""

ACCEPTED = "Accepted"
NO_CONNECTIONS = "Rejected: No connections available"


class DifferenceError(Exception):
    """A value is not the expected one. The message has its name, the expected value and the received one."""


class Point(NamedTuple):
    """A congestion point of an AGR's answer; its connections are sorted by address."""

    dso_domain: str
    address: str
    mutex_offers_supported: bool
    day_ahead_redispatch_by: str
    intraday_redispatch_by: str | None
    connections: tuple[str, ...]


class Portfolio(NamedTuple):
    """The content of an AGR's answer: congestion points and unallocated connections, sorted by address."""

    points: tuple[Point, ...]
    unallocated: tuple[str, ...] = ()


def same(what: str, expected: Any, came: Any) -> None:
    """Raise DifferenceError, naming `what`, unless `came` equals `expected`."""
    if came != expected:
        raise DifferenceError(f"{what}: expected {expected!r}, came {came!r}")


def ask(
    asker: Participant,
    message: PayloadMessage,
    version: str = "3.1.0",
    *,
    expected: str = ACCEPTED,
    within: float = 20.0,
) -> Any:
    """Send `message`, wait for the response of its type, check it (`check_answer`) and return it."""
    asker.send(message, version)
    answer = asker.expect(request_response_map[type(message)], message, within)
    check_answer(asker, message, answer, expected)
    return answer


def check_answer(
    asker: Participant,
    request: PayloadMessage,
    answer: Any,
    expected: str = ACCEPTED,
    *,
    answerer: str | None = None,
) -> None:
    """Compare the metadata and the result of an answer with the request that it answers.

    `expected` is its Result and, after a colon, its RejectionReason. If it ends in an ellipsis, only the beginning is
    compared. `answerer` is the domain that answers, if that is not the CRO. Raises DifferenceError.
    """
    name = type_name(type(answer))
    same(f"{name} Version", request.version, answer.version)
    same(f"{name} SenderDomain", answerer or asker.cro.domain, answer.sender_domain)
    same(f"{name} RecipientDomain", asker.domain, answer.recipient_domain)
    same(f"{name} ConversationID", request.conversation_id, answer.conversation_id)
    if answer.message_id == request.message_id:
        raise DifferenceError(f"{name} MessageID: expected one of its own, came the request's")
    if isinstance(request, TestMessage):
        return
    came = f"{answer.result}: {answer.rejection_reason}" if answer.rejection_reason else str(answer.result)
    if not (expected.endswith("…") and came.startswith(expected[:-1])):
        same(f"{name} Result and RejectionReason", expected, came)
    reference = f"{snake_case(type(request).__name__)}_message_id"
    same(f"{name} reference to the request", request.message_id, getattr(answer, reference))
    for attribute in ("period", "time_zone"):
        if hasattr(answer, attribute):
            same(f"{name} {attribute}", getattr(request, attribute), getattr(answer, attribute))


def portfolio(answer: AgrPortfolioQueryResponse) -> Portfolio:
    """Return the content of an AGR's answer; a connection that is repeated stays repeated."""
    same("number of DSO-View elements", 1, len(answer.dso_views))
    view = answer.dso_views[0]
    domains = Counter(p.dso_domain for p in view.dso_portfolios)
    same("DSOs with more than one DSO-Portfolio", [], [d for d, number in domains.items() if number > 1])
    points = [
        Point(
            dso.dso_domain,
            point.entity_address,
            point.mutex_offers_supported,
            str(point.day_ahead_redispatch_by),
            point.intraday_redispatch_by and str(point.intraday_redispatch_by),
            tuple(sorted(c.entity_address for c in point.connections)),
        )
        for dso in view.dso_portfolios
        for point in dso.congestion_points
    ]
    return Portfolio(tuple(sorted(points)), tuple(sorted(c.entity_address for c in view.connections)))


def placeholder(cro_domain: str) -> Point:
    """Return the placeholder of an AGR's answer: the schema demands a congestion point, and there is none."""
    address = f"ea1.2000-01.{'.'.join(reversed(cro_domain.split('.')))}:none"
    return Point(cro_domain, address, False, "DSO", None, (address,))


def active_aggregators(answer: DsoPortfolioQueryResponse) -> dict[str, list[tuple[str, str | None]]]:
    """Return the content of a DSO's answer: (connection, AGR-Domain), by address of the congestion point."""
    if answer.congestion_point is None:
        return {}
    lines = [(c.entity_address, c.agr_domain) for c in answer.congestion_point.connections]
    return {answer.congestion_point.entity_address: sorted(lines, key=lambda line: (line[0], line[1] or ""))}


def xml_date(day: date | None) -> XmlDate | None:
    return None if day is None else XmlDate.from_date(day)


def agr_update(*lines: Line, time_zone: str = "Europe/Amsterdam", **metadata: Any) -> AgrPortfolioUpdate:
    """Return an AGRPortfolioUpdate of (address, StartPeriod, inclusive EndPeriod or None)."""
    return AgrPortfolioUpdate(
        connections=[
            AgrPortfolioUpdateConnection(
                entity_address=address, start_period=xml_date(start), end_period=xml_date(end)
            )
            for address, start, end in lines
        ],
        time_zone=time_zone,
        **metadata,
    )


def dso_update(
    point: str,
    start: date,
    end: date | None,
    *lines: Line,
    mutex: bool = True,
    day_ahead: str = "AGR",
    intraday: str | None = "DSO",
    time_zone: str = "Europe/Amsterdam",
    **metadata: Any,
) -> DsoPortfolioUpdate:
    """Return a DSOPortfolioUpdate of one congestion point and its (address, StartPeriod, EndPeriod or None)."""
    return DsoPortfolioUpdate(
        congestion_points=[
            DsoPortfolioUpdateCongestionPoint(
                entity_address=point,
                start_period=xml_date(start),
                end_period=xml_date(end),
                mutex_offers_supported=mutex,
                day_ahead_redispatch_by=RedispatchBy(day_ahead),
                intraday_redispatch_by=RedispatchBy(intraday) if intraday else None,
                connections=[
                    DsoPortfolioUpdateConnection(
                        entity_address=address, start_period=xml_date(first), end_period=xml_date(last)
                    )
                    for address, first, last in lines
                ],
            )
        ],
        time_zone=time_zone,
        **metadata,
    )


def agr_query(day: date, *, time_zone: str = "Europe/Amsterdam", **metadata: Any) -> AgrPortfolioQuery:
    return AgrPortfolioQuery(period=xml_date(day), time_zone=time_zone, **metadata)


def dso_query(
    point: str, day: date, *, time_zone: str = "Europe/Amsterdam", **metadata: Any
) -> DsoPortfolioQuery:
    return DsoPortfolioQuery(entity_address=point, period=xml_date(day), time_zone=time_zone, **metadata)


def reservation_update(
    point: str,
    contract_id: str,
    reference: str,
    day: date,
    *isps: tuple[int, int, int],
    isp_duration: str = "PT15M",
    time_zone: str = "Europe/Amsterdam",
    **metadata: Any,
) -> FlexReservationUpdate:
    """Return a FlexReservationUpdate of (Start, Duration, Power in watts) under a contract on `day`."""
    return FlexReservationUpdate(
        isps=[
            FlexReservationUpdateISP(start=start, duration=duration, power=power)
            for start, duration, power in isps
        ],
        contract_id=contract_id,
        reference=reference,
        congestion_point=point,
        period=xml_date(day),
        isp_duration=XmlDuration(isp_duration),
        time_zone=time_zone,
        **metadata,
    )


def reservation_answer(
    update: FlexReservationUpdate, result: str = ACCEPTED, reason: str | None = None
) -> FlexReservationUpdateResponse:
    """Return an AGR's response to the DSO whose `update` was passed on to it."""
    return FlexReservationUpdateResponse(
        conversation_id=update.conversation_id,
        flex_reservation_update_message_id=update.message_id,
        result=AcceptedRejected(result),
        rejection_reason=reason,
    )
