"""Adjusting the days of a fact as a person does: the consequences appear while the days are typed."""

import pytest
from playwright.sync_api import Page, Route, expect

from registry.models import CongestionPoint, Representation
from tests.browser.support.looking import look
from tests.browser.support.market import Market, behind, point

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_clerk_adjusts_what_an_agr_represents(kim: Page, market: Market) -> None:
    page = kim
    conflict = market.conflicts["several"]
    page.goto(f"{page.url}registry/conflict/{conflict.pk}/change/")
    page.get_by_role("region", name="Holder").get_by_role("link", name="Adjust").click()

    home = behind("mill")[3]
    expect(
        page.get_by_role("heading", name=f"Adjust the representation of {home} by AGR flexwerk.example")
    ).to_be_visible()
    look(page, "adjust")
    page.get_by_label("Last day").fill("2026-08-31")
    followed = page.locator("#consequences")
    expect(followed).to_contain_text("Conflicts closed: 2")
    expect(followed).to_contain_text("from 2026-09-01")
    page.get_by_label("Reason").fill("Flexwerk confirmed by mail that the contract ends in August.")
    look(page, "adjust-preview")
    page.get_by_role("button", name="Adjust the days").click()

    expect(page.get_by_text("The days of the representation of")).to_contain_text("2026-01-01 to 2026-08-31")
    expect(page.get_by_role("heading", name=f"Conflict {conflict.pk}", exact=True)).to_be_visible()
    row = Representation.objects.current().get(connection__address=home, agr__domain="flexwerk.example")
    assert row.recorded_by.actor == "kim"


def test_days_that_are_changed_before_the_page_is_ready_show_their_consequences(
    kim: Page, market: Market
) -> None:
    """On a slow line a clerk types before the script is there; a browser keeps what was typed over a reload."""
    page = kim
    terms = CongestionPoint.objects.get(address=point("station")).terms.get()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/console*.js", hold)

    page.goto(f"{page.url}registry/congestionpointterms/{terms.pk}/adjust/", wait_until="commit")
    page.get_by_label("Last day").fill("2026-09-30")
    assert held
    for route in held:
        route.continue_()

    expect(page.locator("#consequences")).to_contain_text(behind("station")[0])


def test_a_clerk_ends_a_congestion_point(kim: Page, market: Market) -> None:
    page = kim
    terms = CongestionPoint.objects.get(address=point("station")).terms.get()
    page.goto(f"{page.url}registry/congestionpointterms/{terms.pk}/change/")
    page.get_by_role("link", name="Adjust the days").click()
    page.get_by_label("Last day").fill("2026-09-30")
    expect(page.locator("#consequences")).to_contain_text(behind("station")[0])
    page.get_by_label("Reason").fill("The station is taken down.")
    look(page, "adjust-point")
    page.get_by_role("button", name="Adjust the days").click()
    expect(page.get_by_text("The days of the terms of")).to_contain_text("2026-01-01 to 2026-09-30")

    page.goto(page.url.partition("/registry/")[0] + f"/registry/congestionpointterms/{terms.pk}/adjust/")
    expect(page.get_by_text("These days are no longer current")).to_contain_text("by kim")
    look(page, "adjust-superseded")
    page.get_by_role("link", name="2026-01-01 to 2026-09-30: adjust these days").click()
    expect(page.get_by_label("Last day")).to_have_value("2026-09-30")
