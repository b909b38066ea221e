"""Staff find and read reservation updates and record their outcome, through HTTP requests."""

from __future__ import annotations

import csv
import html
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry
from registry.market.market import set_market
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import ReservationUpdate
from reservations.updates.lifecycle import record_outcome
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    POINT,
    Parties,
    a_contract,
    clerk,
    deliver,
    participant,
    response_xml,
    send,
    state,
    update_of,
    update_xml,
)
from tests.support.peer import CRO, Peer
from tests.support.receiver import Receiver
from uftp.models import InboundMessage, OutboundMessage

LIST = "/admin/reservations/reservationupdate/"
WHY = "both wrote that it holds"


@pytest.fixture
def kim(client: Client, transactional_db: None) -> Client:
    """An operator."""
    return logged_in(member("kim", "CRO operator"), client)


def member(name: str, group: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def logged_in(user: User, client: Client | None = None) -> Client:
    client = client or Client()
    client.force_login(user)
    return client


def limited(*acts_for: Peer, looks_at: tuple[Peer, ...] = ()) -> Client:
    """One who acts for these participants, and looks at others."""
    user = member("mo", "CRO participant manager")
    for permission, peers in (("change_participant", acts_for), ("view_participant", looks_at)):
        for peer in peers:
            assign_perm(f"participants.{permission}", user, participant(peer))
    return logged_in(user)


def page_of(update: ReservationUpdate) -> str:
    return f"{LIST}{update.pk}/change/"


def outcome_page(update: ReservationUpdate) -> str:
    return f"{LIST}{update.pk}/outcome/"


def shown(client: Client, page: str, **query: object) -> str:
    answer = client.get(page, query)
    assert answer.status_code == 200, (page, answer.status_code, answer.get("Location"))
    return html.unescape(answer.content.decode())


def listed(client: Client, **query: object) -> list[int]:
    """The keys of the updates in the list, in its order."""
    found = re.findall(
        rf'<th class="field-for_day[^"]*"><a href="{LIST}(\d+)/change/', shown(client, LIST, **query)
    )
    return [int(key) for key in found]


def table(said: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page, as text."""
    section = said[said.index(f">{heading}<") :]
    body = section[section.index("<tbody>") : section.index("</tbody>")]
    return [
        [
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)
    ]


def updated(parties: Parties, *isps: tuple[int, int, int], **values: str) -> ReservationUpdate:
    """An update that is addressed to the CRO, and so accepted at once."""
    return update_of(send(parties.dso, update_xml(parties.dso, values.pop("to", CRO), *isps, **values)))


def passed_on(parties: Parties, **values: str) -> ReservationUpdate:
    update = updated(parties, (1, 4, 0), to=parties.agr.domain, **values)
    deliver(parties.agr)
    return update


def undone(parties: Parties, receiver: Receiver, **values: str) -> ReservationUpdate:
    """An update that the AGR's endpoint refuses for good."""
    receiver.reply = lambda posted, before: (400, {}, b"no such service")
    return passed_on(parties, **values)


def test_the_list_names_what_an_update_is_about_and_its_state(kim: Client, connected: Parties) -> None:
    update = passed_on(connected, Reference="R-17")
    page_words = shown(kim, LIST)
    for text in (
        str(DAY),
        CONTRACT,
        connected.dso.domain,
        connected.agr.domain,
        "Passed on",
        "The AGR",
        "R-17",
    ):
        assert text in page_words, text
    assert listed(kim) == [update.pk]


def test_updates_are_filtered_by_state_period_contract_and_party(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    accepted = updated(connected, (1, 1, 0))
    later = updated(connected, (1, 1, 0), period=str(DAY + timedelta(days=1)))
    passed = passed_on(connected)
    gone = undone(connected, receiver)
    latest_first = [gone.pk, passed.pk, later.pk, accepted.pk]
    assert listed(kim) == latest_first
    assert listed(kim, state="undone") == [gone.pk]
    assert listed(kim, state="passed on") == [passed.pk]
    assert listed(kim, state="accepted") == [later.pk, accepted.pk]
    assert listed(kim, period_from=str(DAY + timedelta(days=1))) == [later.pk]
    assert listed(kim, period_to=str(DAY)) == [gone.pk, passed.pk, accepted.pk]
    assert listed(kim, period_from=str(DAY), period_to=str(DAY + timedelta(days=1)))[0] == later.pk
    assert listed(kim, contract=CONTRACT) == latest_first
    assert listed(kim, contract="another") == []
    assert listed(kim, dso=connected.dso.domain, agr=connected.agr.domain) == latest_first
    assert listed(kim, dso=connected.agr.domain) == []
    answer = kim.get(LIST, {"period_from": "2026-13-01"})
    assert answer.status_code == 302


def test_updates_are_found_by_message_contract_and_the_beginning_of_a_reference(
    kim: Client, connected: Parties
) -> None:
    one = updated(connected, (1, 1, 0), Reference="Feeder 7, morning")
    two = updated(connected, (2, 1, 0), Reference=f"Feeder 8 {'x' * 3000}")
    assert listed(kim, q=one.message.message_id.upper()) == [one.pk]
    assert listed(kim, q=CONTRACT) == [two.pk, one.pk]
    assert listed(kim, q="Feeder 7") == [one.pk]
    assert listed(kim, q=two.reference) == [two.pk]
    assert listed(kim, q="eeder") == []


def test_undone_updates_need_a_look_until_one_that_counts_replaces_them(
    kim: Client, connected: Parties, receiver: Receiver, at: At
) -> None:
    update = undone(connected, receiver)
    assert listed(kim, state="unreplaced") == [update.pk]
    assert 'aria-label="Reservation updates undone: 1"' in shown(kim, "/admin/")
    at("2026-03-02T10:00:00+01:00")
    updated(connected, (1, 4, 0))
    assert listed(kim, state="unreplaced") == []


def test_an_update_of_the_same_moment_that_came_later_replaces_an_undone_one(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    update = undone(connected, receiver)
    later = updated(connected, (1, 4, 0))
    assert later.time_stamp == update.time_stamp
    assert listed(kim, state="unreplaced") == []


def test_an_undone_update_needs_no_look_once_its_day_is_over(
    kim: Client, connected: Parties, receiver: Receiver, at: At
) -> None:
    update = undone(connected, receiver)
    at("2026-03-04T23:59:59+01:00")
    assert listed(kim, state="unreplaced") == [update.pk]
    at("2026-03-05T00:00:00+01:00")
    assert listed(kim, state="unreplaced") == []


def test_the_file_of_the_list_has_a_value_in_each_column(kim: Client, connected: Parties) -> None:
    passed_on(connected, Reference="R-17")
    answer = kim.get(f"{LIST}export/")
    (row,) = csv.DictReader(StringIO(b"".join(answer).decode()))  # type: ignore[arg-type]
    assert row["Period"] == str(DAY)
    assert (row["State"], row["Addressed to"], row["Reference"]) == ("passed on", "AGR", "R-17")
    assert (row["ContractID"], row["Congestion point"]) == (CONTRACT, POINT)
    assert row["Version of the contract"] == "1"
    assert row["Deadline"] == "2026-03-03T12:00:00+01:00"


def test_the_page_says_each_range_of_isps_beside_the_contract_and_what_remains(
    kim: Client, connected: Parties, at: At
) -> None:
    first = updated(connected, (1, 4, 0), (5, 2, 2_000), (41, 1, -1_000), Reference="first")
    at("2026-03-02T10:00:00+01:00")
    second = updated(connected, (3, 2, 5_000), Reference="second")
    text = shown(kim, page_of(first))
    assert table(text, "Content") == [
        ["1-2", "00:00–00:30", "5,000 W", "0 W", "5,000 W", "0 W"],
        ["3-4", "00:30–01:00", "5,000 W", "0 W", "5,000 W", "5,000 W by second"],
        ["5-6", "01:00–01:30", "5,000 W", "2,000 W", "3,000 W", "2,000 W"],
        ["41", "10:00–10:15", "−3,000 W", "−1,000 W", "−2,000 W", "−1,000 W"],
    ]
    assert "2026-03-03 12:00:00 CET" in text
    assert "the day before at 12:00" in text
    assert "checked against version 1" in text
    assert f"/admin/reservations/contract/{first.contract_id}/day/{DAY}/" in text
    siblings = table(text, "Updates for this contract and Period")
    assert [row[0] for row in siblings] == ["first (this update)", "second"]
    assert page_of(second) in text


def test_the_page_says_what_remains_in_isps_of_another_duration(kim: Client, connected: Parties) -> None:
    first = updated(connected, (1, 4, 0), (5, 4, 500), (41, 1, -1_000), Reference="first")
    set_market(isp_duration="PT1H", actor="clerk")
    hours = Profile((Stretch(1, 2, 3_000), Stretch(11, 11, -3_000)))
    a_contract(connected.dso, connected.agr, isp_minutes=60, profile=hours)
    second = updated(connected, (2, 1, 700), ISP_Duration="PT1H", Reference="second")
    assert [row[4:] for row in table(shown(kim, page_of(first)), "Content")] == [
        ["5,000 W", "0 W"],
        ["4,500 W", "700 W by second"],
        ["−2,000 W", "−3,000 W as contracted"],
    ]
    set_market(isp_duration="PT15M", actor="clerk")
    a_contract(connected.dso, connected.agr, profile=Profile((Stretch(1, 8, 3_000),)))
    updated(connected, (5, 1, 100), (6, 1, 200), Reference="third")
    assert [row[4:] for row in table(shown(kim, page_of(second)), "Content")] == [
        ["2,300 W", "100 W to 700 W by third"],
    ]


def test_the_page_tells_every_state_since_when_by_what_and_why(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    update = undone(connected, receiver)
    record_outcome(update, accepted=True, source=clerk(WHY), expected="undone")
    text = shown(kim, page_of(update))
    history = table(text, "History")
    assert [row[0] for row in history] == ["Accepted at present", "Undone", "Received"]
    assert history[0][2:] == ["clerk", WHY]
    assert history[1][2] == f"delivery to AGR {connected.agr.domain}"
    assert "400" in history[1][3]
    assert history[2][2] == f"FlexReservationUpdate of DSO {connected.dso.domain}"
    assert f"/admin/uftp/inboundmessage/{update.message_id}/change/" in text
    (passing,) = OutboundMessage.objects.filter(passes_on=update.message_id)
    assert f"/admin/uftp/outboundmessage/{passing.pk}/change/" in text
    assert receiver.url in text
    assert ">Audit trail<" in text


def test_the_page_tells_which_response_of_the_agr_gave_the_outcome(kim: Client, connected: Parties) -> None:
    update = passed_on(connected)
    conversation = update.message.conversation_id
    for result in ("Accepted", "Rejected"):
        copy = response_xml(
            connected.agr, CRO, update.message.message_id, result, ConversationID=conversation
        )
        send(connected.agr, copy)
    text = shown(kim, page_of(update))
    assert state(update) == "accepted"
    answers = text[text.index("Copies from the AGR") :]
    assert answers.index("it gave the outcome") < answers.index("it changed nothing")


def test_an_update_on_a_day_on_which_the_clock_changes_says_so(kim: Client, parties: Parties, at: At) -> None:
    at("2026-10-20T09:00:00+02:00")
    update = updated(parties, (9, 8, 0), period="2026-10-25")
    (row,) = table(shown(kim, page_of(update)), "Content")
    assert row[:2] == ["9-16", "02:00 CEST–03:00"]


@pytest.mark.parametrize("outcome", ["accepted", "rejected"])
def test_staff_record_the_outcome_of_an_update_that_was_passed_on(
    kim: Client, connected: Parties, outcome: str
) -> None:
    update = passed_on(connected)
    assert "Record outcome …" in shown(kim, page_of(update))
    asked = {"outcome": outcome, "expected": "passed on", "reason": WHY}
    answer = kim.post(outcome_page(update), asked, follow=True)
    assert answer.redirect_chain == [(page_of(update), 302)]
    assert f"The update for {DAY} is {outcome}." in answer.content.decode()
    assert state(update) == outcome
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.reason) == ("kim", "record outcome of reservation update", WHY)
    trail = shown(kim, "/admin/participants/auditentry/")
    assert f'href="{page_of(update)}"' in trail


def test_a_form_without_an_outcome_or_a_reason_changes_nothing(kim: Client, connected: Parties) -> None:
    update = passed_on(connected)
    text = kim.post(outcome_page(update), {"expected": "passed on"}).content.decode()
    assert "Choose the outcome." in text
    assert "Say why" in text
    assert state(update) == "passed on"


def test_who_looked_at_another_state_is_told_so(kim: Client, connected: Parties) -> None:
    update = passed_on(connected)
    record_outcome(update, accepted=True, source=clerk(), expected="passed on")
    said = html.unescape(
        kim.post(
            outcome_page(update), {"outcome": "rejected", "expected": "passed on", "reason": WHY}
        ).content.decode()
    )
    assert "was accepted meanwhile by clerk" in said
    assert state(update) == "accepted"
    expected = re.findall(r'name="expected" value="([^"]+)"', said)
    kim.post(outcome_page(update), {"outcome": "rejected", "expected": expected, "reason": WHY})
    assert state(update) == "rejected"


def test_an_outcome_can_only_be_replaced_by_another(kim: Client, connected: Parties) -> None:
    update = updated(connected, (1, 4, 0))
    text = shown(kim, outcome_page(update))
    assert 'value="rejected"' in text
    assert 'value="accepted"' not in text.replace('name="expected" value="accepted"', "")
    kim.post(outcome_page(update), {"outcome": "rejected", "expected": "accepted", "reason": WHY})
    assert state(update) == "rejected"


def test_an_update_that_is_still_delivered_gets_no_outcome(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"")
    update = passed_on(connected)
    assert state(update) == "received"
    assert "Record outcome …" not in shown(kim, page_of(update))
    answer = kim.post(
        outcome_page(update), {"outcome": "accepted", "expected": "received", "reason": WHY}, follow=True
    )
    assert "It is still being delivered" in answer.content.decode()
    assert state(update) == "received"


def test_viewing_takes_one_party_and_recording_takes_both(connected: Parties) -> None:
    update = passed_on(connected)
    client = limited(connected.dso)
    text = shown(client, page_of(update))
    assert "Record outcome …" not in text
    answer = client.post(
        outcome_page(update), {"outcome": "accepted", "expected": "passed on", "reason": WHY}
    )
    assert answer.status_code == 403
    assert state(update) == "passed on"


def test_staff_of_both_parties_record_an_outcome(connected: Parties) -> None:
    update = passed_on(connected)
    client = limited(connected.dso, connected.agr)
    client.post(outcome_page(update), {"outcome": "accepted", "expected": "passed on", "reason": WHY})
    assert state(update) == "accepted"


def test_who_looks_after_the_dso_alone_learns_of_the_agr_what_the_contract_says(
    connected: Parties, receiver: Receiver
) -> None:
    update = passed_on(connected)
    send(
        connected.agr,
        response_xml(
            connected.agr,
            CRO,
            update.message.message_id,
            ConversationID=update.message.conversation_id,
        ),
    )
    client = limited(connected.dso)
    text = shown(client, page_of(update))
    assert connected.agr.domain in text
    assert receiver.url not in text
    answer = InboundMessage.objects.get(message_type="FlexReservationUpdateResponse")
    agr = participant(connected.agr)
    for link in (f"inboundmessage/{answer.pk}/", f"participant/{agr.pk}/", "outboundmessage/"):
        assert link not in text, link
    for link in set(re.findall(r'href="(/admin/[^"#]*)"', text)):
        assert client.get(link).status_code == 200, link


def test_a_participant_s_page_counts_its_contracts_and_open_updates(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    passed_on(connected)
    undone(connected, receiver)
    for peer in (connected.dso, connected.agr):
        page = f"/admin/participants/participant/{participant(peer).pk}/change/"
        card = shown(kim, page).partition(">Reservations</h2>")[2].partition("</section>")[0]
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)">1<', card)]
        assert len(links) == 3, card
        for link in links:
            assert kim.get(link).context["cl"].result_count == 1, link


def test_the_page_of_a_message_leads_to_its_update_and_what_it_recorded(
    kim: Client, connected: Parties
) -> None:
    update = updated(connected, (1, 4, 0))
    page_words = shown(kim, f"/admin/uftp/inboundmessage/{update.message_id}/change/")
    assert page_of(update) in page_words
    change = update.recorded_by_id
    for text in ("Reservation updates: ", "Update states: "):
        assert text in re.sub(r"<[^>]+>", "", page_words), text
    for link in re.findall(rf'href="({LIST}\?[^"]+)"', page_words):
        assert listed(kim, **dict(part.split("=") for part in link.partition("?")[2].split("&"))) == [
            update.pk
        ]
    about = shown(kim, f"/admin/registry/change/{change}/change/")
    assert "No day of anything changes" not in about
    assert "Reservation updates: " in re.sub(r"<[^>]+>", "", about)


def test_a_message_that_is_no_update_has_none(kim: Client, connected: Parties) -> None:
    message = InboundMessage.objects.filter(message_type="AGRPortfolioUpdate").latest("pk")
    page = shown(kim, f"/admin/uftp/inboundmessage/{message.pk}/change/")
    assert not re.search(r">\s*Reservation update\s*<", page)


def test_a_delivery_is_told_as_one(kim: Client, connected: Parties) -> None:
    update = passed_on(connected)
    change = update.states.get(state="passed on").recorded_by_id
    text = shown(kim, f"/admin/registry/change/{change}/change/")
    assert re.search(r"delivery of <a [^>]+>FlexReservationUpdate of DSO", text)
    assert f"{change}" in shown(kim, "/admin/registry/change/", kind__exact="delivery")
