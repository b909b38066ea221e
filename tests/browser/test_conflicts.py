"""Conflicts as a person settles them: the queue, one conflict, deciding anew, many together."""

import re

import pytest
from playwright.sync_api import Page, expect

from registry.models import Conflict
from tests.browser.support.looking import look
from tests.browser.support.market import Market, behind

pytestmark = pytest.mark.django_db(transaction=True)


def fits(page: Page) -> bool:
    """Whether a list shows all its columns."""
    return bool(page.locator(".results").evaluate("it => it.scrollWidth <= it.clientWidth"))


def test_a_clerk_settles_a_conflict_and_decides_it_anew(kim: Page, market: Market) -> None:
    page = kim
    page.get_by_role("link", name="Conflicts", exact=True).first.click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(Conflict.objects.filter(closed_by=None).count())
    expect(rows.first).to_contain_text("17 hours")
    assert fits(page)
    look(page, "conflicts")

    home = behind("mill")[3]
    page.get_by_role("searchbox", name="Search").fill(home)
    page.get_by_role("searchbox", name="Search").press("Enter")
    rows.filter(has_text="zonkracht.example").get_by_role("link").first.click()

    number = market.conflicts["several"].pk
    expect(page.get_by_role("heading", name=f"Conflict {number}", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Holder: AGR flexwerk.example")).to_be_visible()
    expect(page.get_by_role("heading", name="Claimant: AGR zonkracht.example")).to_be_visible()
    expect(page.get_by_role("link", name="AGRPortfolioUpdate, received 2026-06-24")).to_be_visible()
    expect(page.get_by_role("heading", name="Others who claim these days")).to_be_visible()
    followed = page.locator("#consequences")
    expect(followed).to_contain_text("Choose a decision")
    look(page, "conflict")

    page.get_by_label("Split: ").check()
    expect(followed).to_contain_text("Say at which day the days are split.")
    page.get_by_label("Split at").fill("2026-10-01")
    expect(followed).to_contain_text("2026-08-01 to 2026-09-30")
    expect(followed).to_contain_text("from 2026-10-01")
    page.get_by_label("Reason").fill("Zonkracht’s contract starts in October.")
    look(page, "conflict-preview")
    page.get_by_role("button", name="Settle", exact=True).click()

    said = page.get_by_text(f"Conflict {number} is settled")
    expect(said).to_contain_text("AGR flexwerk.example keeps the days before 2026-10-01")
    page.get_by_role("link", name=f"Conflict {number}").click()
    expect(page.get_by_text("Decided by kim")).to_contain_text("Zonkracht’s contract starts in October.")
    look(page, "conflict-decided")

    page.get_by_label("Keep: ").check()
    expect(followed).to_contain_text("gains")
    page.get_by_role("button", name="Decide again").click()
    expect(page.get_by_text("Say why: the decision is recorded with its reason.")).to_be_visible()
    expect(page.get_by_text("Say why: the decision is recorded with its reason.")).to_be_in_viewport()
    look(page, "conflict-error")
    page.get_by_label("Reason").fill("The contract was withdrawn.")
    expect(followed).to_contain_text("gains")
    page.get_by_role("button", name="Decide again").click()
    expect(page.get_by_text("is decided again: AGR flexwerk.example keeps the days")).to_be_visible()
    later = Conflict.objects.latest("pk")
    assert (later.replaces_id, later.decision) == (number, "keep")

    page.get_by_role("navigation", name="Filter").get_by_role("link", name="All", exact=True).first.click()
    expect(rows).to_have_count(Conflict.objects.count())
    assert fits(page)
    look(page, "conflicts-all")


def test_a_clerk_settles_what_came_with_one_message_together(kim: Page, market: Market) -> None:
    page = kim
    page.get_by_role("link", name="Conflicts", exact=True).first.click()
    page.get_by_role("link", name=str(market.conflicts["takeover"].pk), exact=True).click()
    expect(page.get_by_text("And 11 more between these two from the same message")).to_be_visible()
    page.get_by_role("link", name="settle them together").click()

    expect(page.get_by_role("heading", name="Settle 12 representation conflicts together")).to_be_visible()
    page.get_by_label("Give: ").check()
    followed = page.locator("#consequences")
    expect(followed).to_contain_text("Conflicts closed: 12")
    page.get_by_label("Reason").fill("Zonkracht took over the building’s contracts.")
    look(page, "conflicts-together")
    page.get_by_role("button", name="Settle 12 representation conflicts").click()

    expect(page.get_by_text("12 conflicts are settled: AGR zonkracht.example gets the days.")).to_be_visible()
    assert Conflict.objects.filter(decision="give", decided_by="kim").count() == 12

    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Settle together")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_text("These conflicts are between different parties.")).to_be_visible()
    look(page, "conflicts-pairs")
    page.get_by_role("link", name=re.compile("Settle 2 membership conflicts together")).click()
    expect(page.get_by_role("heading", name="Settle 2 membership conflicts together")).to_be_visible()


def test_a_form_works_without_scripts(kim: Page, market: Market) -> None:
    page = kim
    url = page.url
    context = kim.context.browser.new_context(
        java_script_enabled=False, storage_state=kim.context.storage_state()
    )
    try:
        page = context.new_page()
        page.goto(f"{url}registry/conflict/{market.conflicts['old'].pk}/change/")
        page.get_by_label("Keep: ").check()
        page.get_by_label("Reason").fill("Seen in the contract.")
        page.get_by_role("button", name="Settle", exact=True).click()
        expect(page.get_by_text("Look at the consequences below.").first).to_be_visible()
        page.get_by_role("button", name="Settle", exact=True).click()
        expect(page.get_by_text("is settled: AGR flexwerk.example keeps the days")).to_be_visible()
    finally:
        context.close()
