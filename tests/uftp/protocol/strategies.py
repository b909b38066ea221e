"""Hypothesis strategies for UFTP: values, the messages a CRO sends, and whole documents of the official schemas."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import strategies as st
from lxml import etree

from uftp.protocol import messages
from uftp.protocol.messages import Metadata
from uftp.protocol.versions import SUPPORTED

ORACLES = Path(__file__).resolve().parents[3].parent / "shared" / "uftp-xsd"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FOLDERS = {"3.0.0": "3.0.0", "3.1.0": "3.1.0", "4.0.0": "next"}
VERSIONS = tuple(SUPPORTED)

needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason="the official schemas are not there (../shared/uftp-xsd)"
)


@cache
def oracle(version: str, file_name: str) -> etree.XMLSchema:
    """An official schema of `version`, as lxml reads it."""
    return etree.XMLSchema(etree.parse(ORACLES / FOLDERS[version] / file_name))


@cache
def described(version: str, file_name: str) -> xmlschema.XMLSchema:
    """The same schema, to walk through."""
    return xmlschema.XMLSchema(str(ORACLES / FOLDERS[version] / file_name))


def oracle_file(message_type: str) -> str:
    """The official schema file that knows `message_type`."""
    if message_type.startswith("AGR"):
        return "UFTP-agr.xsd"
    return "UFTP-dso.xsd"


# Values.

uuids = st.uuids().flatmap(lambda uuid: st.sampled_from((str(uuid), str(uuid).upper())))
domains = st.from_regex(r"\A([a-z0-9]{1,8}(-[a-z0-9]{1,4})?\.){1,3}[a-z]{2,5}\Z")
_any_character = st.characters(
    exclude_categories=("Cs", "Cc"), include_characters="\t", exclude_characters="\ufffe\uffff"
)
_parts = st.text(_any_character, min_size=1, max_size=12) | st.text("&<>\"':]ab\t ", min_size=1, max_size=244)
addresses = st.from_regex(r"\Aean\.[0-9]{12,34}\Z") | st.builds(
    "ea1.{:04d}-{:02d}.{}:{}".format, st.integers(0, 9999), st.integers(0, 99), _parts, _parts
)
texts = st.text(_any_character | st.sampled_from("\n\r"), max_size=20)
time_zones = st.sampled_from(("Europe/Amsterdam", "America/Argentina/Buenos_Aires", "Pacific/Fiji"))
days = st.dates(date(1, 1, 2), date(9999, 12, 30))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001
parties = st.sampled_from(("AGR", "DSO"))
results = st.sampled_from((messages.ACCEPTED, messages.REJECTED))


def metadata(version: str) -> st.SearchStrategy[Metadata]:
    return st.builds(
        Metadata,
        version=st.just(version),
        sender_domain=domains,
        recipient_domain=domains,
        time_stamp=moments,
        message_id=uuids,
        conversation_id=uuids,
    )


# What the project sends.


def _response(kind: type, version: str, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(
        kind,
        metadata=metadata(version),
        result=results,
        rejection_reason=st.none() | texts,
        reference_message_id=uuids,
        **fields,
    )


def _tuples(items: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


_point = st.builds(
    messages.PortfolioCongestionPoint,
    entity_address=addresses,
    mutex_offers_supported=st.booleans(),
    day_ahead_redispatch_by=parties,
    intraday_redispatch_by=st.none() | parties,
    connections=_tuples(addresses, 1),
)
_portfolio = st.builds(messages.DSOPortfolio, dso_domain=domains, congestion_points=_tuples(_point, 1))


def agr_query_responses(version: str, least: int = 1) -> st.SearchStrategy[Any]:
    return _response(
        messages.AGRPortfolioQueryResponse,
        version,
        time_zone=time_zones,
        period=days,
        dso_portfolios=_tuples(_portfolio, least),
        connections=_tuples(addresses),
    )


def _dso_query_responses(version: str) -> st.SearchStrategy[Any]:
    connection = st.tuples(addresses, st.none() | domains)
    common = {"time_zone": time_zones, "period": days}
    return _response(messages.DSOPortfolioQueryResponse, version, **common) | _response(
        messages.DSOPortfolioQueryResponse,
        version,
        **common,
        congestion_point=addresses,
        connections=_tuples(connection, 1),
    )


def sent(version: str) -> st.SearchStrategy[Any]:
    """Every message the project can send in `version`, in the form its official schema allows."""
    test_responses = st.builds(messages.TestMessageResponse, metadata=metadata(version))
    if SUPPORTED[version].test_response_has_result:
        test_responses = _response(messages.TestMessageResponse, version)
    return st.one_of(
        _response(messages.AGRPortfolioUpdateResponse, version),
        _response(messages.DSOPortfolioUpdateResponse, version),
        _response(messages.FlexReservationUpdateResponse, version),
        agr_query_responses(version),
        _dso_query_responses(version),
        st.builds(messages.TestMessage, metadata=metadata(version)),
        test_responses,
        _response(
            messages.OtherResponse, version, message_type=st.sampled_from(sorted(messages.OTHER_RESPONSES))
        ),
    )


# What the official schemas let others send.


@dataclass
class Drawn:
    """An element as drawn: each attribute's text and the value it stands for, its children, and its type's name."""

    name: str
    type_name: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    children: list["Drawn"] = field(default_factory=list)

    def element(self, *, typed: bool = False) -> etree._Element:
        element = etree.Element(self.name, self.texts, nsmap={"xsi": XSI})
        if typed and self.type_name:
            element.set(f"{{{XSI}}}type", self.type_name)
        element.extend(child.element(typed=typed) for child in self.children)
        return element

    def xml(self, *, typed: bool = False) -> bytes:
        """The document; `typed` names the type of each element with xsi:type."""
        return etree.tostring(self.element(typed=typed), encoding="utf-8")

    def named(self, name: str) -> list["Drawn"]:
        return [child for child in self.children if child.name == name]


def _same(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, Any]]:
    return strategy.map(lambda text: (text, text))


def _offset(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


_suffixes = st.sampled_from(("", "Z")) | st.integers(-840, 840).map(_offset)
_lexical_days = st.tuples(days, _suffixes).map(lambda drawn: (f"{drawn[0].isoformat()}{drawn[1]}", drawn[0]))


@st.composite
def _lexical_moments(draw: st.DrawFn, offset_required: bool) -> tuple[str, datetime]:
    naive = draw(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)))  # noqa: DTZ001
    minutes = draw(st.integers(-840, 840))
    fraction = draw(st.text("0123456789", min_size=0, max_size=9 if offset_required else 15))
    written = draw(st.sampled_from(("Z", "offset") if offset_required else ("Z", "offset", "")))
    text = naive.replace(microsecond=0).isoformat() + (f".{fraction}" if fraction else "")
    value = naive.replace(microsecond=int(fraction[:6].ljust(6, "0") or 0), tzinfo=UTC)
    if written == "offset":
        return text + _offset(minutes), value.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(
            UTC
        )
    return text + written, value


def _lexical_integers(least: int | None) -> st.SearchStrategy[tuple[str, int]]:
    numbers = st.integers(-(2**63) + 1 if least is None else least, 2**63 - 1)
    plus = st.tuples(numbers, st.sampled_from(("", "0", "000"))).map(
        lambda drawn: (f"{'-' if drawn[0] < 0 else ''}{drawn[1]}{abs(drawn[0])}", drawn[0])
    )
    return plus | numbers.filter(lambda number: number >= 0).map(lambda number: (f"+{number}", number))


_VALUES: dict[str, st.SearchStrategy[tuple[str, Any]]] = {
    "SpecVersion": _same(
        st.sampled_from(("3.0.0", "3.1.0", "4.0.0", "3.0.1", "03.1.0", "12.345.6789", "٣.١.٠"))
    ),
    "UUIDType": _same(uuids),
    "EntityAddressType": _same(addresses),
    "InternetDomainType": _same(domains),
    "ISO4217CurrencyType": _same(st.just("EUR")),
    "CurrencyAmountType": _same(st.sampled_from(("1", "-0.0001", "12345678901234567890.1234"))),
    "TimeZoneNameType": _same(time_zones),
    "PeriodType": _lexical_days,
    "ActivationFactorType": _same(st.sampled_from(("0.01", "1.00"))),
    "EANType": _same(st.just("E1234567890123456")),
    "DateTimeType": _lexical_moments(offset_required=True),
    "dateTime": _lexical_moments(offset_required=False),
    "boolean": st.sampled_from((("true", True), ("false", False), ("1", True), ("0", False))),
    "integer": _lexical_integers(None),
    "long": _lexical_integers(None),
    "positiveInteger": _lexical_integers(1),
    "decimal": _same(st.sampled_from(("0.5", "-12", "+.3"))),
    "duration": _same(st.sampled_from(("PT15M", "P1Y2M3DT4H5M6.7S", "-P1D", "PT999999M"))),
    "string": _same(texts),
}


def _value(simple_type: Any) -> st.SearchStrategy[tuple[str, Any]]:
    if simple_type.enumeration:
        return _same(st.sampled_from(simple_type.enumeration))
    return _VALUES[simple_type.local_name]


@st.composite
def documents(draw: st.DrawFn, version: str, message_type: str) -> Drawn:
    """Any document of `message_type` that the official schema of `version` describes."""
    schema = described(version, oracle_file(message_type))
    return _drawn(draw, schema.elements[message_type])


def _drawn(draw: st.DrawFn, declaration: Any) -> Drawn:
    drawn = Drawn(declaration.local_name, declaration.type.local_name or "")
    for name, attribute in declaration.type.attributes.items():
        if attribute.use == "required" or draw(st.booleans()):
            drawn.texts[name], drawn.values[name] = draw(_value(attribute.type))
    if declaration.type.has_complex_content() or declaration.type.is_element_only():
        for child in declaration.type.content.iter_elements():
            for _ in range(draw(st.integers(child.min_occurs, 2 if child.max_occurs is None else 1))):
                drawn.children.append(_drawn(draw, child))
    return drawn
