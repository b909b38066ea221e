"""The search box, what it finds, the groups of conflicts, searches in messages, and the page "This CRO"."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from participants.admin_base import extensions
from participants.daily_counts import update_daily_counts
from tests.browser.support import market as markets
from tests.browser.support.dsl import home
from tests.browser.support.looking import look
from tests.browser.support.market import Market
from uftp import message_search
from uftp.models import MessageSearch

pytestmark = pytest.mark.django_db(transaction=True)


def find(page: Page, text: str) -> None:
    box = page.get_by_role("search", name="Everything")
    box.get_by_label("Find").fill(text)
    box.get_by_role("button", name="Find").click()


def test_what_the_search_box_finds(market: Market, kim: Page) -> None:
    page = kim
    find(page, "stroomnet")
    expect(page.get_by_role("heading", name="Congestion points")).to_be_visible()
    look(page, "search-found")
    find(page, home(31).removeprefix("ean."))
    expect(page.get_by_role("heading", name="Connections")).to_be_visible()
    look(page, "search-connection")
    find(page, "no such thing")
    expect(page.get_by_role("status")).to_contain_text("Nothing was found for “no such thing”")
    look(page, "search-nothing")
    page.get_by_role("link", name="Search in the messages of a sender").click()
    expect(page.get_by_label("Text")).to_have_value("no such thing")


def test_conflicts_are_settled_by_their_group(market: Market, kim: Page) -> None:
    page = kim
    page.get_by_role("link", name="17 open conflicts").click()
    page.get_by_role("link", name="Open conflicts by parties and cause").click()
    look(page, "conflict-groups")
    page.get_by_role("link", name=re.compile("Settle 12 of")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settle 12 representation conflicts together")


def test_a_search_in_messages_shows_how_far_it_is(market: Market, kim: Page) -> None:
    page = kim
    home_page = page.url
    page.goto(f"{home_page}uftp/messagesearch/start/")
    look(page, "message-search-start")
    page.get_by_label("Text").fill(home(1))
    page.get_by_label("Sender").fill(str(market.messages["old"].sender))
    page.get_by_label("First day").fill(str(market.today - timedelta(days=30)))
    page.get_by_role("main").get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="Waits for a worker")).to_be_visible()
    look(page, "message-search-waiting")
    search = MessageSearch.objects.get()
    message_search.run(search.pk, now=lambda: markets.NOW, stopping=lambda: False)
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    look(page, "message-search-done")
    page.goto(f"{home_page}uftp/messagesearch/")
    look(page, "message-searches")


def test_this_cro_is_copied(market: Market, kim: Page) -> None:
    page = kim
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="This CRO").click()
    button = page.get_by_role("button", name="Copy public key, base64 alone")
    expect(button).to_be_visible()
    look(page, "this-cro")
    button.click()
    expect(button).to_have_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert f"cs1.{copied}" in page.content()


def test_the_dashboard_with_its_trends(market: Market, kim: Page) -> None:
    page = kim
    for _ in range(10):
        update_daily_counts(extensions.daily_counts(), now=markets.NOW, zone=ZoneInfo("Europe/Amsterdam"))
    page.reload()
    expect(page.get_by_role("img", name="Conflicts opened on each day")).to_be_visible()
    page.locator("details.zeros summary").click()
    look(page, "dashboard-trends")
