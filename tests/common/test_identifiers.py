"""One form for identifiers, at each door: messages, CSV files, contracts and participants."""

import re
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from common import identifiers
from common.identifiers import (
    ENTITY_ADDRESS_SQL,
    FOREIGN_CHARACTER_SQL,
    ODD_SQL,
    is_entity_address,
    odd_character,
    with_odd_character,
)
from registry.models import Market
from reservations.contracts.profiles import Profile
from reservations.contracts.terms import Terms, problems, problems_of_id
from reservations.deadlines import Deadline

SCHEMA = Path(__file__).parents[2] / "uftp/protocol/schema/uftp-types.xsd"
PATTERN = "{http://www.w3.org/2001/XMLSchema}pattern"
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

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


def patterns(name: str) -> str:
    """The patterns of a type of the schema, as one regular expression."""
    (of_type,) = (each for each in ElementTree.parse(SCHEMA).iter() if each.get("name") == name)
    return "|".join(each.attrib["value"] for each in of_type.iter(PATTERN))


def test_the_patterns_of_the_schema_are_those_of_the_code() -> None:
    """Word for word, so that whoever changes one is led to the other."""
    assert patterns("EntityAddress") == identifiers.SPECIFIED_ENTITY_ADDRESS
    assert patterns("Domain") == identifiers.DOMAIN


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
@example(text="ea1.2026-01.d:n ")
@example(text="ea1.2026-01.d:" + "n" * 244)
def test_E1_an_address_is_of_the_schemas_form_without_odd_characters(
    schema: etree.XMLSchema, text: str
) -> None:
    if NO_XML.search(text):
        assert not is_entity_address(text)
        return
    of_the_schema = schema.validate(etree.Element("a", address=text))
    assert is_entity_address(text) is (of_the_schema and not odd_character(text))


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("ea1.2026-01.example.grid:feeder-1", ""),
        ("two words", ""),
        ("ea1.2026-01.example.grid:feede ", "U+0020 at character 31"),
        ("ea1.2026-01.example.grid:feede\t", "U+0009 at character 31"),
        ("ea1.2026-01.example.grid:feede\x7f", "U+007F at character 31"),
        ("ea1.2026-01.example.grid:feede\xa0", "U+00A0 at character 31"),
        ("ea1.2026-01.example.grid:feede\u200br", "U+200B at character 31"),
        ("ea1.2026-01.example.grid:feede\u2028r", "U+2028 at character 31"),
        ("ea1.2026-01.example.grid:feede\u2029r", "U+2029 at character 31"),
        ("C-1 ", "U+0020 at character 4"),
        ("C-1  ", "U+0020 at character 4"),
        (" C-1", "U+0020 at character 1"),
        ("C-😀", "U+1F600 at character 3"),
    ],
)
def test_E1_an_odd_character_is_named_with_its_place(text: str, odd: str) -> None:
    assert odd_character(text) == odd
    assert list(problems_of_id(text)) == [] or odd in next(iter(problems_of_id(text))).text


def test_an_odd_character_is_made_visible() -> None:
    assert with_odd_character("a\u2028b") == "a<U+2028>b (U+2028 at character 2)"


@pytest.mark.django_db
@in_the_database
@each_text
@example(text="ea1.2026-01.d:\xa0")
@example(text="ea1.2026-01.d:n ")
@example(text="two\nlines\u2028")
@example(text="😀")
def test_E1_the_database_gives_the_same_answers(text: str) -> None:
    tested = '(%(text)s::text COLLATE "C")'
    with connection.cursor() as cursor:
        expressions = (ENTITY_ADDRESS_SQL, ODD_SQL, FOREIGN_CHARACTER_SQL)
        cursor.execute(f"SELECT {', '.join(each.format(tested) for each in expressions)}", {"text": text})
        holds, odd, foreign = cursor.fetchone()
    assert holds is is_entity_address(text)
    assert odd is bool(odd_character(text))
    if not text.startswith(" "):
        assert foreign == (odd_character(text.rstrip(" ")) or None)


@each_text
@example(text="ea1.2026-01.d:\xa0")
def test_E1_contracts_are_held_to_it(text: str) -> None:
    terms = Terms(
        congestion_point=text,
        first=date(2026, 1, 1),
        last=None,
        isp_minutes=15,
        deadline=Deadline(hours=0),
        profile=Profile(),
    )
    against = [each.text for each in problems(terms, Market()) if each.field == "congestion_point"]
    assert bool(against) is not is_entity_address(text)
