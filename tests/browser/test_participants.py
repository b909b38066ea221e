"""Participants, their keys and tests, and the changes of their standing, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from participants.models import Participant, PublicKey
from tests.browser.support.looking import look
from tests.browser.support.market import NOW, Market
from tests.support.exchange import drain, receive
from tests.support.peer import Peer
from tests.support.receiver import Receiver, receiving
from uftp.delivery import deliver as delivery

pytestmark = pytest.mark.django_db(transaction=True)

BRIGHT = Peer("AGR", "bright.example", seed=bytes(31) + b"\x01")
NEXT = Peer("AGR", "bright.example", seed=bytes(31) + b"\x02")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def key_of(peer: Peer) -> str:
    from participants.keys import format_public_key

    return format_public_key(peer.public_key)


def menu(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Screens").get_by_role("link", name=name, exact=True).click()


def deliver(participant: Participant) -> None:
    """What a worker would do."""
    delivery.deliver_due(participant.role, participant.domain, wake=lambda role, domain: None)


def test_a_participant_is_added_tested_and_rotates_its_key(
    market: Market, kim: Page, receiver: Receiver
) -> None:
    """From the list to a first answer, over an endpoint that is wrong, and on to another key."""
    page = kim
    with receiving() as gone:
        nowhere = gone.url
    menu(page, "Participants")
    expect(page.locator("#result_list tbody tr")).to_have_count(8)
    look(page, "participants")

    page.get_by_role("link", name="Add participant").click()
    page.get_by_label("Role").select_option("AGR")
    page.get_by_label("Domain").fill("Bright.example")
    page.get_by_label("Public key").fill(key_of(BRIGHT))
    page.get_by_label("Endpoint").fill(nowhere)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is not a domain")).to_be_visible()
    expect(page.get_by_text("Say why")).to_be_visible()
    look(page, "participant-add")
    page.get_by_label("Domain").fill("bright.example")
    page.get_by_label("Name").fill("Bright Energy")
    page.get_by_label("Reason").fill("contract of 1 July")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("AGR bright.example")
    bright = Participant.objects.get(domain="bright.example")

    page.get_by_role("button", name="Send TestMessage").click()
    expect(page.get_by_text("being delivered")).to_be_visible()
    deliver(bright)
    expect(
        page.get_by_text("Nobody answers at this address: nothing accepts connections there.")
    ).to_be_visible()
    look(page, "test-message-failed")

    page.get_by_role("link", name="AGR bright.example").click()
    page.get_by_label("Endpoint").fill(receiver.url)
    page.get_by_label("Reason").fill("they gave the wrong port")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Send TestMessage").click()
    expect(page.get_by_text("being delivered")).to_be_visible()
    deliver(bright)
    expect(page.get_by_text("its answer is awaited").first).to_be_visible()
    test = receiver.posts[-1].attributes
    said = {"ConversationID": test["ConversationID"], "TimeStamp": NOW.isoformat()}
    receive(BRIGHT, BRIGHT.xml("TestMessageResponse", **said))
    drain(BRIGHT)
    expect(page.get_by_text("answered after")).to_be_visible()
    look(page, "test-message")

    page.get_by_role("link", name="AGR bright.example").click()
    expect(page.get_by_text("2026-07-01 14:00:00 CEST").first).to_be_visible()
    page.get_by_role("link", name="Rotate key").click()
    page.get_by_label("New public key").fill(key_of(NEXT))
    expect(page.get_by_role("heading", name="The keys after that")).to_be_visible()
    expect(page.get_by_text("valid for another 14 days")).to_be_visible()
    page.get_by_label("Old keys stay valid for").fill("2")
    expect(page.get_by_text("valid for another 2 days")).to_be_visible()
    with page.expect_response("**/rotate/preview/"):
        page.get_by_label("Reason").fill("yearly rotation")
    expect(page.locator("#preview[aria-busy]")).to_have_count(0)
    look(page, "rotate-key")
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_text("The key of AGR bright.example is rotated")).to_be_visible()
    expect(page.get_by_text("2 valid")).to_be_visible()
    look(page, "participant")

    page.get_by_role("link", name=f"Change when {key_of(BRIGHT)} is valid").click()
    page.get_by_label("Reason").fill("it was stolen")
    look(page, "key")
    page.get_by_role("button", name="End it at once").click()
    expect(page.get_by_text("1 valid")).to_be_visible()
    assert not PublicKey.objects.get(text=key_of(BRIGHT)).is_valid_at(NOW)


def test_participants_are_suspended_and_authorized_with_a_reason(market: Market, kim: Page) -> None:
    """One on its page, several in the list; each change is in the audit trail."""
    page = kim
    menu(page, "Participants")
    page.get_by_role("link", name="zonkracht.example").click()
    look(page, "participant-with-history")
    page.get_by_role("link", name="Suspend").click()
    expect(page.get_by_text("Rejected with the reason “Unauthorized”")).to_be_visible()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    look(page, "standing")
    page.get_by_label("Reason").fill("audit overdue")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("AGR zonkracht.example is suspended.")).to_be_visible()

    page.get_by_role("link", name="Authorize").click()
    page.get_by_label("Reason").fill("audit done")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("AGR zonkracht.example is authorized.")).to_be_visible()

    menu(page, "Participants")
    page.get_by_role("checkbox", name="Select all objects").check()
    page.get_by_role("combobox", name="Action").select_option(label="Suspend")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Suspend 7 participants")
    look(page, "many-standings")
    page.get_by_label("Reason").fill("the market is halted")
    page.get_by_role("button", name="Suspend 7 participants").click()
    expect(page.get_by_text("7 participants are suspended.")).to_be_visible()

    menu(page, "Audit trail")
    look(page, "audit-trail")
    page.get_by_label("Participant", exact=True).fill("AGR zonkracht.example")
    page.get_by_label("Participant", exact=True).press("Enter")
    rows = page.locator("#result_list tbody tr")
    expect(rows.first).to_contain_text("the market is halted")
    expect(rows.nth(2)).to_contain_text("audit overdue")
    rows.first.get_by_role("link").first.click()
    expect(page.get_by_text("standing: authorized → suspended")).to_be_visible()
    look(page, "audit-entry")
    page.get_by_role("link", name="AGR zonkracht.example").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("AGR zonkracht.example")
