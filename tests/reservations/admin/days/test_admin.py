"""What is left of reservations as staff look at it: a day, a month, the month of all contracts, and the settlement."""

from __future__ import annotations

import csv
import html
import re
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from common import clock
from registry.market.market import set_market, today_at
from registry.models import Change
from reservations.contracts.profiles import Profile, Stretch
from reservations.deadlines import Deadline
from reservations.models import Contract, ReservationUpdate
from reservations.updates import lifecycle
from tests.registry.admin.pages import represented
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    Parties,
    a_contract,
    another_agr,
    clerk,
    deliver,
    participant,
    send,
    some_parties,
    state,
    update_of,
    update_xml,
)
from tests.reservations.form_data import member
from tests.support.meanwhile import meanwhile
from tests.support.peer import CRO, Peer
from tests.support.receiver import Receiver

LIST = "/admin/reservations/contract/"
PAGES = ("day/2026-03-04/", "month/2026-03/")


@pytest.fixture
def kim(client: Client, db: None) -> Client:
    """An operator."""
    client.force_login(member("kim"))
    return client


def page(below: str, contract_id: str = CONTRACT) -> str:
    return f"{LIST}{Contract.objects.get(contract_id=contract_id).pk}/{below}"


def text(client: Client, url: str, **query: object) -> str:
    """What a page says, without its tags."""
    answer = client.get(url, query)
    assert answer.status_code == 200, (url, answer.status_code, answer.get("Location"))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode()))).strip()


def an_update(parties: Parties, *isps: tuple[int, int, int], **values: Any) -> ReservationUpdate:
    return update_of(send(parties.dso, update_xml(parties.dso, CRO, *isps, **values)))


# A day.


def test_a_day_says_energy_deadline_runs_and_updates(kim: Client, parties: Parties) -> None:
    update = an_update(parties, (1, 8, 1_000), (41, 20, 0), Reference="R-17")
    page_words = text(kim, page("day/2026-03-04/"))
    assert "Contracted 50 kWh and −15 kWh Remaining 42 kWh Released 8 kWh and −15 kWh" in page_words
    assert (
        "2026-03-03 12:00:00 CET: the day before at 12:00. Until then the DSO may release power."
        in page_words
    )
    assert "1-8 00:00–02:00 5,000 W 1,000 W 4,000 W R-17" in page_words
    assert "9-40 02:00–10:00 5,000 W 5,000 W 0 W –" in page_words
    assert "41-60 10:00–15:00 −3,000 W 0 W −3,000 W R-17" in page_words
    assert "R-17 Accepted 2026-03-02 09:00:00 CET ISPs 1-8: 1,000 W ISPs 41-60: 0 W Accepted 20" in page_words
    source = kim.get(page("day/2026-03-04/")).content.decode()
    assert f'href="/admin/reservations/reservationupdate/{update.pk}/change/"' in source


def test_the_deadline_is_over_after_its_moment(kim: Client, parties: Parties, at: At) -> None:
    at("2026-03-03T12:00:00+01:00")
    assert "Until then the DSO may release power." in text(kim, page("day/2026-03-04/"))
    at("2026-03-03T12:00:01+01:00")
    assert "It is over." in text(kim, page("day/2026-03-04/"))


def test_all_updates_of_a_day_are_listed_whatever_became_of_them(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    rejected = an_update(connected, (1, 1, 0), Reference="first")
    lifecycle.record_outcome(rejected, accepted=False, source=clerk(), expected=state(rejected))
    receiver.reply = lambda posted, before: (410, {}, b"Gone")
    send(connected.dso, update_xml(connected.dso, connected.agr.domain, (2, 1, 0), Reference="second"))
    deliver(connected.agr)
    send(connected.dso, update_xml(connected.dso, connected.agr.domain, (3, 1, 0), Reference="third"))
    page_words = text(kim, page("day/2026-03-04/"))
    assert re.search(r"first Rejected does not count .* Rejected 20[^A-Z]*CES?T Accepted 20", page_words)
    assert re.search(
        r"second Undone does not count .* ISP 2: 0 W Undone 20[^A-Z]*CES?T Received 20", page_words
    )
    assert re.search(r"third Received does not count .* ISP 3: 0 W Received 20", page_words)
    assert "Released 0 kWh" in page_words
    month = text(kim, page("month/2026-03/"))
    assert "Updates 1 received, 1 rejected, 1 undone" in month


def test_a_day_is_shown_as_known_at_a_past_moment(kim: Client, parties: Parties) -> None:
    Change.objects.update(moment=datetime.fromisoformat("2026-03-01T23:59:59.9+01:00"))
    an_update(parties, (1, 8, 1_000))
    for below, released in zip(PAGES, ("4,000 W", "8 kWh"), strict=True):
        page_words = text(kim, page(below))
        assert released in page_words
        assert "As known at present" not in page_words
        then = text(kim, page(below), known_day="2026-03-01")
        assert "This is what was known at 2026-03-01 23:59:59 CET." in then
        assert released not in then
        assert "5,000 W" in then or "50 kWh" in then
        links = kim.get(page(below), {"known_day": "2026-03-01"}).content.decode()
        assert links.count("known_day=2026-03-01") >= 4
        assert "50 kWh" not in text(kim, page(below), known_day="2026-02-28")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("below", [*PAGES, "overview"])
def test_H1_a_change_goes_on_while_a_page_of_a_past_moment_is_rendered(
    below: str, kim: Client, parties: Parties
) -> None:
    address = f"{LIST}overview/" if below == "overview" else page(below)
    with meanwhile(lambda: represented("another.example", 1), after="pg_advisory_xact_lock_shared") as waited:
        text(kim, address, known_day="2026-03-01")
    assert len(waited) == 1, "the page did not wait for the changes before its moment"


def test_the_link_to_the_present_keeps_the_month_and_the_contracts(kim: Client, parties: Parties) -> None:
    query = {"month": "2026-03", "dso": parties.dso.domain}
    page_then = kim.get(f"{LIST}overview/", {**query, "known_day": "2026-03-01", "known_time": "10:00"})
    link = re.search(r'<a href="([^"]*)">As known at present</a>', page_then.content.decode())
    assert link
    assert parse_qs(html.unescape(link[1]).removeprefix("?")) == {
        name: [value] for name, value in query.items()
    }
    for below in PAGES:
        then = kim.get(page(below), {"known_day": "2026-03-01"}).content.decode()
        assert '<a href="?">As known at present</a>' in then


def test_another_day_is_another_page(kim: Client, parties: Parties) -> None:
    answer = kim.get(page("day/2026-03-04/"), {"on": "2026-05-01", "known_day": "2026-03-01"})
    assert (answer.status_code, answer["Location"]) == (
        302,
        page("day/2026-05-01/") + "?known_day=2026-03-01",
    )
    answer = kim.get(page("month/2026-03/"), {"month": "2026-05"})
    assert (answer.status_code, answer["Location"]) == (302, page("month/2026-05/"))


@pytest.mark.parametrize(
    ("day", "many", "note"),
    [
        ("2026-03-29", "1-92", "which has 92 ISPs: the times from 02:00 to 03:00 do not come"),
        ("2026-10-25", "1-100", "which has 100 ISPs: the times from 02:00 to 03:00 come twice"),
    ],
)
def test_days_on_which_the_clock_changes(
    kim: Client, at: At, db: None, day: str, many: str, note: str
) -> None:
    parties = some_parties()
    a_contract(parties.dso, parties.agr, profile=Profile((Stretch(1, 96, 1_000),)))
    page_words = text(kim, page(f"day/{day}/"))
    assert note in page_words
    assert f"{many} 00:00–24:00 1,000 W 1,000 W 0 W" in page_words
    if many == "1-100":
        assert "9 02:00 CEST–02:15 CEST 1,000 W" in page_words
        assert "13 02:00 CET–02:15 CET 1,000 W" in page_words


def test_a_deadline_within_the_day_is_marked(kim: Client, at: At, db: None) -> None:
    parties = some_parties()
    a_contract(parties.dso, parties.agr, deadline=Deadline(days=0, at=time(10)))
    assert '<text class="deadline"' in kim.get(page("day/2026-03-04/")).content.decode()


def test_a_day_settled_by_an_earlier_version_says_so(kim: Client, parties: Parties) -> None:
    an_update(parties, (1, 8, 1_000))
    a_contract(parties.dso, parties.agr, profile=Profile((Stretch(1, 96, 1),)))
    page_words = text(kim, page("day/2026-03-04/"))
    assert "The day is settled by version 1 of the contract" in page_words
    assert "version 2 is in force" in page_words
    assert "9-40 02:00–10:00 5,000 W" in page_words
    assert "settled by version" not in text(kim, page("day/2026-03-05/"))


def test_days_out_of_force_and_drafts_say_so(kim: Client, at: At, db: None) -> None:
    parties = some_parties()
    a_contract(parties.dso, parties.agr, first=DAY, last=DAY)
    a_contract(parties.dso, parties.agr, "draft", state="draft")
    assert "The contract is not in force on this day." in text(kim, page("day/2026-03-05/"))
    assert "The contract is a draft" in text(kim, page("day/2026-03-04/", "draft"))
    assert "not in force on any day of this month" in text(kim, page("month/2026-04/"))
    assert "2026-03-04 Wed 50 kWh and −15 kWh" in text(kim, page("month/2026-03/"))


@pytest.mark.parametrize(
    "below",
    [
        "day/2026-02-30/",
        "day/today/",
        "day/0001-01-01/",
        "day/9999-12-31/",
        "month/2026-13/",
        "month/2026-3/",
    ],
)
def test_what_is_no_day_or_month_is_not_found(kim: Client, parties: Parties, below: str) -> None:
    assert kim.get(page(below)).status_code == 404


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "9999-12-31"])
def test_a_day_without_a_page_is_refused_beside_its_field(kim: Client, parties: Parties, day: str) -> None:
    page_words = text(kim, page("day/2026-03-04/"), on=day)
    assert "Give a day from 1900-01-01 to 9998-12-31." in page_words
    assert f"{CONTRACT} on 2026-03-04" in page_words


@pytest.mark.parametrize(
    ("month", "words"),
    [
        ("0001-01", "Give a month from 1900-01 to 9998-12."),
        ("9999-12", "Give a month from 1900-01 to 9998-12."),
        ("2026-13", "This is no month: write it as 2026-03."),
        ("２０２６-03", "This is no month: write it as 2026-03."),
    ],
)
def test_a_month_without_a_page_is_refused_beside_its_field(
    kim: Client, parties: Parties, month: str, words: str
) -> None:
    for url in (page("month/2026-03/"), f"{LIST}overview/"):
        page_words = text(kim, url, month=month)
        assert words in page_words
        assert "in 2026-03" in page_words


# A month.


def test_a_month_adds_up_its_days(kim: Client, at: At, db: None) -> None:
    parties = some_parties()
    profile = Profile((Stretch(1, 4, 1_000),), {7: ()}, {date(2026, 3, 10): (Stretch(1, 4, 5_000),)})
    a_contract(parties.dso, parties.agr, profile=profile, last=date(2026, 3, 11))
    an_update(parties, (1, 2, 0))
    an_update(parties, (3, 2, 250), period=date(2026, 3, 10))
    page_words = text(kim, page("month/2026-03/"))
    assert "Contracted 13 kWh Remaining 10.125 kWh Released 2.875 kWh Updates 2 accepted" in page_words
    assert "2026-03-04 Wed 1 kWh 0.5 kWh 0.5 kWh 1 accepted" in page_words
    assert "2026-03-08 Sun 0 kWh 0 kWh 0 kWh –" in page_words
    assert "2026-03-12 Thu not in force" in page_words
    source = kim.get(page("month/2026-03/")).content.decode()
    assert source.count(f'href="{page("day/2026-03-31/")}"') == 2


def test_the_file_of_a_month_is_a_click_away(kim: Client, parties: Parties) -> None:
    for below, days in (("month/2026-03/", 31), ("day/2026-03-04/", 1)):
        (link,) = re.findall(r'class="downloadlink" href="([^"]+)"', kim.get(page(below)).content.decode())
        lines = downloaded(kim.get(html.unescape(link)))
        assert len({line["period"] for line in lines}) == days
        assert {line["contract_id"] for line in lines} == {CONTRACT}


# All contracts.


def test_the_overview_has_the_contracts_of_a_month_and_what_was_undone(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    point, home = "ean.871000000000000037", "ean.871600000000000031"
    other = another_agr(connected.dso, point=point, home=home, domain="a.example")
    a_contract(connected.dso, other, "theirs", point=point, first=date(2026, 3, 31))
    a_contract(connected.dso, other, "later", point=point, first=date(2026, 4, 1))
    receiver.reply = lambda posted, before: (410, {}, b"Gone")
    send(connected.dso, update_xml(connected.dso, connected.agr.domain, (1, 1, 0)))
    deliver(connected.agr)
    page_words = text(kim, f"{LIST}overview/")
    assert "Months: reservations in 2026-03" in page_words
    assert re.search(
        rf"{CONTRACT} .* In force on 31 of 31 days, with power released on 0 .* 1 undone", page_words
    )
    assert re.search(r"theirs .* In force on 1 of 31 days, .* 50 kWh and −15 kWh", page_words)
    assert "later" not in page_words
    assert "later" in text(kim, f"{LIST}overview/", month="2026-04")
    assert "No contract is in force in this month" in text(kim, f"{LIST}overview/", month="2025-12")
    assert CONTRACT not in text(kim, f"{LIST}overview/", agr="A.example")
    assert "There is no contract with the AGR b.example." in text(kim, f"{LIST}overview/", agr="b.example")
    assert "This is no month: write it as 2026-03." in text(kim, f"{LIST}overview/", month="March")
    assert "No contract is in force in this month, as known" in text(
        kim, f"{LIST}overview/", known_day="2026-02-01"
    )


def test_the_overview_has_fifty_contracts_a_page_and_the_same_number_of_queries(
    kim: Client, parties: Parties
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(kim, f"{LIST}overview/")
        return len(captured)

    queries()
    before = queries()
    for number in range(51):
        a_contract(parties.dso, parties.agr, f"more {number:02}")
    assert queries() == before
    first = text(kim, f"{LIST}overview/")
    assert "1 to 50 of 52: Page 1 of 2 Next" in first
    assert "more 50" not in first
    assert "more 50" in text(kim, f"{LIST}overview/", page=2)


# The settlement.


def downloaded(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.getvalue().decode(), newline="")))


def test_the_form_offers_the_month_before(kim: Client, parties: Parties) -> None:
    source = kim.get(f"{LIST}settlement/").content.decode()
    assert 'value="2026-02-01"' in source
    assert 'value="2026-02-28"' in source
    assert f'<option value="{parties.dso.domain}">' in source


def test_the_file_is_that_of_the_command_and_named_after_its_moment(kim: Client, parties: Parties) -> None:
    an_update(parties, (1, 4, 0))
    answer = kim.get(
        f"{LIST}settlement/", {"first": "2026-03-04", "last": "2026-03-06", "contract": CONTRACT}
    )
    content = answer.getvalue()
    out = StringIO(newline="")
    call_command(
        "export_reservations", "--from", "2026-03-04", "--to", "2026-03-06", stdout=out, stderr=StringIO()
    )
    assert content.decode() == out.getvalue()
    moment = known_at(answer)
    again, told = StringIO(newline=""), StringIO()
    an_update(parties, (1, 4, 1_000))
    call_command(
        "export_reservations",
        *("--from", "2026-03-04", "--to", "2026-03-06", "--known-at", moment),
        stdout=again,
        stderr=told,
    )
    assert again.getvalue() == out.getvalue()
    said = datetime.fromisoformat(moment)
    assert told.getvalue() == f"As known at {said.isoformat()}\n"
    assert str(said.astimezone(ZoneInfo("Europe/Amsterdam"))) == str(said), "in the market's time zone"


def known_at(answer: Any) -> str:
    """The moment in the name of a settlement's file, which is to the second."""
    name = re.search(r"-known-at-(\d{4}-\d\d-\d\dT\d{6}[+-]\d{4})\.csv", answer["Content-Disposition"])
    assert name, answer["Content-Disposition"]
    return name[1]


def test_the_form_takes_the_moment_of_a_file(kim: Client, parties: Parties, at: At) -> None:
    """In a zone where no time of day comes twice: the moment is the database's, and the form has no offset."""
    set_market(time_zone="Africa/Lagos", actor="kim")
    an_update(parties, (1, 4, 0))
    days = {"first": "2026-03-04", "last": "2026-03-04"}
    today = today_at(clock.now(), "Africa/Lagos")
    first = kim.get(f"{LIST}settlement/", {**days, "known_day": str(today)})
    content, moment = first.getvalue(), known_at(first)
    assert content == kim.get(f"{LIST}settlement/", days).getvalue(), "today without a time is the present"
    an_update(parties, (1, 4, 1_000))
    said = datetime.fromisoformat(moment)
    at(said + timedelta(hours=1))
    asked = {**days, "known_day": f"{said:%Y-%m-%d}", "known_time": f"{said:%H:%M:%S}"}
    again = kim.get(f"{LIST}settlement/", asked)
    assert (again.getvalue(), known_at(again)) == (content, moment)
    assert kim.get(f"{LIST}settlement/", days).getvalue() != content


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"first": ""}, "Give the first day."),
        ({"last": "2026-03-03"}, "The last day is before the first."),
        ({"last": "soon"}, "This is not a date"),
        ({"dso": "nobody.example"}, "There is no contract with the DSO nobody.example."),
        ({"agr": "nobody.example"}, "There is no contract with the AGR nobody.example."),
        ({"contract": "FLEX"}, "There is no contract 'FLEX'."),
        ({"known_day": "2026-03-05"}, "This moment is still to come"),
        ({"known_time": "10:00"}, "Give the day that the time is on."),
    ],
)
def test_the_form_says_what_is_wrong(
    kim: Client, parties: Parties, asked: dict[str, str], words: str
) -> None:
    page_words = text(kim, f"{LIST}settlement/", **{"first": "2026-03-04", "last": "2026-03-04", **asked})
    assert words in page_words


# For whom.


def limited(*peers: Peer) -> Client:
    """One who looks at these participants."""
    user = member("mo", "CRO participant manager")
    for peer in peers:
        assign_perm("participants.view_participant", user, participant(peer))
    client = Client()
    client.force_login(user)
    return client


def test_who_looks_at_one_party_sees_its_contracts_and_no_others(parties: Parties) -> None:
    other = some_parties(dso="dso.example", agr="agr.example")
    a_contract(other.dso, other.agr, "theirs")
    client = limited(parties.agr)
    for below in PAGES:
        assert client.get(page(below)).status_code == 200
        assert client.get(page(below, "theirs")).status_code == 404
    page_words = text(client, f"{LIST}overview/")
    assert CONTRACT in page_words
    assert "theirs" not in page_words
    days = {"first": "2026-03-04", "last": "2026-03-04"}
    assert {line["contract_id"] for line in downloaded(client.get(f"{LIST}settlement/", days))} == {CONTRACT}
    # What is there and out of scope is answered like what is not there.
    for name, there, not_there in (
        ("dso", "dso.example", "xyz.example"),
        ("agr", "agr.example", "xyz.example"),
        ("contract", "theirs", "others"),
    ):
        answers = [
            text(client, f"{LIST}settlement/", **days, **{name: value}).replace(value, "")
            for value in (there, not_there)
        ]
        assert answers[0] == answers[1]
    assert "dso.example" not in client.get(f"{LIST}settlement/").content.decode()


def test_who_may_not_look_at_updates_sees_no_days(client: Client, parties: Parties) -> None:
    user = member("ann", "CRO auditor")
    user.groups.clear()
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_contract", "see_every_participant"])
    )
    client.force_login(user)
    for url in (*map(page, PAGES), f"{LIST}overview/", f"{LIST}settlement/"):
        assert client.get(url).status_code == 403, url
    user.user_permissions.add(Permission.objects.get(codename="view_reservationupdate"))
    for url in (*map(page, PAGES), f"{LIST}overview/", f"{LIST}settlement/"):
        assert client.get(url).status_code == 200, url
