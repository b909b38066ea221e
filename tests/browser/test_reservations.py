"""Reservation updates in a browser: found from the dashboard, read, and settled."""

import pytest
from playwright.sync_api import Page, expect

from reservations.updates.lifecycle import state_of
from tests.browser.support.looking import look
from tests.browser.support.market import Market

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_undone_update_is_found_from_the_dashboard_and_read(market: Market, kim: Page) -> None:
    page, update = kim, market.updates["undone"]
    page.get_by_role("link", name="Reservation updates undone: 1", exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    look(page, "updates-undone")
    page.get_by_role("link", name="2026-07-02", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Update for 2026-07-02 under BEACH-1")
    expect(page.locator("#content-main")).to_contain_text("It could not be delivered to flexwerk.example")
    row = page.get_by_role("row", name="49-72")
    expect(row).to_contain_text("12:00–18:00")
    expect(row).to_contain_text("300,000 W")
    look(page, "update-undone")
    page.get_by_role("link", name=update.contract.contract_id, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contract BEACH-1")


def test_the_list_of_updates(market: Market, kim: Page) -> None:
    page = kim
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Reservations").click()
    page.goto(page.url.replace("/contract/", "/reservationupdate/"))
    expect(page.locator("#result_list tbody tr")).to_have_count(19)
    look(page, "updates")


def test_a_day_with_several_updates_says_which_holds(market: Market, kim: Page) -> None:
    page = kim
    page.goto(f"{page.url}reservations/reservationupdate/{market.updates['first'].pk}/change/")
    row = page.get_by_role("row", name="45-60")
    expect(row).to_contain_text(market.updates["second"].reference)
    look(page, "update-of-several")
    row.get_by_role("link").click()
    expect(page.get_by_text("(this update)")).to_be_visible()


def test_staff_record_the_outcome_of_an_update_that_was_passed_on(market: Market, kim: Page) -> None:
    page, update = kim, market.updates["passed on"]
    page.goto(f"{page.url}reservations/reservationupdate/{update.pk}/change/")
    look(page, "update-passed-on")
    page.get_by_role("link", name="Record outcome …").click()
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("Choose the outcome.")).to_be_visible()
    look(page, "update-outcome")
    page.get_by_label("Accepted: it counts").check()
    page.get_by_label("Reason").fill("Flexwerk confirmed it by telephone.")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("The update for 2026-07-03 is accepted.")).to_be_visible()
    expect(page.get_by_role("row", name="Accepted at present")).to_contain_text("Flexwerk confirmed it")
    assert state_of(update).state == "accepted"
    look(page, "update-with-outcome")
    page.get_by_role("link", name="Audit trail", exact=True).last.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_a_participant_s_page_leads_to_its_reservations(market: Market, kim: Page) -> None:
    page = kim
    page.goto(f"{page.url}participants/participant/{market.participants['flexwerk.example'].pk}/change/")
    card = page.get_by_role("region", name="Reservations")
    expect(card).to_be_visible()
    look(page, "participant-with-reservations")
