"""The mode, the policies and the market, walked through in a browser."""

import pytest
from playwright.sync_api import Page, expect

from participants.admission import current_mode
from registry.market import policies
from registry.market.market import market as the_market
from tests.browser.support.looking import look
from tests.browser.support.market import Market
from tests.browser.test_participants import menu

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_mode_is_switched_in_two_steps(market: Market, kim: Page) -> None:
    page = kim
    menu(page, "Policies")
    page.get_by_role("link", name="Mode …").click()
    expect(page.get_by_text("in force", exact=True)).to_be_visible()
    look(page, "mode")

    page.get_by_role("link", name="Close this CRO …").click()
    expect(page.get_by_text("will no longer be able to act")).to_be_visible()
    expect(page.get_by_role("link", name="AGR nieuwkomer.example")).to_be_visible()
    page.get_by_role("button", name="Close this CRO").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    look(page, "switch-mode")
    assert current_mode() == "open"
    page.get_by_label("Reason:").fill("end of the trial")
    page.get_by_role("button", name="Close this CRO").click()

    expect(page.get_by_text("This CRO is closed.")).to_be_visible()
    expect(page.get_by_text("set by kim: end of the trial")).to_be_visible()
    assert current_mode() == "closed"


def test_a_policy_is_read_and_set(market: Market, kim: Page) -> None:
    page = kim
    menu(page, "Policies")
    look(page, "policies")

    page.get_by_role("link", name="Change the policy representation conflicts").click()
    page.get_by_role("radio", name="newest wins").check()
    page.get_by_label("Reason:").fill("decided by the market's board")
    look(page, "policy")
    page.get_by_role("button", name="Set policy").click()

    expect(page.get_by_text("applies to messages received from this moment on").first).to_be_visible()
    expect(page.get_by_text("set by kim: decided by the market's board")).to_be_visible()
    assert policies.in_force()["representation conflicts"] == "newest wins"


def test_the_market_is_changed_in_two_steps(market: Market, kim: Page) -> None:
    page = kim
    menu(page, "Policies")
    page.get_by_role("link", name="Market …").click()
    look(page, "market")
    page.get_by_role("combobox", name="Time zone").select_option("Europe/London")
    page.get_by_role("button", name="See what that means …").click()
    expect(page.get_by_text("begin and end at other moments")).to_be_visible()
    page.get_by_label("Reason:").fill("the market moves")
    look(page, "market-sure")
    page.get_by_role("button", name="Change the market").click()

    expect(page.get_by_text("Times in Europe/London")).to_be_visible()
    assert the_market().time_zone == "Europe/London"
