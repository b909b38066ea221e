"""The dashboard in a browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support.looking import look
from tests.browser.support.market import Market

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_empty_cro_says_how_to_begin(kim: Page) -> None:
    expect(kim.get_by_role("navigation", name="Screens")).to_be_visible()
    expect(kim.get_by_role("heading", name="First steps")).to_be_visible()
    look(kim, "dashboard-empty")
    kim.get_by_role("link", name="Add participants").click()
    expect(kim.get_by_role("heading", name="Add participant")).to_be_visible()


def test_the_morning_look(market: Market, kim: Page) -> None:
    """Each figure leads to the list behind it."""
    page = kim
    expect(page).to_have_title("Dashboard | Common Reference Operator")
    expect(page.get_by_role("img", name="Messages received in the last 24 hours")).to_be_visible()
    look(page, "dashboard")
    home = page.url
    for name, rows in (
        ("17 open conflicts", 17),
        ("More than 30 days ago: 1", 1),
        ("Deliveries waiting: 3", 3),
        ("Messages set aside: 1", 1),
        ("Participants never heard from: 1", 1),
        ("Reservation updates undone: 1", 1),
        ("Contracts in draft: 1", 1),
    ):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("#result_list tbody tr")).to_have_count(rows)
        page.goto(home)


def test_the_menu_is_reached_by_keyboard(market: Market, kim: Page) -> None:
    page = kim
    page.set_viewport_size({"width": 400, "height": 900})
    link = page.get_by_role("navigation", name="Screens").get_by_role("link", name="Audit trail")
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("it => it === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit trail")
    expect(page.locator("#menu a[aria-current=page]")).to_have_text("Audit trail")
