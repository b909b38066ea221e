"""The encodings that a document may declare: UTF-8 and its part US-ASCII, by their names in use."""

import base64
import codecs

import pytest

from tests.uftp.protocol.test_parsing import agr_update, envelope
from uftp.protocol.envelopes import open_envelope
from uftp.protocol.parsing import InvalidXML, check, parse

ASCII, OTHER = agr_update(), agr_update("<!-- é -->")


def declared(encoding: str, document: str) -> bytes:
    return f'<?xml version="1.0" encoding="{encoding}"?>{document}'.encode()


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "UTF8", "utf8", "US-ASCII", "us-ascii", "ASCII"])
def test_names_of_utf_8_and_of_its_part(encoding: str) -> None:
    content = declared(encoding, ASCII)

    check(content, 3)
    assert parse(content) == parse(ASCII.encode())
    signed = open_envelope(declared(encoding, envelope(base64.b64encode(b"x" * 80).decode()).decode()))
    assert signed.body == b"x" * 80


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF8"])
def test_other_characters_are_utf_8(encoding: str) -> None:
    check(declared(encoding, OTHER), 3)
    check(codecs.BOM_UTF8 + declared(encoding, OTHER), 3)


@pytest.mark.parametrize("far", [0, 200_000])
def test_a_document_that_declares_ascii_has_no_other_characters(far: int) -> None:
    content = declared("US-ASCII", agr_update("<!-- " + "x" * far + " --><!-- é -->"))

    with pytest.raises(InvalidXML, match="declared as US-ASCII"):
        check(content, 3)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-7", "UTF88", "windows-1252"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(InvalidXML, match=f"must be UTF-8, not {encoding}"):
        check(declared(encoding, ASCII), 3)
