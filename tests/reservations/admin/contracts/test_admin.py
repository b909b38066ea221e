"""Contracts as staff find and read them, put them in force and end them, through HTTP requests of members of staff."""

from __future__ import annotations

import csv
import html
import re
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from registry.market.market import set_market
from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.terms import terms_of
from reservations.models import Contract, ContractVersion
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    OTHER_POINT,
    POINT,
    Parties,
    a_contract,
    clerk,
    participant,
    update_xml,
)
from tests.reservations.form_data import Filled, member
from tests.support.exchange import exchange
from tests.support.peer import Peer

LIST = "/admin/reservations/contract/"


@pytest.fixture
def kim(client: Client, parties: Parties) -> Client:
    """An operator, beside a contract in force."""
    client.force_login(member("kim"))
    return client


def the_contract() -> Contract:
    return Contract.objects.get(contract_id=CONTRACT)


def page(name: str = "change", contract: Contract | None = None) -> str:
    return f"{LIST}{(contract or the_contract()).pk}/{name}/"


def shown(client: Client, url: str, **query: object) -> str:
    """What a page says, without its tags."""
    answer = client.get(url, query)
    assert answer.status_code == 200, (url, answer.status_code, answer.get("Location"))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def listed(client: Client, **query: object) -> list[str]:
    """The ContractIDs of a list, from the latest on."""
    answer = client.get(LIST, query)
    assert answer.status_code == 200, answer.get("Location")
    return re.findall(r'field-contract_id"><a[^>]*>([^<]+)<', answer.content.decode())


def other(parties: Parties, contract_id: str, **values: Any) -> Contract:
    return a_contract(parties.dso, parties.agr, contract_id, **values)


def test_the_list_says_what_each_contract_is_today(kim: Client, parties: Parties) -> None:
    other(parties, "later", first=date(2026, 4, 1))
    other(parties, "over", first=date(2025, 1, 1), last=date(2026, 3, 1))
    other(parties, "last day", first=date(2025, 1, 1), last=date(2026, 3, 2))
    other(parties, "agreed", state="draft", point=OTHER_POINT)
    other(parties, "ending", last=date(2026, 6, 30), state="ended")
    text = shown(kim, LIST)
    for words in (
        f"{CONTRACT} {parties.dso.domain} {parties.agr.domain} {POINT} from 2026-01-01 In force "
        "the day before at 12:00 5,000 W",
        f"{POINT} from 2026-04-01 In force from 2026-04-01",
        f"{POINT} 2025-01-01 to 2026-03-01 Ended",
        f"{POINT} 2025-01-01 to 2026-03-02 In force the day",
        f"{OTHER_POINT} from 2026-01-01 Draft",
        f"{POINT} 2026-01-01 to 2026-06-30 In force, ends 2026-06-30 the day",
    ):
        assert words in text, words

    assert listed(kim, state="draft") == ["agreed"]
    assert listed(kim, state="coming") == ["later"]
    assert listed(kim, state="ended") == ["over"]
    assert listed(kim, state="in force") == ["ending", "last day", CONTRACT]
    assert listed(kim, point=OTHER_POINT) == ["agreed"]
    assert listed(kim, q="la") == ["last day", "later"]
    assert listed(kim, q="zz") == []
    assert listed(kim, dso="nobody.example") == []
    assert len(listed(kim, dso=parties.dso.domain, agr=parties.agr.domain)) == 6
    assert listed(kim, versions__period_from="2025-02-01", versions__period_to="2025-02-01") == [
        "last day",
        "over",
    ]
    assert listed(kim, versions__period_to="2024-12-31") == []


def test_a_contract_that_begins_today_is_in_force_and_not_coming(kim: Client, parties: Parties) -> None:
    other(parties, "today", first=date(2026, 3, 2))
    other(parties, "tomorrow", first=date(2026, 3, 3))
    assert listed(kim, state="coming") == ["tomorrow"]
    assert "today" in listed(kim, state="in force")


def test_the_list_filters_by_what_holds_and_not_by_earlier_versions(kim: Client, parties: Parties) -> None:
    other(parties, CONTRACT, point=OTHER_POINT, first=date(2026, 5, 1))
    assert listed(kim, point=POINT) == []
    assert listed(kim, versions__period_to="2026-04-30") == []
    assert listed(kim, state="coming") == [CONTRACT]


def test_the_list_as_csv(kim: Client, parties: Parties) -> None:
    other(parties, "later", first=date(2026, 4, 1), last=date(2026, 4, 30))
    answer = kim.get(f"{LIST}export/", {"state": "coming"})
    rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
    (row,) = rows
    assert row == {
        "ContractID": "later",
        "DSO": parties.dso.domain,
        "AGR": parties.agr.domain,
        "Congestion point": POINT,
        "First day": "2026-04-01",
        "Last day": "2026-04-30",
        "State": "In force from 2026-04-01",
        "Deadline": "the day before at 12:00",
        "Greatest power (W)": "5000",
        "Version": "1",
    }


def test_the_list_asks_no_more_for_more_contracts(kim: Client, parties: Parties) -> None:
    kim.get(LIST)
    with CaptureQueriesContext(connection) as few:
        kim.get(LIST)
    for number in range(20):
        other(parties, f"C-{number}")
    with CaptureQueriesContext(connection) as many:
        kim.get(LIST)
    assert len(many) == len(few)


def test_the_page_says_everything_about_a_contract(kim: Client, parties: Parties) -> None:
    exchange(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    text = shown(kim, page())
    for words in (
        f"DSO {parties.dso.domain}",
        "from 2026-01-01, without an end",
        "the day before at 12:00, Europe/Amsterdam",
        "PT15M, 96 a day",
        "−3,000 W to 5,000 W in 60 of 96 ISPs, 50 kWh and −15 kWh a day.",
        "1-40 00:00–10:00 5,000 W",
        "41-60 10:00–15:00 −3,000 W",
        "Accepted 1",
        "Today, 2026-03-02",
        "import contracts.csv",
        "The first version",
        "has no endpoint configured: this CRO accepts updates itself",
    ):
        assert words in text, words
    source = kim.get(page()).content.decode()
    contract = the_contract()
    for url in (
        f"/admin/reservations/reservationupdate/?contract__id__exact={contract.pk}&amp;state=accepted",
        f"{LIST}{contract.pk}/day/2026-03-02/",
        f"{LIST}{contract.pk}/month/2026-03/",
        f"{LIST}{contract.pk}/end/",
        f"{LIST}{contract.pk}/edit/",
    ):
        assert f'href="{url}"' in source, url
        assert kim.get(html.unescape(url)).status_code == 200, url
    (settlement,) = re.findall(r'href="([^"]*settlement/[^"]*)"', source)
    assert kim.get(html.unescape(settlement)).status_code == 200


def test_the_page_leads_to_the_nearest_of_the_contracts_days(kim: Client, parties: Parties) -> None:
    later = other(parties, "later", first=date(2026, 5, 20))
    over = other(parties, "over", first=date(2025, 1, 1), last=date(2025, 2, 10))
    assert f"{LIST}{later.pk}/day/2026-05-20/" in kim.get(page(contract=later)).content.decode()
    assert f"{LIST}{over.pk}/day/2025-02-10/" in kim.get(page(contract=over)).content.decode()


def test_the_page_says_what_keeps_updates_from_being_accepted(kim: Client, parties: Parties) -> None:
    assert "Invalid CongestionPoint" not in shown(kim, page())
    nowhere = other(parties, "nowhere", point=OTHER_POINT)
    assert f"has not registered the congestion point {OTHER_POINT}" in shown(kim, page(contract=nowhere))
    over = other(parties, "over", point=OTHER_POINT, first=date(2025, 1, 1), last=date(2025, 2, 10))
    assert "notice warn" not in kim.get(page(contract=over)).content.decode()
    early = other(parties, "early", first=date(2025, 5, 1), last=date(2026, 12, 31))
    assert "Invalid CongestionPoint" not in shown(kim, page(contract=early))
    Participant.objects.filter(domain=parties.agr.domain).update(endpoint="https://agr.example/x")
    assert "endpoint" not in shown(kim, page())
    set_market(time_zone="Europe/London", actor="kim")
    assert "in the time zone Europe/Amsterdam, and the market in Europe/London" in shown(kim, page())


def test_versions_say_what_differs_and_can_be_looked_at(kim: Client, parties: Parties) -> None:
    contract = the_contract()
    version = ContractVersion.objects.get()
    changed = replace(
        terms_of(version), last=date(2026, 12, 31), profile=Profile((), {6: (Stretch(1, 96, 7),)})
    )
    contracts.record(
        contract.dso,
        contract.agr,
        CONTRACT,
        changed,
        state=ContractVersion.State.IN_FORCE,
        source=clerk("They agreed anew."),
    )
    text = shown(kim, page())
    for words in (
        "clerk They agreed anew.",
        "Days: from 2026-01-01 → 2026-01-01 to 2026-12-31",
        "Every day: 1-40: 5,000 W, 41-60: −3,000 W → nothing",
        "Saturday: – → 1-96: 7 W",
    ):
        assert words in text, words
    first = shown(kim, page("version/1"))
    assert "This version was superseded by clerk on " in first
    assert "1-40 00:00–10:00 5,000 W" in first
    assert "This is the current version." in shown(kim, page("version/2"))
    assert kim.get(page("version/3")).status_code == 404


def test_past_days_with_updates_stay_with_their_version(kim: Client, parties: Parties, at: At) -> None:
    exchange(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    at("2026-03-20T12:00:00+01:00")
    text = shown(kim, page("edit"))
    assert "Of those that are past, 77 days from 2026-01-01 to 2026-03-19 have no update that counts" in text
    stays = (
        f"1 day, {DAY}, has updates that count, and stays with the version that these were checked against."
    )
    assert stays in text
    form = Filled(kim, page("edit")).write(first="2026-03-19", reason="later").press("check")
    assert stays not in form.text, "the contract would no longer have it"


def test_days_that_are_alike_are_drawn_once(kim: Client, parties: Parties) -> None:
    work, free = (Stretch(29, 88, 1000),), (Stretch(1, 96, 7),)
    holidays = {date(2026, 12, day): () for day in (25, 26)}
    weekdays = dict.fromkeys(range(1, 6), work)
    some = other(parties, "some", last=date(2026, 12, 31), profile=Profile(free, weekdays, holidays))
    text = shown(kim, page(contract=some))
    assert "Every day But for Monday to Friday, 2026-12-25 (Friday), 2026-12-26 (Saturday). 7 W in 96" in text
    assert "Monday to Friday 1,000 W in 60 of 96 ISPs, 15 kWh a day." in text
    assert text.count("1,000 W in 60 of 96 ISPs") == 1 + 1, "in words, and in the chart's"
    every = other(parties, "every", profile=Profile(free, {**weekdays, 6: (), 7: ()}))
    text = shown(kim, page(contract=every))
    assert "Every day" not in text
    assert "Saturday, Sunday Nothing is reserved." in text


def test_a_draft_is_put_in_force_with_a_reason(kim: Client, parties: Parties) -> None:
    draft = other(parties, "agreed", state="draft", point=OTHER_POINT)
    url = page("in-force", draft)
    text = shown(kim, url)
    assert "Its days are from 2026-01-01." in text
    assert f"has not registered the congestion point {OTHER_POINT}" in text
    answer = kim.post(url, {"expected": "1", "reason": ""})
    assert "Say why" in answer.content.decode()
    assert draft.versions.count() == 1
    answer = kim.post(url, {"expected": "1", "reason": "Both have signed."}, follow=True)
    assert "Contract agreed is in force." in answer.content.decode()
    assert draft.versions.current().get().state == "in force"
    entry = AuditEntry.objects.get(action="change contract")
    assert (entry.actor, entry.reason) == ("kim", "Both have signed.")
    assert kim.get(url).status_code == 302


def test_putting_in_force_what_was_changed_meanwhile_is_refused(kim: Client, parties: Parties) -> None:
    draft = other(parties, "agreed", state="draft")
    other(parties, "agreed", state="draft", point=OTHER_POINT)
    answer = kim.post(page("in-force", draft), {"expected": "1", "reason": "signed"})
    assert "Meanwhile the contract was changed" in html.unescape(answer.content.decode())
    assert draft.versions.current().get().state == "draft"


def test_a_contract_ends_once_staff_have_seen_what_follows(kim: Client, parties: Parties) -> None:
    exchange(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    url = page("end")
    assert kim.get(url).status_code == 200
    preview = shown_of(kim.post(page("end/preview"), {"last": "2026-03-03"}))
    assert "Updates for days after 2026-03-03 are rejected." in preview
    assert f"Updates that count for days after it: 1 , for {DAY}." in preview

    assert "No update that counts" in shown_of(kim.post(page("end/preview"), {"last": str(DAY)}))

    form = {"last": "2026-03-03", "reason": "Terminated.", "expected": "1"}
    answer = kim.post(url, form)
    assert "Look at the consequences." in shown_of(answer)
    assert f"Updates that count for days after it: 1 , for {DAY}." in shown_of(answer)
    (seen,) = re.findall(r'name="seen" value="([^"]*)"', answer.content.decode())
    changed = kim.post(url, {**form, "last": "2026-03-05", "seen": seen})
    assert "No update that counts is about a day after it." in shown_of(changed)
    assert ContractVersion.objects.count() == 1

    answer = kim.post(url, {**form, "seen": seen}, follow=True)
    assert f"Contract {CONTRACT} ends with 2026-03-03." in shown_of(answer)
    version = ContractVersion.objects.current().get()
    assert (version.state, version.period.upper) == ("ended", date(2026, 3, 4))
    assert "2026-01-01 to 2026-03-03" in shown(kim, page())
    assert "Put in force again …" in shown(kim, page())

    assert "State In force, ends 2026-03-03 DSO" in shown(kim, page())
    assert "In force, ends 2026-03-03; version 2" in shown(kim, page("edit"))
    text = shown(kim, page("in-force"))
    assert f"Put contract {CONTRACT} in force again" in text
    assert "its days stay 2026-01-01 to 2026-03-03: those after 2026-03-03" in text
    assert "nor do single days of the profile that its end left out. Give it these under Change …" in text
    answer = kim.post(page("in-force"), {"expected": "2", "reason": "Not terminated."}, follow=True)
    assert f"Contract {CONTRACT} is in force again." in shown_of(answer)
    assert "State In force DSO" in shown(kim, page())


def test_an_ended_contract_says_until_when_it_is_in_force(kim: Client, parties: Parties, at: At) -> None:
    ending = other(parties, "ending", last=date(2026, 3, 3), state="ended")
    at("2026-03-03T23:59:59+01:00")
    assert "In force, ends 2026-03-03" in shown(kim, page(contract=ending))
    at("2026-03-04T00:00:00+01:00")
    assert "State Ended DSO" in shown(kim, page(contract=ending))


def test_a_contract_cannot_end_before_it_begins_or_without_a_reason(kim: Client) -> None:
    url = page("end")
    form = {"last": "2025-12-31", "seen": "2025-12-31", "expected": "1", "reason": "x"}
    assert "The contract begins on 2026-01-01: it cannot end before." in shown_of(kim.post(url, form))
    assert "Give the last day." in shown_of(kim.post(url, {**form, "last": ""}))
    assert "Say why" in shown_of(kim.post(url, {**form, "last": "2026-05-01", "reason": " "}))
    assert "This is not a date" in shown_of(kim.post(url, {**form, "last": "2026-02-30"}))
    assert ContractVersion.objects.count() == 1


def test_a_draft_does_not_end(kim: Client, parties: Parties) -> None:
    draft = other(parties, "agreed", state="draft")
    assert kim.get(page("end", draft)).status_code == 302


def test_contracts_are_not_deleted(kim: Client) -> None:
    assert kim.get(page("delete")).status_code == 403
    assert kim.post(page("delete"), {"post": "yes"}).status_code == 403
    assert kim.post(page()).status_code == 403


def test_an_auditor_looks_and_changes_nothing(parties: Parties) -> None:
    client = Client()
    client.force_login(member("ann", "CRO auditor"))
    assert "Change …" not in shown(client, page())
    assert "Add contract" not in shown(client, LIST)
    for url in (f"{LIST}add/", f"{LIST}add/preview/", *map(page, PAGES)):
        assert client.get(url).status_code == 403, url
        assert client.post(url, {"do": "save"}).status_code == 403, url


PAGES = ("draft", "edit", "edit/preview", "in-force", "end", "end/preview")


def limited(acts_for: list[Peer], looks_at: list[Peer] | None = None) -> Client:
    """One who acts for these participants, and looks at others."""
    user = member("mo", "CRO participant manager")
    for permission, peers in (("change_participant", acts_for), ("view_participant", looks_at or [])):
        for peer in peers:
            assign_perm(f"participants.{permission}", user, participant(peer))
    client = Client()
    client.force_login(user)
    return client


def test_who_acts_for_one_party_looks_at_the_contract_and_does_not_change_it(parties: Parties) -> None:
    client = limited([parties.dso], [parties.agr])
    assert listed(client) == [CONTRACT]
    assert "Change …" not in shown(client, page())
    for name in PAGES:
        assert client.get(page(name)).status_code == 403, name
        assert client.post(page(name), {"do": "save"}).status_code == 403, name
    assert ContractVersion.objects.count() == 1


def test_who_acts_for_both_parties_changes_the_contract(parties: Parties) -> None:
    client = limited([parties.dso, parties.agr])
    form = Filled(client, page("edit")).write(last="2026-12-31", reason="They said so.")
    assert "this is version 2" in form.press("save").text
    assert client.get(f"{LIST}add/").status_code == 403


def test_who_looks_at_neither_party_knows_nothing_of_the_contract(parties: Parties) -> None:
    stranger = Peer("AGR", "stranger.example")
    stranger.register()
    client = limited([stranger])
    assert listed(client) == []
    assert listed(client, q=CONTRACT) == []
    for name in ("change", "version/1", *PAGES):
        assert client.get(page(name)).status_code == 404, name


def shown_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_the_clock_decides_whether_a_contract_is_over(kim: Client, parties: Parties, at: At) -> None:
    other(parties, "short", first=date(2026, 3, 1), last=date(2026, 3, 3))
    assert listed(kim, state="in force") == ["short", CONTRACT]
    at("2026-03-03T23:59:59+01:00")
    assert listed(kim, state="in force") == ["short", CONTRACT]
    at("2026-03-04T00:00:00+01:00")
    assert listed(kim, state="ended") == ["short"]
