"""XML laid out for reading, whole or only its beginning."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uftp.protocol.diagnostics.pretty_xml import (
    FREE_CHARACTERS,
    MAX_DEPTH,
    MAX_GROWTH,
    NotPrintable,
    pretty_print,
)


def test_one_element_a_line() -> None:
    document = b'<?xml version="1.0"?><A x="1"><B><C y="2"/></B><D>text</D><!-- why --></A>'

    assert pretty_print(document, complete=True).splitlines() == [
        '<A x="1">',
        "  <B>",
        '    <C y="2"/>',
        "  </B>",
        "  <D>text</D>",
        "  <!-- why -->",
        "</A>",
    ]


def test_many_attributes_take_a_line_each() -> None:
    pairs = [f'attribute{number}="{"v" * 20}"' for number in range(5)]

    laid_out = pretty_print(f"<A><B {' '.join(pairs)}/></A>".encode(), complete=True).splitlines()

    assert laid_out[1:7] == ["  <B", *(f"      {pair}" for pair in pairs[:4]), f"      {pairs[4]}/>"]


def test_white_space_of_the_document_goes_and_text_stays_escaped() -> None:
    assert pretty_print(b"<A>\n\n\t<B>&lt;b&gt; &amp; c</B>\n</A>", complete=True) == (
        "<A>\n  <B>&lt;b&gt; &amp; c</B>\n</A>"
    )


@pytest.mark.parametrize("length", [10, 24, 25, 40, 57])
def test_a_beginning_ends_after_its_last_whole_tag(length: int) -> None:
    document = '<Update Name="é"><Line Address="ean.1"/><Line Address="ean.2"/></Update>'.encode()

    laid_out = pretty_print(document[:length], complete=False)

    tags = re.findall(r"<\w+[^>]*>", document[:length].decode(errors="ignore"))
    assert [line.strip() for line in laid_out.splitlines()] == tags


def test_100_000_lines_are_laid_out_at_once() -> None:
    lines = b'<Connection EntityAddress="ean.871687120000000000" StartPeriod="2026-01-01"/>' * 100_000

    assert pretty_print(b"<U>" + lines + b"</U>", complete=True).count("\n") == 100_001


@pytest.mark.parametrize(
    "document",
    [b"", b"no XML", b"<A>", b"<A></B>", b"\xff\xfe", b'<!DOCTYPE A [<!ENTITY e "x">]><A>&e;</A>'],
)
def test_what_is_no_harmless_xml_is_refused(document: bytes) -> None:
    with pytest.raises(NotPrintable):
        pretty_print(document, complete=True)


ATTRIBUTES = "".join(f" a{number}=''" for number in range(20_000)).encode()


@pytest.mark.parametrize("inner", [b"", b"<a/>" * 20_000, b"<a%b/>" % ATTRIBUTES, b">" * 80_000])
@pytest.mark.parametrize("depth", [10, MAX_DEPTH - 1])
def test_laid_out_a_document_is_not_much_larger(depth: int, inner: bytes) -> None:
    document = b"<a>" * depth + inner + b"</a>" * depth
    try:
        laid_out = pretty_print(document, complete=True)
    except NotPrintable as refused:
        assert str(refused) == "it would become too long"  # noqa: PT017
    else:
        assert len(laid_out) <= MAX_GROWTH * len(document) + FREE_CHARACTERS


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_nested_too_deep_is_refused_at_once(whole: bool) -> None:
    depth = MAX_DEPTH + 1

    with pytest.raises(NotPrintable, match="nested more than 50 deep"):
        pretty_print(b"<a>" * depth + b"</a>" * depth, complete=whole)
    assert pretty_print(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH, complete=whole)


VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Cc"]), max_size=30)
ELEMENTS = st.recursive(
    st.tuples(st.sampled_from("ABC"), st.dictionaries(st.sampled_from("xyz"), VALUES), st.just([])),
    lambda inner: st.tuples(
        st.sampled_from("ABC"), st.dictionaries(st.sampled_from("xyz"), VALUES), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ELEMENTS)
def test_laying_out_keeps_every_element_and_value(drawn: object) -> None:
    document = ElementTree.tostring(element(drawn), encoding="utf-8")

    laid_out = pretty_print(document, complete=True)

    assert as_tuple(ElementTree.fromstring(laid_out)) == as_tuple(ElementTree.fromstring(document))


def element(drawn: object) -> ElementTree.Element:
    name, attributes, inner = drawn  # type: ignore[misc]
    made = ElementTree.Element(name, attributes)
    made.extend(element(part) for part in inner)
    return made


def as_tuple(found: ElementTree.Element) -> object:
    return found.tag, found.attrib, [as_tuple(part) for part in found]
