"""Makes the pictures of docs/operators-guide.md, the same each time: `make screenshots`."""

from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Page, expect

from tests.browser.market import NOW, PUT_BACK, Market, say, standing
from tests.browser.png import with_palette
from tests.support.receiver import receiving
from uftp import connectivity, delivery

pytestmark = pytest.mark.django_db(transaction=True)

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"


def test_the_pictures_are_made(market: Market, kim: Page) -> None:
    page, home = kim, kim.url
    send_test_message(market)
    PICTURES.mkdir(exist_ok=True)

    page.goto(home)
    picture(page, "dashboard", until="#all-tables")

    page.goto(f"{home}registry/conflict/{market.conflicts['several'].pk}/change/")
    page.get_by_label("Split: ").check()
    page.get_by_label("Split at").fill("2026-10-01")
    page.get_by_label("Reason").fill("Zonkracht’s contract starts in October.")
    expect(page.locator("#consequences")).to_contain_text("from 2026-10-01")
    picture(page, "conflict")

    page.goto(f"{home}registry/conflict/{market.conflicts['takeover'].pk}/change/")
    page.get_by_role("link", name="settle them together").click()
    page.get_by_label("Give: ").check()
    page.get_by_label("Reason").fill("Zonkracht took over the building’s contracts.")
    expect(page.locator("#consequences")).to_contain_text("Conflicts closed: 12")
    picture(page, "bulk")

    page.goto(f"{home}registry/connection/{market.conflicts['given'].connection_id}/change/")
    picture(page, "connection")

    page.goto(f"{home}participants/participant/{market.participants['flexwerk.example'].pk}/change/")
    expect(page.get_by_text("answered after")).to_be_visible()
    picture(page, "participant")

    page.goto(f"{home}uftp/inboundmessage/?received_at_recent=24h")
    picture(page, "messages")


def send_test_message(market: Market) -> None:
    """A TestMessage to Flexwerk, delivered and answered at the market's moment."""
    flexwerk = market.participants["flexwerk.example"]
    endpoint = flexwerk.endpoint
    with receiving() as receiver, standing(NOW):
        flexwerk.endpoint = receiver.url
        flexwerk.save()
        connectivity.send_test_message(flexwerk, NOW)
        delivery.deliver_due(flexwerk.role, flexwerk.domain, wake=lambda role, domain: None)
        test = receiver.posts[-1].said
        say(
            market,
            flexwerk.domain,
            NOW,
            "TestMessageResponse",
            ConversationID=test["ConversationID"],
            Result="Accepted",
        )
    flexwerk.endpoint = endpoint
    flexwerk.save()
    with connection.cursor() as cursor:
        for statement in PUT_BACK:
            cursor.execute(statement)


def picture(page: Page, name: str, until: str = "") -> None:
    """Photograph the page, down to the element `until` where one is given."""
    page.evaluate("() => document.activeElement?.blur()")
    page.mouse.move(0, 0)
    size = page.evaluate(
        "until => ({width: document.documentElement.clientWidth, height: until"
        " ? document.querySelector(until).getBoundingClientRect().top + scrollY - 10"
        " : document.documentElement.scrollHeight})",
        until,
    )
    taken = page.screenshot(
        full_page=True,
        animations="disabled",
        clip={"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 1400)},
    )
    (PICTURES / f"{name}.png").write_bytes(with_palette(taken))
