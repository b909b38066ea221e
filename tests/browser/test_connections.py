"""Staff look at connections and congestion points, on any day and as known at any moment."""

import re

import pytest
from playwright.sync_api import Page, expect

from registry.models import CongestionPoint, Connection
from registry.queries import coverage
from tests.browser.support.looking import look
from tests.browser.support.market import Market, behind, point

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_connection_over_time(market: Market, kim: Page) -> None:
    page, address = kim, behind("mill")[1]
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Connections").click()
    look(page, "connections")

    search = page.get_by_label("Search", exact=True)
    search.fill(address[:-3])
    expect(page.locator("#searchbar-suggestions option")).to_have_count(10)
    search.fill(address)
    search.press("Enter")

    expect(page.get_by_role("heading", name=f"Connection {address}")).to_be_visible()
    today = page.get_by_role("region", name="Represented by")
    expect(today).to_contain_text("AGR zonkracht.example")
    expect(today).to_contain_text("lee’s decision")
    expect(page.get_by_role("region", name="Lies in")).to_contain_text(point("mill"))
    expect(page.get_by_role("group", name=f"Timeline of connection {address}")).to_be_visible()
    history = page.get_by_role("region", name="History", exact=True)
    expect(history).to_contain_text("lee (staff): The prosumer signed with Zonkracht on 2 June.")
    look(page, "connection")

    page.get_by_label("As known at day").fill("2026-06-09")
    page.get_by_label("Time", exact=True).fill("12:00:00")
    page.get_by_role("button", name="Show").click()
    expect(
        page.get_by_text("This is what the registry held for true at 2026-06-09 12:00:00 CEST")
    ).to_be_visible()
    today = page.get_by_role("region", name="Represented by")
    expect(today).to_contain_text("AGR flexwerk.example")
    expect(today).to_contain_text("waiting since 2026-06-08")
    expect(page.get_by_role("link", name=re.compile("holds these days"))).to_have_count(1)
    look(page, "connection-known")

    page.get_by_role("link", name="Today, as known at present").click()
    page.get_by_label("As known at day").fill("2026-07-02")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("still to come")).to_be_visible()


def test_a_congestion_point_on_any_day(market: Market, kim: Page) -> None:
    coverage.update_coverage(today=market.today, now=market.now)
    page = kim
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Congestion points").click()
    expect(page.get_by_text("counted 2026-07-01 14:00:00 CEST")).to_be_visible()
    look(page, "congestion-points")
    page.get_by_role("link", name="75 % to under 100 %").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(point("mill"))
    rows.get_by_role("link", name=point("mill")).click()

    shares = page.get_by_role("region", name="Aggregators on this day")
    expect(shares).to_contain_text("flexwerk.example")
    expect(shares).to_contain_text("no aggregator")
    look(page, "congestion-point")
    with page.expect_download() as download:
        page.get_by_role("link", name="Connections as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("Connection,First day,Last day,AGR")
    assert [line.split(",")[0] for line in lines[1:]] == behind("mill")

    page.get_by_label("On day").fill("2025-12-31")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("none: it does not exist on this day")).to_be_visible()
    look(page, "congestion-point-before")


def test_facts_are_found_by_what_they_are_about(market: Market, kim: Page) -> None:
    page, home = kim, page_home(kim)
    page.goto(f"{home}registry/representation/?known=all")
    look(page, "representations")
    typed = page.get_by_label("Connection", exact=True)
    typed.fill(behind("mill")[3][:-1])
    expect(page.locator("#connection-suggestions option")).not_to_have_count(0)
    typed.fill(behind("mill")[3])
    typed.press("Enter")
    rows = page.locator("#result_list tbody tr")
    expect(rows).not_to_have_count(0)
    for row in rows.all():
        expect(row).to_contain_text(behind("mill")[3])

    page.goto(f"{home}registry/change/")
    look(page, "changes")
    page.locator("#result_list tbody tr th a").first.click()
    look(page, "change")


def page_home(page: Page) -> str:
    return page.url


def test_empty_screens_are_whole(transactional_db: None, kim: Page) -> None:
    page, home = kim, kim.url
    empty = Connection.objects.create(address="ean.871600000000009997")
    page.goto(f"{home}registry/connection/{empty.pk}/change/")
    expect(page.get_by_text("No aggregator represents this connection on this day.")).to_be_visible()
    look(page, "connection-empty")
    assert not CongestionPoint.objects.exists()
    page.goto(f"{home}registry/congestionpoint/")
    expect(page.get_by_text("Connections have not been counted yet")).to_be_visible()
