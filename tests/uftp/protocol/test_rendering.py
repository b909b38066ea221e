"""Messages as they go out (docs/protocol-support.md, "Writing")."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from lxml import etree

from uftp.protocol import messages
from uftp.protocol.envelopes import open_envelope
from uftp.protocol.messages import Metadata
from uftp.protocol.parsing import check, parse
from uftp.protocol.rendering import render, seal_envelope
from uftp.protocol.versions import SUPPORTED

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ID = "0a1b2c3d-0000-4000-8000-00000000000a"
REQUEST = "0a1b2c3d-0000-4000-8000-00000000000b"
PAYLOAD = {"Version", "SenderDomain", "RecipientDomain", "TimeStamp", "MessageID", "ConversationID"}


def metadata(version: str, moment: datetime = MOMENT) -> Metadata:
    return Metadata(
        version=version,
        sender_domain="cro.example",
        recipient_domain="agr.example",
        time_stamp=moment,
        message_id=ID,
        conversation_id=ID,
    )


def answer(kind: type, version: str = "3.1.0", **fields: Any) -> Any:
    data = {"result": messages.ACCEPTED, "reference_message_id": REQUEST} | fields
    return kind(metadata=metadata(version), **data)


def root(message: messages.Message) -> etree._Element:
    return etree.fromstring(render(message))


@pytest.mark.parametrize(
    ("kind", "attribute", "fields"),
    [
        (messages.AGRPortfolioUpdateResponse, "AGRPortfolioUpdateMessageID", {}),
        (
            messages.AGRPortfolioQueryResponse,
            "AGRPortfolioQueryMessageID",
            {"time_zone": "Europe/Amsterdam", "period": date(2026, 3, 1)},
        ),
        (messages.DSOPortfolioUpdateResponse, "DSOPortfolioUpdateResponseMessageID", {}),
        (
            messages.DSOPortfolioQueryResponse,
            "DSOPortfolioQueryMessageID",
            {"time_zone": "Europe/Amsterdam", "period": date(2026, 3, 1)},
        ),
        (messages.FlexReservationUpdateResponse, "FlexReservationUpdateMessageID", {}),
    ],
)
@pytest.mark.parametrize("version", SUPPORTED)
def test_a_response_has_exactly_its_versions_attributes(
    kind: type, attribute: str, fields: dict[str, Any], version: str
) -> None:
    reference = "ReferenceMessageID" if version == "4.0.0" else attribute
    element = root(answer(kind, version, **fields))
    assert element.get(reference) == REQUEST
    more = {"TimeZone", "Period"} if fields else set()
    assert set(element.attrib) == PAYLOAD | {"Result", reference} | more


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_test_response_has_exactly_its_versions_attributes(version: str) -> None:
    element = root(answer(messages.TestMessageResponse, version, rejection_reason="x"))
    more = {"Result", "RejectionReason", "ReferenceMessageID"} if version == "4.0.0" else set()
    assert set(element.attrib) == PAYLOAD | more


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_message_that_is_no_cros_business_is_rejected_in_its_own_response_type(version: str) -> None:
    for name in sorted(messages.OTHER_RESPONSES):
        rejected = answer(
            messages.OtherResponse,
            version,
            message_type=name,
            result=messages.REJECTED,
            rejection_reason="Invalid Message",
        )
        element = root(rejected)
        reference = (
            "ReferenceMessageID" if version == "4.0.0" else f"{name.removesuffix('Response')}MessageID"
        )
        assert (element.tag, element.get("Result"), element.get(reference)) == (name, "Rejected", REQUEST)
        assert parse(render(rejected)) == rejected


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MOMENT, "2026-03-01T12:00:00.123456+00:00"),
        (MOMENT.replace(microsecond=0), "2026-03-01T12:00:00+00:00"),
        (MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-03-01T12:00:00.123456+00:00"),
    ],
)
def test_a_time_stamp_is_sent_in_utc_with_its_offset(moment: datetime, text: str) -> None:
    element = root(messages.TestMessage(metadata=metadata("4.0.0", moment)))
    assert element.get("TimeStamp") == text


def test_special_characters_survive_in_long_lists() -> None:
    addresses = [f"ea1.2007-11.a:{text}" for text in ("&amp;", "<\">'", "\t", "é😀", "]]>")] + [
        "ea1.2007-11.a:b"
    ] * 10_001
    pairs = [(address, "agr.example" if number % 2 else None) for number, address in enumerate(addresses)]
    portfolio = answer(
        messages.AGRPortfolioQueryResponse,
        time_zone="Europe/Amsterdam",
        period=date(2026, 3, 1),
        dso_portfolios=[
            messages.DSOPortfolio(
                dso_domain="dso.example",
                congestion_points=iter(
                    [
                        messages.PortfolioCongestionPoint(
                            entity_address=addresses[1],
                            mutex_offers_supported=False,
                            day_ahead_redispatch_by="DSO",
                            connections=iter(addresses),
                        )
                    ]
                ),
            )
        ],
        connections=iter(addresses),
    )
    content = render(portfolio)
    check(content, 3)
    read = parse(content)
    assert isinstance(read, messages.AGRPortfolioQueryResponse)
    (view,) = read.dso_portfolios
    (point,) = view.congestion_points
    assert (point.entity_address, list(point.connections), list(read.connections)) == (
        addresses[1],
        addresses,
        addresses,
    )
    active = answer(
        messages.DSOPortfolioQueryResponse,
        time_zone="Europe/Amsterdam",
        period=date(2026, 3, 1),
        congestion_point=addresses[0],
        connections=iter(pairs),
    )
    content = render(active)
    check(content, 3)
    read = parse(content)
    assert isinstance(read, messages.DSOPortfolioQueryResponse)
    assert (read.congestion_point, list(read.connections)) == (addresses[0], pairs)


def test_an_empty_portfolio_has_no_view_at_all() -> None:
    empty = answer(messages.AGRPortfolioQueryResponse, time_zone="Europe/Amsterdam", period=date(2026, 3, 1))
    assert len(root(empty)) == 0
    unallocated = answer(
        messages.AGRPortfolioQueryResponse,
        time_zone="Europe/Amsterdam",
        period=date(2026, 3, 1),
        connections=["ean.871685900000000011"],
    )
    assert [[child.tag for child in view] for view in root(unallocated)] == [["Connection"]]


def test_a_period_that_no_calendar_holds_is_said_back_as_it_came() -> None:
    rejected = answer(messages.DSOPortfolioQueryResponse, time_zone="Europe/Amsterdam", period="12026-03-01")
    assert root(rejected).get("Period") == "12026-03-01"


def test_a_reason_may_say_anything() -> None:
    rejected = answer(
        messages.AGRPortfolioUpdateResponse,
        result=messages.REJECTED,
        rejection_reason='a & <b> "c"\n\t\x00\ud800é',
    )
    assert root(rejected).get("RejectionReason") == 'a & <b> "c"\n\t\ufffd\ufffdé'


def test_what_a_cro_never_sends_is_not_rendered() -> None:
    with pytest.raises(TypeError):
        render(messages.AGRPortfolioQuery(metadata=metadata("3.1.0"), time_zone="x", period=date(2026, 3, 1)))
    with pytest.raises(KeyError):
        render(messages.TestMessage(metadata=metadata("3.2.0")))


def test_an_envelope_is_opened_again() -> None:
    sealed = bytes(range(256)) * 500
    opened = open_envelope(seal_envelope("cro.example", "CRO", sealed))
    assert (opened.sender_domain, opened.sender_role, opened.body) == ("cro.example", "CRO", sealed)


def test_a_million_connections_are_written_in_seconds() -> None:
    addresses = [f"ean.8716859{number:011d}" for number in range(1_000_000)]
    started = time.process_time()
    content = render(
        answer(
            messages.AGRPortfolioQueryResponse,
            time_zone="Europe/Amsterdam",
            period=date(2026, 3, 1),
            connections=iter(addresses),
        )
    )
    render(
        answer(
            messages.DSOPortfolioQueryResponse,
            time_zone="Europe/Amsterdam",
            period=date(2026, 3, 1),
            congestion_point=addresses[0],
            connections=((address, "agr.example") for address in addresses),
        )
    )
    assert time.process_time() - started < 10
    assert content.count(b"<Connection ") == 1_000_000
