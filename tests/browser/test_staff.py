"""Staff at work: keyboard shortcuts, journal, reversal, invitations, and the choice of participants."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from participants.models import Attachment, Contact
from registry.models import Conflict
from tests.browser.conftest import LogIn
from tests.browser.support.looking import look
from tests.browser.support.market import Market

pytestmark = pytest.mark.django_db(transaction=True)

FOCUSED = "() => document.activeElement.getAttribute('value') || document.activeElement.textContent"


def test_conflicts_are_settled_by_keys_alone(kim: Page, market: Market) -> None:
    page = kim
    page.goto(f"{page.url}registry/conflict/{market.conflicts['several'].pk}/change/")
    listed = page.locator(".shortcuts")
    expect(listed).to_contain_text("K keep")
    expect(listed).to_contain_text("N next")
    followed = page.locator("#consequences")

    for key, value in (("g", "give"), ("k", "keep"), ("s", "split")):
        page.keyboard.press(key)
        expect(page.locator(f"input[name=decision][value={value}]")).to_be_checked()
    expect(followed).to_contain_text("Say at which day the days are split.")
    page.keyboard.press("k")
    expect(followed).to_contain_text("refused from 2026-08-01")
    page.get_by_label("Reason").press_sequentially("kept: nobody gives it")
    expect(page.get_by_label("Reason")).to_have_value("kept: nobody gives it")
    expect(page.locator("input[name=decision][value=keep]")).to_be_checked()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("is settled: AGR flexwerk.example keeps the days")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Conflict ")
    assert page.url.partition("?")[0].endswith("/change/"), "the next conflict is open"

    first = page.get_by_role("heading", level=1).inner_text()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).not_to_have_text(first)
    assert Conflict.objects.filter(decided_by="kim").count() == 1 + _decided_before(market)


def _decided_before(market: Market) -> int:
    """Kim's decisions of the market itself."""
    return Conflict.objects.filter(decided_by="kim").exclude(pk=market.conflicts["several"].pk).count()


def test_the_keys_can_be_turned_off(kim: Page, market: Market) -> None:
    page = kim
    page.goto(f"{page.url}registry/conflict/{market.conflicts['several'].pk}/change/")
    page.get_by_label("use these keys").uncheck()
    page.reload()
    expect(page.get_by_label("use these keys")).not_to_be_checked()
    page.keyboard.press("k")
    expect(page.locator("input[name=decision][value=keep]")).not_to_be_checked()


def test_the_decision_is_a_few_tabs_away(kim: Page, market: Market) -> None:
    """It was 36: past the menu by one link, past the claims and the timeline by another."""
    page = kim
    page.goto(f"{page.url}registry/conflict/{market.conflicts['several'].pk}/change/")
    pressed = 0
    for name in ("Skip to main content", "To the decision"):
        while page.evaluate(FOCUSED).strip() != name:
            page.keyboard.press("Tab")
            pressed += 1
            assert pressed < 10, page.evaluate(FOCUSED)
        page.keyboard.press("Enter")
        pressed += 1
    while page.evaluate("() => document.activeElement.name") != "decision":
        page.keyboard.press("Tab")
        pressed += 1
        assert pressed < 10, page.evaluate(FOCUSED)
    assert pressed <= 8


def test_a_decision_about_twelve_conflicts_is_taken_back(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    page.goto(f"{home}registry/conflict/{market.conflicts['takeover'].pk}/change/")
    page.get_by_role("link", name="settle them together").click()
    expect(page.locator(".shortcuts")).to_contain_text("G give")
    page.keyboard.press("g")
    page.get_by_label("Reason").fill("Zonkracht took over the contracts.")
    expect(page.locator("#consequences")).to_contain_text("Conflicts closed: 12")
    page.get_by_role("button", name=re.compile("Settle 12")).click()
    page.goto(f"{home}registry/conflict/{market.conflicts['takeover'].pk}/change/")
    expect(page.get_by_text("It was one of 12 conflicts that were decided together")).to_be_visible()
    look(page, "conflict-one-of-many")
    page.get_by_role("link", name="the whole decision").click()
    page.get_by_role("link", name="Reverse", exact=True).click()
    page.get_by_label("Keep: ").check()
    page.get_by_label("Reason").fill("It had not.")
    expect(page.locator("#consequences")).to_contain_text("gains days")
    look(page, "reverse")
    page.get_by_role("button", name="Decide 12 conflicts again").click()
    expect(page.get_by_text("The conflicts are decided again.")).to_be_visible()


def test_the_journal_contacts_and_follow_ups(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    flexwerk = market.participants["flexwerk.example"]
    page.goto(f"{home}participants/participant/{flexwerk.pk}/change/")
    page.get_by_role("link", name="Add a contact").click()
    page.get_by_label("Name").fill("Ann de Vries")
    page.get_by_label("Purpose").fill("conflicts")
    page.get_by_label("E-mail").fill("ann@flexwerk.example")
    page.get_by_label("Telephone").fill("+31 20 123 45 67")
    look(page, "contact")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("link", name="ann@flexwerk.example")).to_be_visible()
    assert Contact.objects.get().participant == flexwerk

    page.get_by_label("Comment").fill("Called Ann: the contract follows by post.")
    page.get_by_label("Files").set_input_files(
        files=[{"name": "letter.html", "mimeType": "text/html", "buffer": b"<script>alert(1)</script>"}]
    )
    page.get_by_role("button", name="Add the comment").click()
    expect(page.get_by_text("Called Ann: the contract follows by post.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="letter.html").click()
    assert download.value.suggested_filename == "letter.html"
    assert Attachment.objects.get().size == 25

    page.get_by_label("Assigned to").select_option("kim")
    page.get_by_label("Wait until").fill("2026-07-01")
    page.get_by_role("button", name="Save the follow-up").click()
    expect(page.locator("#journal")).to_contain_text("Was to wait until 2026-07-01")
    look(page, "participant-journal")
    page.get_by_role("link", name="Follow-ups").click()
    expect(
        page.get_by_role("row", name=re.compile("AGR flexwerk.example flexwerk.example kim 2026-07-01 due"))
    ).to_be_visible()
    look(page, "follow-ups")


def test_participants_are_found_below_the_field_and_cover_no_other_choice(
    log_in: LogIn, market: Market
) -> None:
    User.objects.create_superuser("root", password="root-root")
    page = log_in("root", "root-root")
    page.goto(f"{page.url}auth/user/add/")
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 700})
        field = page.locator(".field-acts_for")
        field.get_by_role("searchbox").click()
        expect(field.locator(".select2-results__option").first).to_contain_text("AGR")
        found = field.locator(".select2-dropdown").bounding_box()
        chosen = field.locator(".select2-selection").bounding_box()
        sees = page.locator(".field-sees").bounding_box()
        groups = page.locator(".field-groups").bounding_box()
        assert found
        assert chosen
        assert sees
        assert groups
        assert found["y"] >= chosen["y"] + chosen["height"] - 2
        assert found["y"] + found["height"] <= sees["y"] + 1
        assert groups["y"] + groups["height"] <= chosen["y"] + 1
        page.keyboard.press("Escape")
        look(page, f"user-add-{width}")


def test_a_colleague_is_invited(log_in: LogIn, market: Market, page: Page) -> None:
    User.objects.create_superuser("root", password="root-root")
    root = log_in("root", "root-root")
    root.goto(f"{root.url}auth/user/add/")
    root.get_by_label("Username").fill("lee")
    root.get_by_label("CRO auditor").check()
    root.get_by_label("Reason").fill("starts on 1 July")
    root.get_by_role("button", name="Save", exact=True).click()
    link = root.locator(".messagelist code").inner_text()
    look(root, "invitation-link")
    page.goto(link)
    expect(page.get_by_text("You log in as lee.")).to_be_visible()
    look(page, "invitation")
    page.get_by_label("Password:", exact=True).fill("a-long-one-1")
    page.get_by_label("Password confirmation").fill("a-long-one-1")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("Your password is set. Log in as lee.")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", name="This invitation is not valid")).to_be_visible()
    look(page, "invitation-over")


def test_a_congestion_point_as_known_then_and_its_timeline(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    page.goto(f"{home}registry/congestionpoint/")
    page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    terms = page.get_by_role("heading", name="Terms over time").bounding_box()
    assert terms
    assert terms["y"] < 1100
    look(page, "congestion-point")
    page.get_by_label("As known at day").fill("2025-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("nothing was recorded of this congestion point yet")).to_be_visible()
    look(page, "congestion-point-before")


def test_labels_of_a_timeline_stand_clear_of_arrows(kim: Page, market: Market) -> None:
    page, home = kim, kim.url
    page.goto(f"{home}registry/connection/{market.conflicts['given'].connection_id}/change/")
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        overlaps = page.evaluate(
            """() => {
                const boxes = (selector) => [...document.querySelectorAll(`.timeline ${selector}`)]
                    .map((it) => ({text: it.textContent, box: it.getBoundingClientRect()}))
                    .filter(({box}) => box.width);
                const meet = (a, b, margin) => a.left < b.right && b.left < a.right
                    && a.top - margin < b.bottom && b.top < a.bottom + margin;
                const bad = [];
                for (const one of boxes("text.label, text.heading, text.today")) {
                    for (const bar of boxes("rect.bar")) {
                        if (meet(one.box, bar.box, 3)) bad.push(one.text);
                    }
                }
                for (const word of boxes("text.word")) {
                    for (const arrow of boxes("svg.arrow")) {
                        if (meet(word.box, arrow.box, 0)) bad.push(word.text);
                    }
                }
                return bad;
            }"""
        )
        assert overlaps == [], (width, overlaps)
