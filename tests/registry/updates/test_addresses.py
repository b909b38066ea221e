"""The entity addresses of updates: their form and their check digit, in messages and files alike (E1, E2)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from common.check_digits import with_check_digit
from common.csv.importing import ImportRefused
from common.csv.rejects import Rejects
from common.identifiers import SPECIFIED_ENTITY_ADDRESS
from participants.models import Participant
from registry.changes import Source
from registry.exports.tables import export_congestion_points, export_connections
from registry.market.policies import set_policy
from registry.models import CongestionPoint, Connection
from registry.updates.publish import publish_representations
from tests.registry.imports.files import take_connections, take_points
from tests.support.eans import ean
from tests.support.exchange import exchange
from tests.support.peer import Peer
from uftp.handlers import Rejection

pytestmark = pytest.mark.django_db(transaction=True)

ODD = {
    "feeder-1 ": "U+0020 at character 34",
    "feeder&#9;1": "U+0009 at character 32",
    "feeder&#127;": "U+007F at character 32",
    "feeder\u00a0": "U+00A0 at character 32",
    "feede\u200b": "U+200B at character 31",
    "feeder\u2028x": "U+2028 at character 32",
    "feeder\u2029x": "U+2029 at character 32",
}
"""The end of an address in XML, and what the answer says of it."""

WRONG, RIGHT = "ean.871685900012636544", "ean.871685900012636543"
TERMS = 'MutexOffersSupported="true" DayAheadRedispatchBy="AGR"'
DAYS = 'StartPeriod="2030-01-01"'
WITHDRAWN = 'StartPeriod="2030-01-01" EndPeriod="2029-12-31"'


@pytest.fixture
def agr() -> Peer:
    peer = Peer("AGR", "first.example")
    peer.register()
    return peer


@pytest.fixture
def dso() -> Peer:
    peer = Peer("DSO", "grid.example")
    peer.register()
    return peer


def connection(address: str, days: str = DAYS) -> str:
    return f'<Connection EntityAddress="{address}" {days}/>'


def point(address: str, *connections: str, days: str = DAYS) -> str:
    return (
        f'<CongestionPoint EntityAddress="{address}" {days} {TERMS}>{"".join(connections)}</CongestionPoint>'
    )


def said(peer: Peer, message_type: str, inside: str = "", **attributes: str) -> str:
    """What a message is answered."""
    content = peer.xml(message_type, inside, TimeZone="Europe/Amsterdam", **attributes)
    answer = exchange(peer, content)
    return f"{answer.result} {answer.reason}"


def exported(file: Iterator[bytes]) -> list[str]:
    """The lines of an exported file, without the header."""
    return b"".join(file).decode().splitlines()[1:]


@pytest.mark.parametrize(("end", "odd"), ODD.items())
def test_E1_an_odd_address_in_a_message_is_rejected_and_never_stored(
    agr: Peer, dso: Peer, end: str, odd: str
) -> None:
    address = f"ea1.2026-01.example.grid:{end}"
    updates = [
        (agr, "AGRPortfolioUpdate", connection(address)),
        (agr, "AGRPortfolioUpdate", connection(address, WITHDRAWN)),
        (dso, "DSOPortfolioUpdate", point(address, connection(RIGHT))),
        (dso, "DSOPortfolioUpdate", point(address, connection(RIGHT), days=WITHDRAWN)),
        (dso, "DSOPortfolioUpdate", point("ea1.2026-01.example.grid:good", connection(address))),
    ]
    for peer, message_type, inside in updates:
        answer = said(peer, message_type, inside)
        assert answer.startswith("Rejected "), answer
        assert not re.search("[^ -~]", answer), "an answer repeats no odd character"
        if WITHDRAWN not in inside or peer is dso:
            assert f"({odd}) is not printable ASCII without white space at its ends" in answer
    assert not Connection.objects.exists()
    assert not CongestionPoint.objects.exists()


@pytest.mark.parametrize(("end", "odd"), ODD.items())
def test_E1_an_odd_address_in_a_query_is_rejected(dso: Peer, end: str, odd: str) -> None:
    answer = exchange(
        dso,
        dso.xml("DSOPortfolioQuery", TimeZone="Europe/Amsterdam", Period="2030-01-01", EntityAddress="{}")
        .decode()
        .replace("{}", f"ea1.2026-01.example.grid:{end}")
        .encode(),
    )
    assert answer.result == "Rejected"
    assert answer.reason.startswith("Invalid Message: ea1.2026-01.example.grid:feede")
    assert f"({odd})" in answer.reason


@pytest.mark.parametrize(("end", "odd"), ODD.items())
def test_E1_an_odd_address_in_a_file_is_a_bad_line(agr: Peer, dso: Peer, end: str, odd: str) -> None:
    """But blanks and tabs around a value, which are ignored in files."""
    address = f"ea1.2026-01.example.grid:{etree.fromstring(f'<a>{end}</a>').text}"
    for take, line in (
        (take_connections, f"first.example,{address},2030-01-01,"),
        (take_points, f"grid.example,{address},2030-01-01,,true,AGR,,,,"),
    ):
        if end.endswith(" "):
            take([line])
            continue
        rejects = Rejects()
        with pytest.raises(ImportRefused):
            take([line], rejects=rejects)
        (reject,) = rejects.first
        assert reject.rule == f"address: {odd}; an entity address is printable ASCII"
    assert not Connection.objects.filter(address__regex="[^ -~]| $").exists()


anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
characters = anything | st.sampled_from(
    [" ", "\t", "\x7f", "\xa0", "\u200b", "\u2028", '"', "'", ",", ";", "\\"]
)
names = st.builds(
    "".join, st.lists(st.sampled_from(["a", "1", "-", "Z"]) | characters, min_size=1, max_size=5)
)
stated = st.lists(
    st.one_of(
        st.builds("ea1.2026-01.{}:{}".format, names, names).filter(
            lambda address: re.fullmatch(SPECIFIED_ENTITY_ADDRESS, address)  # else it is refused before
        ),
        st.from_regex(r"ean\.[0-9]{12,34}", fullmatch=True),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(addresses=stated)
@example(addresses=["ea1.2026-01.example.grid:feeder\u2028"])
@example(addresses=["ea1.2026-01.example.grid:a\\b,c;'\"d"])
@example(addresses=["ea1.2026-01.=1:+2"])
def test_E1_what_a_message_stores_an_export_and_an_import_take_back(addresses: list[str]) -> None:
    with transaction.atomic():
        agr = Participant.objects.create(role="AGR", domain="first.example")
        try:
            with transaction.atomic():
                publish_representations(
                    agr,
                    [(address, date(2030, 1, 1), None) for address in addresses],
                    today=date(2026, 1, 1),
                    source=Source.of_import("a message"),
                )
        except Rejection:
            stored = []
        else:
            stored = addresses
        lines = exported(export_connections())
        assert [line[1] for line in csv.reader(lines)] == sorted(stored)
        again = take_connections(lines)
        assert (again.change, again.lines) == (None, len(stored))
        transaction.set_rollback(True)


@pytest.fixture
def stored_before(agr: Peer, dso: Peer) -> tuple[str, str]:
    """A connection and a congestion point of an earlier version, with characters that are refused by now."""
    said(agr, "AGRPortfolioUpdate", connection("ea1.2026-01.x:home") + connection(RIGHT))
    inside = connection("ea1.2026-01.x:home") + connection(RIGHT)
    said(dso, "DSOPortfolioUpdate", point("ea1.2026-01.example.grid:old", inside))
    said(dso, "DSOPortfolioUpdate", point("ea1.2026-01.example.grid:good", inside))
    home, old = "ea1.2026-01.x:home\u2028", "ea1.2026-01.example.grid:old\u200b"
    Connection.objects.filter(address="ea1.2026-01.x:home").update(address=home)
    CongestionPoint.objects.filter(address="ea1.2026-01.example.grid:old").update(address=old)
    return home, old


def test_E1_what_was_stored_before_breaks_no_answer_and_no_export(
    agr: Peer, dso: Peer, stored_before: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    query = agr.xml("AGRPortfolioQuery", TimeZone="Europe/Amsterdam", Period="2030-02-01")
    root = etree.fromstring(exchange(agr, query).content)
    assert [each.get("EntityAddress") for each in root.iter("CongestionPoint")] == [
        "ea1.2026-01.example.grid:good"
    ]
    assert {each.get("EntityAddress") for each in root.iter("Connection")} == {RIGHT}
    query = dso.xml(
        "DSOPortfolioQuery",
        TimeZone="Europe/Amsterdam",
        Period="2030-02-01",
        EntityAddress="ea1.2026-01.example.grid:good",
    )
    root = etree.fromstring(exchange(dso, query).content)
    assert [each.get("EntityAddress") for each in root.iter("Connection")] == [RIGHT]

    lines = exported(export_connections())
    assert lines == [f"first.example,{RIGHT},2030-01-01,"]
    assert take_connections(lines).change is None
    points = exported(export_congestion_points())
    assert [line.split(",")[1] for line in points] == ["ea1.2026-01.example.grid:good"] * len(points)
    assert take_points(points).change is None
    for command in ("export_connections", "export_congestion_points"):
        call_command(command, stdout=io.StringIO())
        told = capsys.readouterr().err
        assert (
            "Left out, because no import would take it: ea1.2026-01.example.grid:old<U+200B> (U+200B at char"
            in told
        )
        assert "ea1.2026-01.x:home<U+2028> (U+2028 at character 19). docs/operating.md, Upgrading" in told


def test_E1_of_many_addresses_that_no_file_holds_the_first_are_named_and_all_counted(
    agr: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    said(agr, "AGRPortfolioUpdate", "".join(connection(f"ea1.2026-01.x:home{n:02}") for n in range(25)))
    Connection.objects.update(address=Concat("address", Value("\u200b")))
    call_command("export_connections", stdout=io.StringIO())
    told = capsys.readouterr().err
    assert told.count("U+200B at character") == 20
    assert "ea1.2026-01.x:home19<U+200B> (U+200B at character 21) and 5 more. docs/operating.md" in told


def test_E1_what_was_stored_before_can_be_withdrawn(
    agr: Peer, dso: Peer, stored_before: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    home, old = stored_before
    assert said(agr, "AGRPortfolioUpdate", connection(home)).startswith(
        "Rejected Invalid Message: ea1.2026-01.x:home"
    )
    assert said(agr, "AGRPortfolioUpdate", connection(home, WITHDRAWN)) == "Accepted "
    good = "ea1.2026-01.example.grid:good"
    assert said(dso, "DSOPortfolioUpdate", point(good, connection(home, WITHDRAWN))) == "Accepted "
    assert said(dso, "DSOPortfolioUpdate", point(old, connection(RIGHT))).startswith(
        "Rejected Invalid Message: "
    )
    assert said(
        dso, "DSOPortfolioUpdate", point(old, connection(RIGHT, WITHDRAWN), days=WITHDRAWN)
    ).startswith("Accepted")
    call_command("export_connections", stdout=io.StringIO())
    assert capsys.readouterr().err == ""


def test_E2_a_wrong_check_digit_in_a_message_is_taken_with_a_warning(agr: Peer, dso: Peer) -> None:
    inside = connection(WRONG) + connection(RIGHT)
    warned = f"Accepted Warning: Wrong check digit: {WRONG}"
    assert said(agr, "AGRPortfolioUpdate", inside) == warned
    assert said(dso, "DSOPortfolioUpdate", point(WRONG, inside)) == warned
    assert Connection.objects.filter(address=WRONG).exists()
    assert said(agr, "AGRPortfolioUpdate", connection(WRONG, WITHDRAWN)) == "Accepted "
    set_policy("check digits", "accept", actor="staff", reason="known")
    assert said(agr, "AGRPortfolioUpdate", inside) == "Accepted "


def test_E2_many_wrong_check_digits_are_counted(agr: Peer) -> None:
    wrong = [f"{ean(number)[:-1]}{(int(ean(number)[-1]) + 1) % 10}" for number in range(25)]
    answer = said(agr, "AGRPortfolioUpdate", "".join(map(connection, wrong)))
    assert answer.startswith(f"Accepted Warning: Wrong check digit: {wrong[0]}, ")
    assert answer.endswith(" and 5 more")


def test_E2_a_wrong_check_digit_in_a_file_is_taken_with_a_warning(agr: Peer, dso: Peer) -> None:
    lines = [
        f"first.example,{WRONG},2030-01-01,",
        f"first.example,ean.{with_check_digit('1' * 17)},2030-01-01,",
    ]
    assert take_connections(lines).warnings == (f"Wrong check digit: {WRONG}",)
    points = [f"grid.example,ea1.2026-01.g:p,2030-01-01,,true,AGR,,{WRONG},2030-01-01,"]
    assert take_points(points).warnings == (f"Wrong check digit: {WRONG}",)
    set_policy("check digits", "accept", actor="staff", reason="known")
    assert take_connections(lines).warnings == ()


def test_E1_the_upgrade_prints_what_was_stored_before(
    stored_before: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    migration = import_module("registry.migrations.0013_odd_addresses")
    migration.report(None, SimpleNamespace(connection=database))
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[0].startswith("2 registered addresses are not printable ASCII")
    assert printed[1:] == ["'ea1.2026-01.example.grid:old\\u200b'", "'ea1.2026-01.x:home\\u2028'"]
    Connection.objects.filter(address__endswith="\u2028").update(address="ea1.2026-01.x:home")
    CongestionPoint.objects.filter(address__endswith="\u200b").update(address="ea1.2026-01.example.grid:old")
    migration.report(None, SimpleNamespace(connection=database))
    assert capsys.readouterr().out == ""
