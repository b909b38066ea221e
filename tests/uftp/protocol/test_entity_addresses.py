"""One rule for entity addresses, wherever they come in: messages, CSV files and contracts."""

import re
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from registry.imports.column_checks import ADDRESS
from registry.models import Market
from reservations.contracts.profiles import Profile
from reservations.contracts.terms import Terms, problems
from reservations.deadlines import Deadline
from uftp.protocol import entity_addresses
from uftp.protocol.entity_addresses import is_entity_address

SCHEMA = Path(entity_addresses.__file__).parent / "schema" / "uftp-types.xsd"
PATTERN = "{http://www.w3.org/2001/XMLSchema}pattern"
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NOT_IN_FILES = re.compile(r"[\x01-\x1f\x7f\ufffe\uffff]")

anything = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.one_of(
    st.text(anything, max_size=6),
    st.integers(min_value=240, max_value=248).map(lambda length: "n" * length),
    st.sampled_from(
        ["", ".", ":", "a:b", "\t", "\n", "\r", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\ufffe", "😀"]
    ),
)
digits = st.integers(min_value=0, max_value=40).map(lambda length: ("1234567890" * 4)[:length])
months = st.sampled_from(["2026-01", "2026-1", "0000-99", "20260-01", "٢٠٢٦-٠١", ""])
texts = st.one_of(
    st.builds(
        "{}{}{}".format, st.sampled_from(["ean.", "EAN.", "ean", " ean.", ""]), digits, names | st.just("")
    ),
    st.builds("{}{}.{}:{}".format, st.sampled_from(["ea1.", "ea1", "EA1.", "xea1."]), months, names, names),
    st.text(anything, max_size=20),
)
each_text = given(text=texts)
in_the_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """A schema of one attribute, of the type that messages have."""
    types = etree.parse(SCHEMA).getroot()
    element = """
    <xs:element name="a" xmlns:xs="http://www.w3.org/2001/XMLSchema">
      <xs:complexType><xs:attribute name="address" type="EntityAddress" use="required"/></xs:complexType>
    </xs:element>"""
    types.append(etree.fromstring(element))
    return etree.XMLSchema(types)


def test_the_patterns_of_the_schema_are_the_rule() -> None:
    """Word for word, so that whoever changes one is led to the other."""
    (of_addresses,) = (
        each for each in ElementTree.parse(SCHEMA).iter() if each.get("name") == "EntityAddress"
    )
    assert "|".join(each.attrib["value"] for each in of_addresses.iter(PATTERN)) == entity_addresses.PATTERN


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ean.123456789012", True),
        ("ean." + "1" * 34, True),
        ("ean.12345678901", False),
        ("ean." + "1" * 35, False),
        ("ean.123456789012 ", False),
        ("ea1.2026-01.example.grid:feeder-7", True),
        ("ea1.2026-01.example.grid:", False),
        ("ea1.2026-01.:feeder", False),
        ("ea1.2026-01." + "d" * 244 + ":" + "n" * 244, True),
        ("ea1.2026-01." + "d" * 245 + ":n", False),
        ("ea1.2026-01.d:" + "n" * 245, False),
        ("ea1.2026-01.example.grid:two\nlines", False),
    ],
)
def test_what_is_an_entity_address(text: str, holds: bool) -> None:
    assert is_entity_address(text) is holds


@each_text
@example(text="ea1.2026-01.d:tab\tand\x7f")
def test_the_schema_gives_the_same_answers(schema: etree.XMLSchema, text: str) -> None:
    if NO_XML.search(text):
        return
    assert schema.validate(etree.Element("a", address=text)) is is_entity_address(text)


@pytest.mark.django_db
@in_the_database
@each_text
@example(text="ea1.2026-01.d:\xa0")
def test_files_are_held_to_it_and_to_plain_characters(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {ADDRESS.format('%(text)s::text')}", {"text": text})
        (holds,) = cursor.fetchone()
    assert holds is (is_entity_address(text) and not NOT_IN_FILES.search(text))


@each_text
@example(text="ea1.2026-01.d:\xa0")
def test_contracts_are_held_to_it_and_to_printable_characters(text: str) -> None:
    terms = Terms(
        congestion_point=text,
        first=date(2026, 1, 1),
        last=None,
        isp_minutes=15,
        deadline=Deadline(hours=0),
        profile=Profile(),
    )
    against = [each.text for each in problems(terms, Market()) if each.field == "congestion_point"]
    assert bool(against) is not (is_entity_address(text) and text.isprintable())
