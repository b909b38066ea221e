"""Staff at work on messages: finding one, reading what is wrong with it, and having it handled or sent again."""

import re

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from participants.models import AuditEntry
from tests.browser.support.looking import look
from tests.browser.support.market import Market, home, market, standing
from uftp.models import InboundMessage, OutboundMessage, Refusal

pytestmark = pytest.mark.django_db(transaction=True)

HOME = home(38)
PAGE = 50
"""Rows that a page of a list has."""


def refused(made: Market) -> None:
    """One of the market's own aggregators sends an update with mistakes in it."""
    peer = made.peers["buurtstroom.example"]
    lines = (
        f'\n  <Connection EntityAddress="{HOME}" StartPeriod="2026-08-01"/>'
        '\n  <Connection EntityAddress="EAN 871685900000039" StartPeriod="2026-08-01"/>'
        f'\n  <Connection EntityAddres="{home(39)}" StartPeriod="2026-02-30"/>\n'
    )
    with standing(made.now):
        answer = Client().post(
            "/shapeshifter/api/v3/message",
            peer.envelope(peer.xml("AGRPortfolioUpdate", lines, TimeZone="Europe/Amsterdam")),
            content_type="text/xml",
        )
    assert answer.status_code == 400


def opened(page: Page, *parts: str) -> None:
    """Wait for the page whose address has each of `parts`: what is looked for next may be on this one too."""
    expect(page).to_have_url(re.compile("".join(f"(?=.*{re.escape(part)})" for part in parts)))


def test_staff_work_on_messages(kim: Page) -> None:
    page = kim
    made = market()
    refused(made)
    menu, lists = page.get_by_role("navigation", name="Screens"), page.get_by_role("navigation", name="Lists")
    rows = page.locator("#result_list tbody tr")

    # Received: filtered until what is set aside is there; it is processed again.
    menu.get_by_role("link", name="Messages").click()
    opened(page, "/uftp/inboundmessage/")
    expect(rows).to_have_count(min(InboundMessage.objects.count(), PAGE))
    look(page, "messages-received")
    page.get_by_label("Sender's domain").fill("flexwerk.example")
    page.get_by_label("Sender's domain").press("Enter")
    opened(page, "=flexwerk.example")
    page.get_by_role("link", name="Set aside", exact=True).click()
    opened(page, "=flexwerk.example", "=set")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").first.click()
    opened(page, f"/uftp/inboundmessage/{made.messages['set aside'].pk}/change/")
    expect(page.get_by_text("No space left in the temporary folder")).to_be_visible()
    look(page, "message-set-aside")
    page.get_by_role("link", name="Process again").click()
    expect(page.get_by_role("heading", name="Process again")).to_be_visible()
    page.get_by_role("button", name="Process again").click()
    expect(page.get_by_text("Say why: this is recorded with its reason.")).to_be_visible()
    look(page, "message-process-again")
    page.get_by_label("Reason").fill("The disk was full; there is room again.")
    page.get_by_role("button", name="Process again").click()
    expect(page.get_by_text("1 message is to be processed again.")).to_be_visible()
    expect(page.locator(".field-state_badge")).to_contain_text("Waiting")
    assert AuditEntry.objects.get(action="process again").participants == [
        made.participants["flexwerk.example"].pk
    ]

    # A rejection says what it means, and the conversation leads to the answer and its delivery.
    page.goto(page.url.replace(str(made.messages["set aside"].pk), str(made.messages["rejected"].pk)))
    expect(page.locator(".field-meaning")).to_contain_text("The days in the message are irregular")
    expect(page.locator("pre.xml")).to_contain_text("StartPeriod=")
    look(page, "message-rejected")
    thread = page.locator(".thread li")
    expect(thread).to_have_count(2)
    thread.nth(1).get_by_role("link", name="AGRPortfolioUpdateResponse").click()
    opened(page, "/uftp/outboundmessage/")
    expect(page.locator(".field-next_step")).to_contain_text("it was delivered at 2026-07-01")

    # The message that opened conflicts leads to them.
    page.goto(
        page.url.partition("/uftp/")[0] + f"/uftp/inboundmessage/{made.messages['takeover'].pk}/change/"
    )
    page.get_by_role("link", name="12 opened").click()
    opened(page, "/registry/conflict/")
    expect(rows).to_have_count(12)

    # Sent: what waits for a system under maintenance is sent now, what failed is sent again from the list.
    menu.get_by_role("link", name="Messages").click()
    opened(page, "/uftp/inboundmessage/")
    lists.get_by_role("link", name="Sent").click()
    opened(page, "/uftp/outboundmessage/")
    expect(rows).to_have_count(min(OutboundMessage.objects.count(), PAGE))
    look(page, "messages-sent")
    page.goto(f"{page.url}{made.outbound['waiting'].pk}/change/")
    expect(page.locator(".field-attempts_table")).to_contain_text("Its system is not available for a while.")
    expect(page.locator(".field-attempts_table")).to_contain_text("The next attempt is due.")
    look(page, "message-waiting")
    page.get_by_role("link", name="Send now").click()
    expect(page.get_by_role("heading", name="Send now")).to_be_visible()
    page.get_by_label("Reason").fill("Their maintenance is over.")
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("1 message is to be sent again.")).to_be_visible()
    page.get_by_role("link", name="Sent messages").first.click()
    expect(rows).to_have_count(min(OutboundMessage.objects.count(), PAGE))
    page.get_by_role("link", name="Failed", exact=True).click()
    opened(page, "/uftp/outboundmessage/", "=failed")
    failed = OutboundMessage.objects.filter(state="failed").count()
    passed_on = OutboundMessage.objects.filter(state="failed", passes_on__isnull=False)
    expect(rows).to_have_count(failed)
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option(label="Send again, or now where it waits")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", name="Send again")).to_be_visible()
    expect(page.get_by_text("of the selected messages")).to_contain_text(str(passed_on.count()))
    look(page, "messages-send-again")
    page.get_by_label("Reason").fill("They have our key.")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("to be sent again.")).to_be_visible()
    expect(rows).to_have_count(passed_on.count())
    assert OutboundMessage.objects.filter(state="failed").count() == passed_on.count()

    # What was passed on in vain is its sender's to send again; its page leads to the message that came.
    page.get_by_role("link", name="Passed on", exact=True).click()
    opened(page, "=failed", "passed_on=yes")
    expect(rows).to_have_count(passed_on.count())
    rows.get_by_role("link").first.click()
    expect(page.get_by_text("Only its sender can send it again")).to_be_visible()
    expect(page.get_by_role("link", name="Send again")).to_have_count(0)
    look(page, "message-passed-on")
    page.locator(".field-passed_on_for").get_by_role("link").click()
    opened(page, "/uftp/inboundmessage/")
    expect(page.locator(".field-passed_on")).to_contain_text("Failed")
    page.get_by_role("link", name="Received messages").first.click()
    opened(page, "/uftp/inboundmessage/")

    # Delivery attempts, and refused requests: forged, and proven with mistakes explained.
    lists.get_by_role("link", name="Delivery attempts").click()
    opened(page, "/uftp/deliveryattempt/")
    page.get_by_role("link", name="Permanent failure").click()
    opened(page, "/uftp/deliveryattempt/", "=permanent")
    expect(rows.filter(has_text="does not let this CRO in").first).to_be_visible()
    look(page, "delivery-attempts")
    lists.get_by_role("link", name="Refused requests").click()
    opened(page, "/uftp/refusal/")
    expect(rows).to_have_count(Refusal.objects.count())
    look(page, "refusals")
    rows.filter(has_text="Not verified").get_by_role("link").first.click()
    expect(page.get_by_text("It is not proven that the request came from this participant")).to_be_visible()
    look(page, "refusal-forged")
    page.go_back()
    expect(rows).to_have_count(Refusal.objects.count())
    rows.filter(has_text="EAN 871685900000039").get_by_role("link").first.click()
    faults = page.locator("ol.faults > li")
    expect(faults).to_have_count(4, timeout=15_000)
    expect(faults.first).to_contain_text("Line 3, column 3, /AGRPortfolioUpdate/Connection[2]/@EntityAddress")
    expect(faults.first.locator("pre")).to_contain_text("EAN 871685900000039")
    expect(faults.last).to_contain_text("which is not a day of the calendar")
    look(page, "refusal-explained")
