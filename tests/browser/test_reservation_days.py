"""What is left of reservations, in a browser: a contract's day and month, the month of all, and the settlement."""

import csv
import re
from datetime import datetime
from io import StringIO

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support.dsl import ZONE
from tests.browser.support.looking import look
from tests.browser.support.market import Market

pytestmark = pytest.mark.django_db(transaction=True)


def goto(page: Page, path: str) -> None:
    """Open a page of contracts by what follows the address of their list."""
    page.goto(re.sub(r"/admin/.*", f"/admin/reservations/contract/{path}", page.url))


def test_a_day_says_what_remains_what_was_released_and_by_which_update(market: Market, kim: Page) -> None:
    page, contract = kim, market.contracts["HARBOUR-2026"]
    goto(page, f"{contract.pk}/day/2026-06-16/")
    expect(page.get_by_role("heading", level=1)).to_have_text("HARBOUR-2026 on 2026-06-16")
    expect(page.get_by_text("2026-06-15 14:00:00 CEST: the day before at 14:00. It is over.")).to_be_visible()
    chart = page.get_by_role("group", name="Reserved power of HARBOUR-2026 on 2026-06-16")
    expect(chart.get_by_role("link")).not_to_have_count(0)
    power = page.get_by_role("region", name="Reserved power").get_by_role("table")
    row = power.get_by_role("row", name="61-68")
    expect(row).to_contain_text("15:00–17:00")
    expect(row).to_contain_text(market.updates["third"].reference)
    updates = page.get_by_role("region", name="Updates for this day").get_by_role("table")
    expect(updates.get_by_role("row")).to_have_count(4)
    look(page, "reservation-day")
    page.get_by_text("Each ISP by itself").click()
    expect(page.get_by_role("region", name="Table: Each ISP by itself").get_by_role("row")).not_to_have_count(
        1
    )
    look(page, "reservation-day-each")
    chart.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Update for 2026-06-16 under HARBOUR-2026")


def test_days_follow_each_other_and_are_known_at_any_moment(market: Market, kim: Page) -> None:
    page, contract = kim, market.contracts["HARBOUR-2026"]
    goto(page, f"{contract.pk}/day/2026-06-16/")
    page.get_by_role("link", name="Next day").click()
    expect(page).to_have_url(re.compile(r"/day/2026-06-17/$"))
    expect(page.get_by_text("None: everything stays reserved as contracted.")).to_be_visible()
    look(page, "reservation-day-without-updates")
    page.get_by_label("On day").fill("2026-06-16")
    page.get_by_label("As known at day").fill("2026-06-14")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/day/2026-06-16/\?known_day=2026-06-14$"))
    expect(page.get_by_text("This is what was known at 2026-06-14 23:59:59 CEST.")).to_be_visible()
    expect(page.get_by_text("None: everything stays reserved as contracted.")).to_be_visible()
    look(page, "reservation-day-known")
    page.get_by_role("link", name="As known at present").click()
    expect(page.get_by_role("region", name="Updates for this day").get_by_role("table")).to_be_visible()


def test_a_day_of_negative_power_on_which_the_clock_changes(market: Market, kim: Page) -> None:
    page, contract = kim, market.contracts["MILL-7"]
    goto(page, f"{contract.pk}/day/2026-10-25/")
    expect(page.get_by_text("the times from 02:00 to 03:00 come twice")).to_be_visible()
    look(page, "reservation-day-autumn")
    goto(page, f"{contract.pk}/day/2026-03-29/")
    expect(page.get_by_text("the times from 02:00 to 03:00 do not come")).to_be_visible()
    look(page, "reservation-day-spring")
    goto(page, f"{contract.pk}/day/2026-06-13/")
    look(page, "reservation-day-negative")


def test_a_month_leads_to_its_days_and_marks_what_became_of_updates(market: Market, kim: Page) -> None:
    page, contract = kim, market.contracts["HARBOUR-2026"]
    goto(page, f"{contract.pk}/month/2026-06/")
    chart = page.get_by_role("group", name="Energy reserved by HARBOUR-2026 in 2026-06")
    expect(chart.get_by_role("link")).to_have_count(30)
    expect(chart.get_by_role("link", name=re.compile("^2026-06-11: .* 1 rejected"))).to_be_visible()
    look(page, "reservation-month")
    page.get_by_text("The same as a table").click()
    look(page, "reservation-month-table")
    page.get_by_role("link", name="Next month").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("HARBOUR-2026 in 2026-07")
    look(page, "reservation-month-next")
    page.get_by_label("Month", exact=True).fill("2026-06")
    page.get_by_role("button", name="Show").click()
    chart.get_by_role("link", name=re.compile("^2026-06-16:")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("HARBOUR-2026 on 2026-06-16")


def test_the_month_of_all_contracts(market: Market, kim: Page) -> None:
    page = kim
    goto(page, "overview/?month=2026-06")
    rows = page.get_by_role("region", name="Table: Contracts").locator("tbody tr")
    expect(rows).to_have_count(4)
    look(page, "reservation-overview")
    page.get_by_role("link", name="Next month").click()
    expect(rows.filter(has_text="BEACH-1")).to_contain_text("1 undone")
    look(page, "reservation-overview-undone")
    expect(page.get_by_role("list", name="Updates")).to_have_text(" Update undone")
    table = page.get_by_role("region", name="Table: Contracts")
    for width in (1000, 1100, 1280, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        hidden = table.evaluate("region => region.scrollWidth - region.clientWidth")
        assert hidden <= 0, f"{hidden} of the table's pixels are cut off at {width}"
    page.get_by_label("DSO's domain").fill("nobody.example")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("There is no contract with the DSO nobody.example.")).to_be_visible()
    look(page, "reservation-overview-nobody")
    page.get_by_label("DSO's domain").fill("kustnet.example")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="BEACH-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("BEACH-1 in 2026-07")
    page.get_by_role("link", name="All contracts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Months: reservations in 2026-07")


def test_the_settlement_is_downloaded(market: Market, kim: Page) -> None:
    page = kim
    goto(page, "settlement/")
    expect(page.get_by_label("First day")).to_have_value("2026-06-01")
    look(page, "settlement")
    page.get_by_label("Last day").fill("2026-05-31")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("The last day is before the first.")).to_be_visible()
    look(page, "settlement-wrong")
    page.get_by_label("Last day").fill("2026-06-30")
    page.get_by_label("ContractID").fill("HARBOUR-2026")
    content, known = _downloaded(page)
    lines = list(csv.DictReader(StringIO(content, newline="")))
    assert {line["contract_id"] for line in lines} == {"HARBOUR-2026"}
    assert {line["period"][:7] for line in lines} == {"2026-06"}
    page.get_by_label("As known at day").fill(f"{known:%Y-%m-%d}")
    page.get_by_label("Time:").fill(f"{known:%H:%M:%S}")
    assert _downloaded(page) == (content, known)


def _downloaded(page: Page) -> tuple[str, datetime]:
    """The file, and the moment of the market's that its name says it is known at."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    name = re.fullmatch(
        r"reservations-2026-06-01-2026-06-30-known-at-(.+)\.csv", download.value.suggested_filename
    )
    assert name
    known = datetime.fromisoformat(name[1])
    return download.value.path().read_text(), known.astimezone(ZONE)


def test_a_draft_has_no_days_yet(market: Market, kim: Page) -> None:
    page, contract = kim, market.contracts["STATION-A"]
    goto(page, f"{contract.pk}/day/2026-08-03/")
    expect(page.get_by_text("The contract is a draft: nothing is reserved by it yet.")).to_be_visible()
    look(page, "reservation-day-draft")
    goto(page, f"{contract.pk}/month/2026-08/")
    expect(page.get_by_text("The contract is not in force on any day of this month.")).to_be_visible()
    look(page, "reservation-month-draft")
