"""What the official schemas say, against what is read and written here (docs/protocol-support.md, "Messages")."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.uftp.protocol import strategies
from tests.uftp.protocol.strategies import VERSIONS, Drawn, needs_oracles, oracle, oracle_file
from uftp.protocol import messages
from uftp.protocol.parsing import InvalidXML, check, check_to_pass_on, metadata, parse
from uftp.protocol.rendering import render
from uftp.protocol.versions import SUPPORTED

pytestmark = needs_oracles

drawn_often = settings(
    max_examples=60, deadline=None, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large)
)
RECEIVED = (
    "AGRPortfolioUpdate",
    "AGRPortfolioQuery",
    "DSOPortfolioUpdate",
    "DSOPortfolioQuery",
    "FlexReservationUpdate",
    "FlexReservationUpdateResponse",
    "TestMessage",
    "TestMessageResponse",
)
ALSO_READ = (
    "AGRPortfolioUpdateResponse",
    "AGRPortfolioQueryResponse",
    "DSOPortfolioUpdateResponse",
    "DSOPortfolioQueryResponse",
)
OTHERS = tuple(sorted(messages.OTHER_REQUESTS | messages.OTHER_RESPONSES))

FIELDS = {
    "TimeZone": "time_zone",
    "EntityAddress": "entity_address",
    "StartPeriod": "start_period",
    "EndPeriod": "end_period",
    "Period": "period",
    "MutexOffersSupported": "mutex_offers_supported",
    "DayAheadRedispatchBy": "day_ahead_redispatch_by",
    "IntradayRedispatchBy": "intraday_redispatch_by",
    "DSO-Domain": "dso_domain",
    "ISP-Duration": "isp_duration",
    "CongestionPoint": "congestion_point",
    "ContractID": "contract_id",
    "Reference": "reference",
    "Power": "power",
    "Start": "start",
    "Duration": "duration",
    "Result": "result",
    "RejectionReason": "rejection_reason",
}
METADATA = {
    "Version": "version",
    "SenderDomain": "sender_domain",
    "RecipientDomain": "recipient_domain",
    "TimeStamp": "time_stamp",
    "MessageID": "message_id",
    "ConversationID": "conversation_id",
}
LISTS = {"Connection": "connections", "CongestionPoint": "congestion_points", "ISP": "isps"}


def validate(content: bytes, version: str, message_type: str) -> None:
    """Fails with the official schema's complaint about `content`."""
    schema = oracle(version, oracle_file(message_type))
    schema.assertValid(etree.fromstring(content, etree.XMLParser(huge_tree=True)))


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@drawn_often
def test_what_is_sent_is_valid_by_the_official_schema_and_read_back_the_same(
    version: str, data: st.DataObject
) -> None:
    message = data.draw(strategies.sent(version))
    content = render(message)
    name = getattr(message, "message_type", type(message).__name__)
    validate(content, version, name)
    check(content, SUPPORTED[version].major)
    assert parse(content) == message


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@drawn_often
def test_the_texts_form_of_an_empty_portfolio_is_read_back_the_same(
    version: str, data: st.DataObject
) -> None:
    message = data.draw(strategies.agr_query_responses(version, least=0))
    content = render(message)
    assert check(content, SUPPORTED[version].major).message_type == "AGRPortfolioQueryResponse"
    assert parse(content) == message
    if not message.dso_portfolios and not message.connections:
        assert b"DSO-View" not in content


@pytest.mark.parametrize("message_type", RECEIVED + ALSO_READ)
@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(drawn_often, max_examples=25)
def test_what_the_official_schema_allows_is_accepted_with_the_values_drawn(
    version: str, message_type: str, data: st.DataObject
) -> None:
    drawn = data.draw(strategies.documents(version, message_type))
    content = drawn.xml()
    validate(content, version, message_type)
    header = check(content, SUPPORTED[version].major)
    message = parse(content)
    assert header.message_type == message_type == type(message).__name__
    assert metadata(header) == message.metadata
    compare_root(message, drawn)


@pytest.mark.parametrize("message_type", RECEIVED + ALSO_READ + OTHERS)
@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(drawn_often, max_examples=5)
def test_each_element_may_name_its_type_in_the_specification(
    version: str, message_type: str, data: st.DataObject
) -> None:
    drawn = data.draw(strategies.documents(version, message_type))
    content = drawn.xml(typed=True)
    assert b"xsi:type=" in content
    validate(content, version, message_type)
    major = SUPPORTED[version].major
    check(content, major)
    assert parse(content) == parse(drawn.xml())
    if message_type == "FlexReservationUpdate":
        check_to_pass_on(content, major)


def _nothing(root: etree._Element) -> None:
    """Leave the document as it is."""


def _foreign_attribute(root: etree._Element) -> None:
    root.set("{urn:else}note", "1")


def _language(root: etree._Element) -> None:
    root.set("{http://www.w3.org/XML/1998/namespace}lang", "nl")


def _language_inside(root: etree._Element) -> None:
    root[-1].set("{http://www.w3.org/XML/1998/namespace}lang", "nl")


def _foreign_element(root: etree._Element) -> None:
    etree.SubElement(root, "{urn:else}note")


def _foreign_element_inside(root: etree._Element) -> None:
    etree.SubElement(root[0], "{urn:else}note")


def _schema_location(root: etree._Element) -> None:
    root.set(f"{{{strategies.XSI}}}noNamespaceSchemaLocation", "UFTP-agr.xsd")


@pytest.mark.parametrize(
    "change",
    [
        _nothing,
        _foreign_attribute,
        _language,
        _language_inside,
        _foreign_element,
        _foreign_element_inside,
        _schema_location,
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(drawn_often, max_examples=10)
def test_what_is_to_be_passed_on_is_judged_as_by_the_official_schema(
    version: str, change: Any, data: st.DataObject
) -> None:
    root = data.draw(strategies.documents(version, "FlexReservationUpdate")).element()
    change(root)
    content = etree.tostring(root, encoding="utf-8")
    check(content, SUPPORTED[version].major)
    allowed = oracle(version, oracle_file("FlexReservationUpdate")).validate(etree.fromstring(content))
    assert allowed == (change in (_nothing, _schema_location))
    if allowed:
        check_to_pass_on(content, SUPPORTED[version].major)
    else:
        with pytest.raises(InvalidXML):
            check_to_pass_on(content, SUPPORTED[version].major)


@pytest.mark.parametrize("message_type", OTHERS)
@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(drawn_often, max_examples=5)
def test_messages_that_are_no_cros_business_pass_the_door_and_can_be_told(
    version: str, message_type: str, data: st.DataObject
) -> None:
    drawn = data.draw(strategies.documents(version, message_type))
    content = drawn.xml()
    validate(content, version, message_type)
    check(content, SUPPORTED[version].major)
    message = parse(content)
    assert isinstance(message, messages.OtherRequest | messages.OtherResponse)
    assert message.message_type == message_type
    for name, field_name in METADATA.items():
        assert getattr(message.metadata, field_name) == drawn.values[name]


def compare_root(message: Any, drawn: Drawn) -> None:
    """Fails where `message` says anything but what was drawn."""
    values = dict(drawn.values)
    for name, field_name in METADATA.items():
        assert getattr(message.metadata, field_name) == values.pop(name)
    references = [name for name in values if name.endswith("MessageID")]
    for name in references:
        assert message.reference_message_id == values.pop(name)
    drawn.values = values
    if isinstance(message, messages.AGRPortfolioQueryResponse):
        compare(message, drawn)
        compare_views(message, drawn)
    elif isinstance(message, messages.DSOPortfolioQueryResponse):
        points = drawn.named("CongestionPoint")
        assert [message.congestion_point] == ([point.values["EntityAddress"] for point in points] or [None])
        assert list(message.connections) == [
            (child.values["EntityAddress"], child.values.get("AGR-Domain"))
            for point in points
            for child in point.children
        ]
        drawn.children = []
        compare(message, drawn)
    else:
        compare(message, drawn)


def compare_views(message: messages.AGRPortfolioQueryResponse, drawn: Drawn) -> None:
    views = drawn.named("DSO-View")
    portfolios = [child for view in views for child in view.named("DSO-Portfolio")]
    assert len(list(message.dso_portfolios)) == len(portfolios)
    for read, portfolio in zip(message.dso_portfolios, portfolios, strict=True):
        assert read.dso_domain == portfolio.values["DSO-Domain"]
        for point, drawn_point in zip(read.congestion_points, portfolio.children, strict=True):
            addresses = [child.values["EntityAddress"] for child in drawn_point.children]
            assert list(point.connections) == addresses
            drawn_point.children = []
            compare(point, drawn_point)
    assert list(message.connections) == [
        child.values["EntityAddress"] for view in views for child in view.named("Connection")
    ]


def compare(read: Any, drawn: Drawn) -> None:
    for name, value in drawn.values.items():
        assert getattr(read, FIELDS[name]) == value, name
    for optional in ("end_period", "intraday_redispatch_by", "rejection_reason", "sequence"):
        if hasattr(read, optional) and optional not in {FIELDS[name] for name in drawn.values}:
            assert getattr(read, optional) is None
    for name, listed in LISTS.items():
        children = drawn.named(name)
        if children:
            for item, child in zip(getattr(read, listed), children, strict=True):
                compare(item, child)
