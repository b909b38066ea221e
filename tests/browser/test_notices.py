"""Notices of decisions, journals of conflicts and contracts, delivery settings and paused recipients, in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from participants.models import Contact
from registry.models import Notice
from tests.browser.support.looking import look
from tests.browser.support.market import Market

pytestmark = pytest.mark.django_db(transaction=True)


def test_those_concerned_are_told_by_hand(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    conflict = market.conflicts["several"]
    for participant in (conflict.holder, conflict.claimant):
        Contact.objects.create(
            participant=participant, name="Ann de Vries", purpose="conflicts", telephone="+31 20 123 45 67"
        )
    page.goto(f"{home}registry/conflict/{conflict.pk}/change/")
    page.get_by_label("Keep: ").check()
    page.get_by_label("Reason").fill("Zonkracht has no contract.")
    expect(page.locator("#consequences")).to_contain_text("refused")
    page.get_by_role("button", name="Settle", exact=True).click()
    expect(page.get_by_text("is settled").first).to_be_visible()

    page.goto(f"{home}registry/notice/")
    look(page, "notices")
    page.goto(f"{home}registry/notice/{Notice.objects.latest('pk').pk}/change/")
    look(page, "notice")
    page.get_by_role("link", name="Tell them").click()
    look(page, "notice-tell")
    page.get_by_label("How").fill("called Ann at 14:00")
    page.get_by_role("button", name="They are told", exact=True).click()
    expect(page.get_by_text(re.compile("It is recorded that .* was told"))).to_be_visible()
    page.goto(f"{home}registry/conflict/{conflict.pk}/change/")
    expect(page.get_by_text("Told by hand", exact=True)).to_be_visible()
    look(page, "conflict-told")

    page.goto(f"{home}registry/notice/?state=by+hand")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("Told by hand")
    page.get_by_role("button", name="Go", exact=True).click()
    look(page, "notices-tell")
    page.get_by_label("How").fill("called Ann at 14:00")
    page.get_by_role("button", name="They are told").click()
    expect(page.get_by_text("Recorded as told by hand: 5 notices.")).to_be_visible()


def test_the_journals_of_a_conflict_and_a_contract(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    for name, address in (
        ("conflict", f"registry/conflict/{market.conflicts['several'].pk}/change/"),
        ("contract", f"reservations/contract/{market.contracts['HARBOUR-2026'].pk}/change/"),
    ):
        page.goto(f"{home}{address}")
        page.get_by_label("Comment").fill("A word that is long: " + "flexibility" * 12)
        page.get_by_label("Files").set_input_files(
            files=[{"name": f"{'letter' * 12}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}]
        )
        page.get_by_role("button", name="Add the comment").click()
        expect(page.get_by_text("A word that is long")).to_be_visible()
        page.get_by_label("Assigned to").select_option("kim")
        page.get_by_label("Wait until").fill("2026-08-01")
        page.get_by_role("button", name="Save the follow-up").click()
        expect(page.locator("#journal")).to_contain_text("Waits until 2026-08-01")
        look(page, f"{name}-journal")


def test_delivery_settings(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    page.goto(f"{home}participants/participant/{market.participants['flexwerk.example'].pk}/change/")
    page.get_by_role("link", name="Change or test").click()
    look(page, "delivery-settings")
    page.get_by_label("Token URL").fill("http://token.flexwerk.example/")
    page.get_by_label("Reason").fill("as they asked")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator(".errorlist").first).to_be_visible()
    look(page, "delivery-settings-wrong")


def test_paused_recipients(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    page.goto(home)
    page.get_by_role("link", name=re.compile("^Paused recipients: ")).click()
    look(page, "paused-recipients")
    page.locator("#result_list tbody th a").first.click()
    look(page, "paused-recipient")
    page.get_by_role("link", name="Resume deliveries").click()
    look(page, "paused-recipient-resume")
