"""Staff at work in a browser: messages with their XML, and lists."""

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from participants.models import Participant
from registry.changes import Source
from registry.updates import publish_representations
from tests.support.peer import Peer
from uftp import inbox, parsing
from uftp.models import InboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "ean.871600000000000001"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def updates() -> list[InboundMessage]:
    """Two AGRs' updates that claim the same connection."""
    from django.db import transaction

    messages = []
    for domain in ("one.example", "two.example"):
        agr = Peer("AGR", domain)
        content = agr.update([HOME])
        receipt = inbox.receive(
            role="AGR",
            domain=domain,
            sealed=agr.seal(content),
            content=content,
            header=parsing.check(content, 3),
            major=3,
            received_at=NOON,
        )
        message = InboundMessage.objects.get(pk=receipt.inbound_id)
        with transaction.atomic():
            publish_representations(
                Participant.objects.create(role="AGR", domain=domain),
                [(HOME, date(2026, 1, 1), None)],
                today=date(2026, 7, 1),
                source=Source.of_message(message),
            )
        messages.append(message)
    return messages


@pytest.fixture
def at_work(page: Page, live_server: object) -> Page:
    """A member of staff who has logged in."""
    User.objects.create_superuser("kim", password="kim")
    page.goto(f"{live_server}/admin/")
    page.get_by_label("Username").fill("kim")
    page.get_by_label("Password").fill("kim")
    page.get_by_role("button", name="Log in").click()
    return page


def fits(page: Page) -> bool:
    """Whether nothing sticks out of the page: what is wide scrolls by itself."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_staff_look_at_messages(at_work: Page, updates: list[InboundMessage]) -> None:
    page = at_work
    expect(page.get_by_text("Times in Europe/Amsterdam")).to_be_visible()
    assert fits(page)

    page.get_by_role("link", name="Inbound messages").first.click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    assert fits(page)
    page.get_by_label("Sender's domain").fill("two.example")
    page.get_by_label("Sender's domain").press("Enter")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="2026-07-01 14:00:00 CEST").click()

    xml = page.locator("pre.xml")
    expect(xml).to_contain_text(f'\n  <Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/>')
    assert fits(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download XML").click()
    assert download.value.suggested_filename == f"AGRPortfolioUpdate-{updates[1].message_id}.xml"
    assert download.value.path().read_bytes() == updates[1].content

    page.get_by_role("link", name="1 recorded").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Contested")


def test_a_message_set_aside_is_processed_again_with_a_click(
    at_work: Page, updates: list[InboundMessage]
) -> None:
    InboundMessage.objects.filter(pk=updates[0].pk).update(state="set aside", last_error="ValueError: odd")
    page = at_work

    page.goto(page.url.rstrip("/") + f"/uftp/inboundmessage/{updates[0].pk}/change/")
    expect(page.get_by_text("ValueError: odd")).to_be_visible()
    page.get_by_role("button", name="Process again").click()

    expect(page.get_by_text("1 message is to be processed again.")).to_be_visible()
    assert InboundMessage.objects.get(pk=updates[0].pk).state == "received"


def test_lists_show_all_their_columns_or_scroll_by_themselves(
    at_work: Page, updates: list[InboundMessage]
) -> None:
    page = at_work
    home = page.url.rstrip("/")
    InboundMessage.objects.update(
        result="Rejected", reason=f"Connection conflict: {HOME} and 12 more, contested"
    )

    for path in ("uftp/inboundmessage/", "registry/change/"):
        page.goto(f"{home}/{path}")
        rows = page.locator(".results")
        if (page.viewport_size or {})["width"] >= 1280:
            assert rows.evaluate("it => it.scrollWidth <= it.clientWidth"), path
        assert fits(page), path


def test_the_choices_of_a_policy_stand_on_a_line_each(at_work: Page) -> None:
    page = at_work
    page.goto(page.url.rstrip("/") + "/registry/policy/P7/change/")

    choices = page.locator("#id_value label")
    expect(choices).to_have_count(3)
    if (page.viewport_size or {})["width"] >= 1280:
        assert all((choice.bounding_box() or {})["height"] < 30 for choice in choices.all())
    assert fits(page)
