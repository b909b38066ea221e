"""Reading messages: leniency, extremes, hostile input (docs/protocol-support.md, "Reading")."""

import base64
import gzip
import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from uftp.protocol import messages, versions
from uftp.protocol.envelopes import open_envelope
from uftp.protocol.parsing import (
    InvalidXML,
    MembershipLine,
    PointLine,
    UnusableValue,
    check,
    metadata,
    parse,
    stream_congestion_points,
    stream_connections,
)

ID = "0a1b2c3d-0000-4000-8000-00000000000a"
PAYLOAD = {
    "Version": "3.1.0",
    "SenderDomain": "agr.example",
    "RecipientDomain": "cro.example",
    "TimeStamp": "2026-03-01T12:00:00Z",
    "MessageID": ID,
    "ConversationID": ID,
}
CONNECTION = '<Connection EntityAddress="ean.871685900000000011" StartPeriod="2026-03-01"/>'
POINT = (
    '<CongestionPoint EntityAddress="ean.871685900000000028" StartPeriod="2026-03-01"'
    ' MutexOffersSupported="1" DayAheadRedispatchBy="AGR">'
)
FOREIGN = '<x:note xmlns:x="urn:else"><Connection/><x:deep Anything="1">text</x:deep></x:note>'
SPACES = " " * 64_000_000


def _written(attributes: dict[str, str]) -> str:
    return " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items())


def document(name: str, content: str = "", **attributes: str) -> str:
    """A message called `name`; `attributes` replace those that every message has, or come on top."""
    return f"<{name} {_written(PAYLOAD | attributes)}>{content}</{name}>"


def agr_update(content: str = CONNECTION, **attributes: str) -> str:
    return document("AGRPortfolioUpdate", content, TimeZone="Europe/Amsterdam", **attributes)


def dso_update(content: str, **attributes: str) -> str:
    return document("DSOPortfolioUpdate", content, TimeZone="Europe/Amsterdam", **attributes)


def agr_query(period: str, **attributes: str) -> str:
    return document("AGRPortfolioQuery", TimeZone="Europe/Amsterdam", Period=period, **attributes)


def reservation(isp: str, **attributes: str) -> str:
    data = {
        "ISP_Duration": "PT15M",
        "TimeZone": "Europe/Amsterdam",
        "Period": "2026-03-01",
        "CongestionPoint": "ean.871685900000000028",
        "ContractID": "C",
        "Reference": "R",
    }
    return document("FlexReservationUpdate", isp, **(data | attributes))


def envelope(body: str, **attributes: str) -> bytes:
    data = {"SenderDomain": "agr.example", "SenderRole": "AGR", "Body": body} | attributes
    return f"<SignedMessage {_written(data)}/>".encode()


# Leniency.


def test_lists_may_be_empty() -> None:
    for content in (agr_update(""), dso_update(""), dso_update(f"{POINT}</CongestionPoint>")):
        check(content.encode(), 3)
    assert parse(agr_update("").encode()).connections == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("+7", 7), (" 12 ", 12), ("-0", 0), ("9223372036854775807", 2**63 - 1)]
)
def test_an_update_may_carry_a_sequence(text: str, value: int) -> None:
    for content in (agr_update(Sequence=text).encode(), dso_update("", Sequence=text).encode()):
        check(content, 3)
        assert parse(content).sequence == value  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["-1", "1.0", "", "one"])
def test_a_sequence_is_a_number_not_below_zero(text: str) -> None:
    with pytest.raises(InvalidXML, match="Sequence"):
        check(agr_update(Sequence=text).encode(), 3)


def test_elements_and_attributes_of_foreign_namespaces_are_ignored_anywhere() -> None:
    plain = agr_update()
    strange = agr_update(
        FOREIGN + CONNECTION.replace("/>", f' x:a="1" xmlns:x="urn:else">{FOREIGN}</Connection>')
    )
    strange = strange.replace(
        "<AGRPortfolioUpdate ", '<AGRPortfolioUpdate xmlns:x="urn:else" x:Sequence="no" '
    )
    strange = strange.replace("</AGR", f'<Connection xmlns="urn:else" EntityAddress="no"/>{FOREIGN}</AGR')
    check(strange.encode(), 3)
    assert parse(strange.encode()) == parse(plain.encode())
    assert "Sequence" not in check(strange.encode(), 3).attributes


def test_foreign_elements_between_and_inside_congestion_points_are_ignored() -> None:
    content = dso_update(
        f"{FOREIGN}{POINT}{FOREIGN}{CONNECTION}{FOREIGN}</CongestionPoint>{FOREIGN}"
    ).encode()
    check(content, 3)
    assert list(stream_congestion_points(content)) == [
        PointLine(0, "ean.871685900000000028", date(2026, 3, 1), None, True, "AGR", None),
        MembershipLine(0, "ean.871685900000000011", date(2026, 3, 1), None),
    ]


def test_an_undeclared_prefix_is_not_a_foreign_namespace() -> None:
    with pytest.raises(InvalidXML, match="unbound prefix"):
        check(agr_update("<x:Connection/>").encode(), 3)


def test_a_test_response_may_carry_what_one_library_adds() -> None:
    content = document("TestMessageResponse", Result="Accepted").encode()
    check(content, 3)
    message = parse(content)
    assert isinstance(message, messages.TestMessageResponse)
    assert message.result == "Accepted"


def test_the_next_version_wants_an_offset_and_a_result() -> None:
    with pytest.raises(InvalidXML, match="TimeStamp"):
        check(document("TestMessage", Version="4.0.0", TimeStamp="2026-03-01T12:00:00").encode(), 4)
    with pytest.raises(InvalidXML, match=r"Result|ReferenceMessageID"):
        check(document("TestMessageResponse", Version="4.0.0").encode(), 4)


@pytest.mark.parametrize("name", sorted(messages.OTHER_REQUESTS))
def test_messages_between_dso_and_agr_are_held_to_their_metadata_only(name: str) -> None:
    content = document(name, "<ISP Strange='1'/><Whatever/>", Odd="1").encode()
    for major in (3, 4):
        assert check(content, major).message_type == name
    message = parse(content)
    assert isinstance(message, messages.OtherRequest)
    assert message.message_type == name
    with pytest.raises(InvalidXML, match="MessageID"):
        check(document(name, MessageID="no").encode(), 3)


# Extremes: valid by the schema, but in no calendar or database.


@pytest.mark.parametrize(
    "text",
    ["12026-03-01", "-2026-03-01", "123456789012345678901234567890-01-01", "9999-12-31", "0001-01-01"],
)
def test_a_day_that_no_calendar_holds_is_let_in_and_then_unusable(text: str) -> None:
    query = agr_query(text).encode()
    update = agr_update(CONNECTION.replace("2026-03-01", text)).encode()
    check(query, 3)
    check(update, 3)
    with pytest.raises(UnusableValue, match="day"):
        parse(query)
    with pytest.raises(UnusableValue, match="day"):
        list(stream_connections(update))


def test_an_end_may_be_the_calendars_last_day() -> None:
    content = agr_update(CONNECTION.replace("/>", ' EndPeriod="9999-12-31"/>')).encode()
    check(content, 3)
    assert [line[2] for line in stream_connections(content)] == [date.max]
    late = agr_update(CONNECTION.replace("/>", ' EndPeriod="10000-01-01"/>')).encode()
    check(late, 3)
    with pytest.raises(UnusableValue, match="day"):
        list(stream_connections(late))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-03-01Z", date(2026, 3, 1)),
        ("2026-03-01+14:00", date(2026, 3, 1)),
        ("2026-03-01-11:30", date(2026, 3, 1)),
        (" 2026-03-01&#10;", date(2026, 3, 1)),
        ("2024-02-29", date(2024, 2, 29)),
        (" 2000-02-29 ", date(2000, 2, 29)),
    ],
)
def test_the_day_named_is_what_counts(text: str, value: date) -> None:
    content = agr_query(text).encode()
    assert check(content, 3).attributes["Period"] == text.replace("&#10;", "").strip()
    assert parse(content).period == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-02-29",
        "1900-02-29",
        "2026-13-01",
        "0000-01-01",
        "26-01-01",
        "2026-1-1",
        "",
        "today",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(InvalidXML, match="Period"):
        check(agr_query(text).encode(), 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00+14:00", datetime(2026, 2, 28, 22, tzinfo=UTC)),
        ("2026-03-01T12:00:00-00:30", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456789012345Z", datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T12:00:00.5Z", datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        (" 2026-03-01T12:00:00Z ", datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_a_time_stamp_is_read_in_utc_to_the_microsecond(text: str, value: datetime) -> None:
    assert metadata(check(document("TestMessage", TimeStamp=text).encode(), 3)).time_stamp == value


@pytest.mark.parametrize(
    "text",
    ["12026-03-01T12:00:00Z", "-0001-03-01T12:00:00Z", "2026-03-01T24:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_a_time_stamp_that_no_calendar_holds_is_let_in_and_then_unusable(text: str) -> None:
    header = check(document("TestMessage", TimeStamp=text).encode(), 3)
    with pytest.raises(UnusableValue, match="point in time"):
        metadata(header)


@pytest.mark.parametrize(
    "text", ["2026-03-01", "2026-03-01T25:00:00Z", "2026-03-01T24:00:01Z", "2026-03-01T12:00:00+15:00"]
)
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidXML, match="TimeStamp"):
        check(document("TestMessage", TimeStamp=text).encode(), 3)


@pytest.mark.parametrize("attribute", ["Power", "Duration", "Start"])
def test_a_number_of_thirty_digits_is_let_in_and_then_unusable(attribute: str) -> None:
    numbers = {"Power": "1", "Start": "1", "Duration": "1"} | {attribute: "9" * 30}
    isp = f"<ISP {_written(numbers)}/>"
    content = reservation(isp).encode()
    check(content, 3)
    with pytest.raises(UnusableValue, match=attribute):
        parse(content)


def test_a_duration_of_any_length_is_let_in_as_text() -> None:
    content = reservation('<ISP Power="-5" Start="1"/>', ISP_Duration=f"PT{'9' * 30}M").encode()
    check(content, 3)
    message = parse(content)
    assert isinstance(message, messages.FlexReservationUpdate)
    assert message.isp_duration == f"PT{'9' * 30}M"
    assert message.isps == (messages.ISP(power=-5, start=1, duration=1),)


@pytest.mark.parametrize("version", ["03.1.0", "3.2.0", "٣.١.٠", "3.1.99999999999999999999999"])
def test_a_version_that_is_not_supported_is_let_in(version: str) -> None:
    assert check(document("TestMessage", Version=version).encode(), 3).version == version


@pytest.mark.parametrize(
    "address",
    [
        "ea1.2007-11.nl:a&amp;b",
        "ea1.2007-11.a:&lt;&quot;'&gt;",
        f"ea1.2007-11.{'&amp;' * 244}:{'😀' * 244}",
        "ea1.2007-11. a: \tb ",
    ],
)
def test_addresses_are_kept_to_the_letter(address: str) -> None:
    content = agr_update(CONNECTION.replace("ean.871685900000000011", address)).encode()
    check(content, 3)
    plain = address.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    assert [line[0] for line in stream_connections(content)] == [plain.replace("\t", " ")]


@pytest.mark.parametrize(
    "address",
    [
        "ean.12345678901",
        f"ean.{'1' * 35}",
        f"ea1.2007-11.{'a' * 245}:b",
        "ea1.2007-11.a",
        "ea1.2007-11.a:&#10;",
        " ean.123456789012",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidXML, match="EntityAddress"):
        check(agr_update(CONNECTION.replace("ean.871685900000000011", address)).encode(), 3)


# The envelope.


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100_000, 100_001, 100_002])
@pytest.mark.parametrize("spaced", [False, True])
def test_an_envelope_gives_its_bytes_back(size: int, spaced: bool) -> None:
    body = os.urandom(size)
    text = base64.b64encode(body).decode()
    if spaced:
        text = f" {text[:7]}\n\t{text[7:]} "
    opened = open_envelope(envelope(text))
    assert (opened.sender_domain, opened.sender_role, opened.body) == ("agr.example", "AGR", body)


@pytest.mark.parametrize("filler", ["", "A" * 100_000])
@pytest.mark.parametrize(
    "tail", ["A", "AA", "AAA", "AB==", "AAB=", "AA=A", "====", "AA==AAAA", "A*AA", "AA-_", "AAAA=", "é"]
)
def test_what_is_not_canonical_base64_is_refused(filler: str, tail: str) -> None:
    with pytest.raises(InvalidXML, match="Body"):
        open_envelope(envelope(filler + tail))


def test_a_large_body_is_looked_for_in_the_right_place() -> None:
    real, decoy = base64.b64encode(b"r" * 100_000).decode(), base64.b64encode(b"d" * 100_000).decode()
    for content in (
        f'<!-- Body="{decoy}" --><SignedMessage SenderDomain="a.nl" SenderRole="AGR" Body="{real}"/>',
        f'<SignedMessage xmlns:x="urn:x" x:Body="{decoy}" SenderDomain="a.nl" SenderRole="AGR" Body="{real}"/>',
        f"<SignedMessage xmlns:x='urn:x' x:a='Body=\"{decoy}\"' SenderDomain='a.nl' SenderRole='AGR' Body='{real}'/>",
        f'<SignedMessage SenderDomain="a.nl" SenderRole="AGR" Body="&#10;{real}"/>',
    ):
        assert open_envelope(content.encode()).body == b"r" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        envelope("AAAA", SenderRole="BRP"),
        envelope("AAAA", SenderDomain="Agr.Example"),
        envelope("AAAA", Extra="1"),
        envelope("AAAA").replace(b"/>", b"><Connection/></SignedMessage>"),
        b'<SignedMessage SenderDomain="agr.example" SenderRole="AGR"/>',
        document("TestMessage").encode(),
    ],
)
def test_what_is_no_signed_message_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidXML):
        open_envelope(content)


def test_a_signed_message_is_no_message_inside_another() -> None:
    with pytest.raises(InvalidXML, match="SignedMessage"):
        check(envelope("AAAA"), 3)


# Hostile input.

DOCTYPE = '<!DOCTYPE x [<!ENTITY a "b">]>'
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join('<!ENTITY l{} "{}">'.format(n, f"&l{n - 1};" * 10) for n in range(1, 10))
    + "]>"
)
REFUSED = {
    "doctype": (DOCTYPE + agr_update()).encode(),
    "doctype after a comment": f"<?xml version='1.0'?>\n<!-- a -->{DOCTYPE}{agr_update()}".encode(),
    "billion laughs": (LAUGHS + agr_update(Sequence="&l9;")).encode(),
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + agr_update(Reference="&a;").encode(),
    "external subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + agr_update().encode(),
    "utf-16": agr_update().encode("utf-16"),
    "utf-16 without mark": agr_update().encode("utf-16-be"),
    "utf-16 declared": b"<?xml version='1.0' encoding='UTF-16'?>" + agr_update().encode(),
    "utf-32": agr_update().encode("utf-32"),
    "utf-7": b"<?xml version='1.0' encoding='UTF-7'?>"
    + DOCTYPE.replace("<", "+ADw-").encode()
    + agr_update().encode(),
    "latin-1": b"<?xml version='1.0' encoding='ISO-8859-1'?>" + agr_update().encode(),
    "not utf-8": agr_update(RejectionReason="x").encode().replace(b'"x"', b'"\xff"'),
    "100,000 errors": agr_update("<Bad/>" * 100_000).encode(),
    "100,000 bad values": agr_update(CONNECTION.replace("2026", "no") * 100_000).encode(),
    "300 deep": agr_update("<x>" * 300 + "</x>" * 300).encode(),
    "a million deep": agr_update("<x>" * 1_000_000).encode(),
    "a million deep, foreign": agr_update('<x:x xmlns:x="urn:x">' + "<x:x>" * 1_000_000).encode(),
    "truncated": agr_update(CONNECTION * 100).encode()[:-60],
    "truncated in a character": agr_update("é").encode()[: agr_update("é").encode().index(b"\xc3") + 1],
    "gzip": gzip.compress(agr_update().encode()),
    "empty": b"",
    "spaces only": SPACES.encode(),
    "two roots": (agr_update() * 2).encode(),
    "unknown entity": agr_update("&foo;").encode(),
    "a value of a million characters": agr_update(CONNECTION.replace("ean.", "x" * 1_000_000)).encode(),
    "another message": b"<Nothing/>",
    "text": agr_update("text").encode(),
}


def check_3(content: bytes) -> None:
    check(content, 3)


def check_4(content: bytes) -> None:
    check(content, 4)


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_input_is_refused_in_one_short_line_within_a_second(name: str) -> None:
    for read in (check_3, check_4, open_envelope):
        started = time.process_time()
        with pytest.raises(InvalidXML) as refusal:
            read(REFUSED[name])
        assert time.process_time() - started < 1
        text = str(refusal.value)
        assert text.isprintable()
        assert len(text) < 400
        assert text.startswith("line ")


def test_an_error_says_where_it_is() -> None:
    filler = f"\n  {CONNECTION}" * 3000
    content = agr_update(f"{filler}\n    {CONNECTION.replace('2026', 'x')}\n")
    with pytest.raises(InvalidXML, match=r"\Aline 3002, column 5: .*Connection.*StartPeriod.*'x-03-01'"):
        check(content.encode(), 3)


def test_comments_and_instructions_are_not_in_the_way() -> None:
    content = f"<!-- <!DOCTYPE a> -->{agr_update(f'<!-- x --><?pi y?>{CONNECTION}<!-- x -->')}<!-- x -->"
    check(content.encode("utf-8-sig"), 3)
    assert parse(content.encode()) == parse(agr_update().encode())


SPACED = {
    "between elements": "check(document('AGRPortfolioUpdate', SPACES, TimeZone='Europe/Amsterdam').encode(), 3)",
    "before the root": "check((SPACES + agr_update()).encode(), 3)",
    "after the root": "check((agr_update() + SPACES).encode(), 3)",
    "in the Body": "open_envelope(envelope(SPACES + 'AAAA'))",
    "before the envelope": "open_envelope(SPACES.encode() + envelope('AAAA'))",
    "inside the envelope": (
        "open_envelope(envelope('AAAA').replace(b'/>', b'>' + SPACES.encode() + b'</SignedMessage>'))"
    ),
}


@pytest.mark.parametrize("place", SPACED)
def test_64_megabytes_of_spaces_cost_little(place: str) -> None:
    """In a process of its own, whose memory nothing else has touched; the input itself is three times its size."""
    call = SPACED[place]
    made = call[call.index("(") + 1 : call.rindex(")")].removesuffix(", 3")
    program = f"""
import resource, time
from tests.uftp.protocol.test_parsing import *
content = {made}
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
{"check(content, 3)" if call.startswith("check") else "open_envelope(content)"}
print(time.process_time() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 1
    assert megabytes < 200


def test_a_long_tag_is_read_and_a_longer_one_refused() -> None:
    """Wherever in the document it stands; of the envelope, whose Body is the whole message, any is read."""
    for before in (0, 1, 60_000, 200_000):
        for size, refused in ((450_000, False), (1_500_000, True)):
            lead = "<!-- -->" + " " * before
            foreign = f'xmlns:x="urn:x" x:y="{"a" * size}" Version='
            for content in (
                lead + agr_update().replace("Version=", foreign, 1),
                f"{lead}<!--{'a' * size}-->{agr_update()}",
            ):
                if refused:
                    with pytest.raises(
                        InvalidXML, match=r"line 1, column [0-9]+: a tag or comment of more than 500000"
                    ):
                        check(content.encode(), 3)
                else:
                    assert check(content.encode(), 3).message_type == "AGRPortfolioUpdate"
    body = b"QUJD" * 1_000_000
    envelope = b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="' + body + b'"/>'
    assert len(open_envelope(envelope).body) == 3_000_000
    assert len(open_envelope(envelope.replace(b"QUJD", b"&#81;UJD", 1)).body) == 3_000_000


def test_schemas_are_made_before_there_are_threads() -> None:
    """libxml2 makes a wrong one, or ends the process, where two threads make theirs at once."""
    reads = """
import sys
from lxml import etree
from uftp.protocol import validation, versions
etree.XMLSchema = None
for name in {"signed-message.xsd", *(version.schema for version in versions.SUPPORTED.values())}:
    try:
        validation.validate(b"<Unknown/>", name)
    except validation.InvalidXML as invalid:
        print(name, invalid)
"""
    root = Path(__file__).resolve().parents[3]
    output = subprocess.run(
        [sys.executable, "-c", reads], cwd=root, capture_output=True, text=True, check=True
    )
    assert sorted(line.split()[0] for line in output.stdout.splitlines()) == sorted(
        {"signed-message.xsd", *(version.schema for version in versions.SUPPORTED.values())}
    )


def test_a_message_without_its_envelope_is_told_to_be_signed() -> None:
    with pytest.raises(InvalidXML) as refused:
        open_envelope(agr_update(CONNECTION).encode())
    assert str(refused.value) == (
        "line 1, column 1: 'AGRPortfolioUpdate' is found where a SignedMessage is expected: sign it, and send it as the"
        " Body of one"
    )


def test_an_unknown_message_is_named() -> None:
    with pytest.raises(InvalidXML, match="line 1, column 1: 'Greeting' is not a message of UFTP"):
        check(b"<Greeting/>", 3)


@pytest.mark.parametrize(
    ("address", "odd"),
    [
        ("ean.871685900012636543 ", "U+0020 at character 23"),
        (" ean.871685900012636543", "U+0020 at character 1"),
        ("ean.871685900012636\u200b543", "U+200B at character 20"),
        ("ean.871685900012636543\u00a0", "U+00A0 at character 23"),
    ],
)
def test_E1_an_odd_character_of_a_value_that_the_schema_refuses_is_named(address: str, odd: str) -> None:
    with pytest.raises(InvalidXML) as refused:
        check(agr_update(CONNECTION.replace("ean.871685900000000011", address)).encode(), 3)
    assert str(refused.value).endswith(f" is not an entity address. It has {odd}.")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            'StartPeriod="2026-03-01"',
            'StartPeriod="01-12-2026"',
            "Element 'Connection', attribute 'StartPeriod': '01-12-2026' is not a day of the calendar. Year, month and"
            " day of a day that exists, such as 2026-07-01.",
        ),
        (
            'MessageID="',
            "MessageID=\"it's",
            " is not a UUID. 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12, such as"
            " 2f1c0d5a-6f0e-4b3c-9a57-0c6f2d1e8b44.",
        ),
        (
            "ean.871685900000000011",
            "871685900000000011",
            "'871685900000000011' is not an entity address. Either ean. and 12 to 34 digits, such as"
            " ean.871685900012636543, or ea1., a month, a domain backwards, a colon and a name, such as"
            " ea1.2026-01.example.grid:feeder-7.",
        ),
    ],
)
def test_the_form_of_a_value_that_is_refused_is_named(right: str, wrong: str, said: str) -> None:
    message = agr_update(CONNECTION)
    assert right in message
    with pytest.raises(InvalidXML) as refused:
        check(message.replace(right, wrong).encode(), 3)
    assert str(refused.value).endswith(said)


def test_a_namespace_is_named_as_the_cause() -> None:
    declared = "is in the namespace 'urn:uftp', and UFTP has none: remove the declaration (xmlns)"
    with pytest.raises(InvalidXML) as envelope:
        open_envelope(b'<SignedMessage xmlns="urn:uftp"/>')
    with pytest.raises(InvalidXML) as message:
        check(b'<AGRPortfolioUpdate xmlns="urn:uftp"/>', 3)
    assert str(envelope.value) == f"line 1, column 1: 'SignedMessage' {declared}"
    assert str(message.value) == f"line 1, column 1: 'AGRPortfolioUpdate' {declared}"
