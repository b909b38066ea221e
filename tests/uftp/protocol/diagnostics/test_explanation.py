"""What is wrong with a message, told in words with the line: for people, whatever they were sent."""

import time

import pytest

from tests.support.peer import Peer
from uftp.protocol.diagnostics.explanation import FAULTS, SECONDS, Fault, explain

SCHEMA = "uftp-3.xsd"
HOME = "ean.871600000000000017"
AGR = Peer("AGR", "agr.example")
POINT = f'<CongestionPoint EntityAddress="{HOME}" StartPeriod="2026-01-01" %s>%s</CongestionPoint>'
TERMS = 'MutexOffersSupported="true" DayAheadRedispatchBy="DSO"'
WITHIN = 8.0
"""Seconds that an explanation takes at most, on a slow machine: some more than what its bounds aim at."""


def update(lines: str, **attributes: str | None) -> bytes:
    return AGR.xml("AGRPortfolioUpdate", lines, **{"TimeZone": "Europe/Amsterdam", **attributes})


def faults(content: bytes) -> tuple[Fault, ...]:
    explained = explain(content, SCHEMA)
    assert explained.note == ""
    return explained.faults


def test_a_valid_message_has_no_faults() -> None:
    assert faults(update(f'\n<Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/>')) == ()


def test_each_fault_has_its_line_its_path_and_the_text_of_that_line() -> None:
    content = update(
        f'\n  <Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/>'
        '\n  <Connection EntityAddress="meter 7" StartPeriod="2026-02-30"/>\n'
    )

    address, day = faults(content)

    assert (address.line, address.column, day.line) == (3, 3, 3)
    assert address.path == "/AGRPortfolioUpdate/Connection[2]/@EntityAddress"
    assert address.wrong == "EntityAddress is 'meter 7', which is not an entity address."
    assert "ean.871685900012636543" in address.right
    assert day.wrong == "StartPeriod is '2026-02-30', which is not a day of the calendar."
    assert day.excerpt == '<Connection EntityAddress="meter 7" StartPeriod="2026-02-30"/>'


@pytest.mark.parametrize(
    ("content", "wrong", "right"),
    [
        (AGR.xml(MessageID="no UUID"), "MessageID is 'no UUID', which is not a UUID.", "8, 4, 4, 4 and 12"),
        (AGR.xml(MessageID=""), "MessageID is empty.", "32 hexadecimal digits"),
        (AGR.xml(Version=None), "TestMessage lacks the attribute Version.", "3.1.0"),
        (AGR.xml(Colour="red"), "TestMessage has no attribute Colour.", "It can have ConversationID, MessageID"),
        (AGR.xml(SenderDomain="AGR.example"), "SenderDomain is 'AGR.example', which is not an", "Lower-case"),
        (update("", TimeZone="CET"), "TimeZone is 'CET', which is not the name of a time", "Europe/Amsterdam"),
        (update("", TimeStamp="yesterday"), "TimeStamp is 'yesterday', which is not a point in", "2026-07-01T12"),
        (update("", Sequence="-1"), "Sequence is '-1', which is not a whole number from 0 up.", "Digits only"),
        (update("<Conection/>"), "AGRPortfolioUpdate has no element Conection.", "Perhaps Connection is meant."),
        (update("later"), "Inside AGRPortfolioUpdate there is text: 'later'.", "Remove it"),
        (
            update(f'<Connection EntityAddres="{HOME}" StartPeriod="2026-01-01"/>'),
            "Connection lacks the attribute EntityAddress.",
            "Perhaps EntityAddres is a misspelling of it",
        ),
        (
            AGR.xml("DSOPortfolioUpdate", POINT % ('DayAheadRedispatchBy="TSO"', ""), TimeZone="Europe/Amsterdam"),
            "DayAheadRedispatchBy is 'TSO', which is not an allowed value.",
            "Exactly one of AGR and DSO.",
        ),
        (
            AGR.xml("DSOPortfolioUpdate", "<Connection/>", TimeZone="Europe/Amsterdam"),
            "DSOPortfolioUpdate has no element Connection.",
            "It can have CongestionPoint.",
        ),
        (AGR.xml("AGRPortfolioupdate"), "AGRPortfolioupdate is not a message of UFTP.", "Perhaps AGRPortfolioUpdate"),
        (
            AGR.xml().replace(b"<TestMessage", b'<TestMessage xmlns="urn:x"'),
            "The message is in the namespace 'urn:x'.",
            "Messages of UFTP have no namespace",
        ),
        (b"<TestMessage><A></TestMessage>", "An element is closed by the end tag of another one.", "Close each"),
        (b'<TestMessage a="1" a="2"/>', "An element has the same attribute twice.", "Give each attribute once."),
        (b"<TestMessage>", "The message ends before its last element is closed.", "Send the complete message."),
        (b'<TestMessage a="R&D"/>', "A character is at a place where XML does not allow it.", "&amp;"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><TestMessage/>", "The message has a DOCTYPE.", "Remove it"),
        (AGR.xml().decode().encode("utf-16"), "The message is not written in UTF-8.", "Write it in UTF-8"),
        (b"", "The message ends before its last element is closed.", "Send the complete message."),
    ],
)  # fmt: skip
def test_what_is_wrong_and_what_would_be_right(content: bytes, wrong: str, right: str) -> None:
    explained = explain(content, SCHEMA)

    fault = next((fault for fault in explained.faults if fault.wrong.startswith(wrong)), None)
    assert fault, explained
    assert right in fault.right
    assert fault.line == 1


def test_the_place_is_found_in_a_message_of_one_long_line() -> None:
    lines = f'<Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/>' * 500
    content = update(f"{lines}<Connection StartPeriod='2026-01-01'/>{lines}")

    (fault,) = faults(content)

    assert fault.column == content.index(b"<Connection StartPeriod='") + 1
    assert "<Connection StartPeriod='2026-01-01'/>" in fault.excerpt
    assert len(fault.excerpt) < 500
    assert fault.excerpt.startswith("…")
    assert fault.excerpt.endswith("…")


def test_lines_and_columns_count_characters() -> None:
    content = update('<!-- Zürich -->\n<!-- Malmö --><Connection StartPeriod="2026-01-01"/>')

    (fault,) = faults(content)

    assert (fault.line, fault.column) == (2, 15)


def test_version_4_is_held_to_its_own_schema() -> None:
    content = AGR.xml(Version="4.0.0", TimeStamp="2026-07-01T12:00:00")

    assert explain(content, SCHEMA).faults == ()
    (fault,) = explain(content, "uftp-4.0.0.xsd").faults
    assert fault.path == "/TestMessage/@TimeStamp"


def test_many_faults_are_the_first_twenty() -> None:
    explained = explain(update('<Connection EntityAddress="x" StartPeriod="y"/>\n' * 100), SCHEMA)

    assert len(explained.faults) == FAULTS
    assert explained.note == "There are more faults. These are the first 20."
    assert [fault.line for fault in explained.faults] == sorted(fault.line for fault in explained.faults)


ATTRIBUTES = " ".join(f'a{n}=""' for n in range(90))
HOSTILE = {
    "entities": b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>',
    "an entity of a file": b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]><a>&a;</a>',
    "a schema elsewhere": AGR.xml(MessageID=None).replace(
        b"<TestMessage",
        b'<TestMessage xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
        b'i:noNamespaceSchemaLocation="http://127.0.0.1:9/x.xsd"',
    ),
    "another type": AGR.xml().replace(
        b"<TestMessage",
        b'<TestMessage xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="AGRPortfolioQuery"',
    ),
    "deep": b"<a>" * 90_000 + b"</a>" * 90_000,
    "deep and too many": update("<Connection>" * 49 + "</Connection>" * 49),
    "many elements": AGR.xml(inside="<x/>" * 14_000),
    "very many elements": AGR.xml(inside="<x/>" * 200_000),
    "in the wrong order": AGR.xml("AGRPortfolioQueryResponse", "<Connection/><DSO-View/>" * 7_000),
    "many wrong attributes": update(f"<Connection {ATTRIBUTES}/>" * 1_400),
    "too many attributes": AGR.xml(**{f"a{n}": "" for n in range(20_000)}),
    "a long value": AGR.xml(SenderDomain="a-" * 9_000),
    "a very long value": AGR.xml(SenderDomain="a-" * 400_000),
    "too large": update(f'<Connection EntityAddress="{HOME}"/>' * 30_000),
    "no XML": bytes(range(256)) * 100,
    "zeros": b"\0" * 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_end_in_an_explanation_soon(name: str) -> None:
    started = time.process_time()

    explained = explain(HOSTILE[name], SCHEMA)

    assert explained.faults or explained.note
    assert len(explained.faults) <= FAULTS
    assert time.process_time() - started < WITHIN
    for fault in explained.faults:
        assert len(fault.wrong) + len(fault.right) + len(fault.excerpt) < 2_000
        assert "root:" not in fault.wrong + fault.excerpt


def test_beyond_its_time_the_rest_is_left_out() -> None:
    content = update('<Connection EntityAddress="x" StartPeriod="y"/>' * 5_000)

    explained = explain(content, SCHEMA, seconds=-1.0)

    assert "too long" in explained.note
    assert SECONDS < WITHIN
