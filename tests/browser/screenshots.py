"""Makes the pictures of docs/operators-guide.md, the same each time: `make screenshots`."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Page, expect

from common.csv.importing import Options
from participants.admin_base import extensions
from participants.daily_counts import DAYS, MAX_DAYS_A_RUN, update_daily_counts
from registry.imports import upload_jobs, uploads
from registry.imports.upload_file import pack
from registry.models import ImportRun
from tests.browser.conftest import DESK
from tests.browser.support.dsl import ZONE
from tests.browser.support.market import NOW, PUT_BACK, Market, behind, say, standing
from tests.browser.support.png import with_palette
from tests.support.receiver import receiving
from uftp import connectivity
from uftp.delivery import deliver

pytestmark = pytest.mark.django_db(transaction=True)

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"


def test_the_pictures_are_made(market: Market, kim: Page) -> None:
    page, home = kim, kim.url
    send_test_message(market)
    count_all_days()
    PICTURES.mkdir(exist_ok=True)

    page.goto(home)
    picture(page, "dashboard", until="#all-tables")

    page.goto(f"{home}registry/conflict/{market.conflicts['several'].pk}/change/")
    page.get_by_label("Split: ").check()
    page.get_by_label("Split at").fill("2026-10-01")
    page.get_by_label("Reason").fill("Zonkracht’s contract starts in October.")
    expect(page.locator("#consequences")).to_contain_text("from 2026-10-01")
    picture(page, "conflict", height=1800)

    page.goto(f"{home}registry/conflict/{market.conflicts['takeover'].pk}/change/")
    page.get_by_role("link", name="settle them together").click()
    page.get_by_label("Give: ").check()
    page.get_by_label("Reason").fill("Zonkracht took over the building’s contracts.")
    expect(page.locator("#consequences")).to_contain_text("Conflicts closed: 12")
    picture(page, "bulk", height=1000)

    page.goto(f"{home}registry/connection/{market.conflicts['given'].connection_id}/change/")
    picture(page, "connection")

    page.goto(f"{home}participants/participant/{market.participants['flexwerk.example'].pk}/change/")
    expect(page.get_by_text("answered after")).to_be_visible()
    picture(page, "participant")

    page.goto(f"{home}uftp/inboundmessage/?received_at_recent=24h")
    picture(page, "messages", height=1000)

    harbour = market.contracts["HARBOUR-2026"].pk
    page.goto(f"{home}reservations/contract/{harbour}/change/")
    page.get_by_role("link", name="Change …").click()
    page.get_by_label("Every day", exact=True).uncheck()
    for day in ("Saturday", "Sunday"):
        page.get_by_label(day, exact=True).check()
    page.get_by_label("From", exact=True).fill("17:00")
    page.get_by_label("to", exact=True).fill("20:00")
    page.get_by_label("Watts", exact=True).fill("300000")
    page.get_by_role("button", name="Fill in").click()
    expect(page.get_by_role("status")).to_contain_text("17:00–20:00")
    picture(page, "contract", height=1380)

    page.goto(f"{home}reservations/contract/{harbour}/day/2026-06-16/")
    picture(page, "reserved-day")

    page.goto(f"{home}reservations/reservationupdate/{market.updates['undone'].pk}/change/")
    picture(page, "undone")

    page.goto(f"{home}registry/importrun/{upload()}/change/")
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    picture(page, "import")


def upload() -> int:
    """The number of an upload that was previewed a minute ago: Zonkracht takes over connections as of August."""
    taken = [*behind("station")[5:], *behind("mill")[7:9]]
    lines = [f"zonkracht.example,{address},2026-08-01,2027-07-31" for address in taken]
    content = "\n".join(["agr,connection,start,end", *lines, ""]).encode()
    with standing(NOW):
        run = uploads.store_upload(
            ImportRun.Kind.CONNECTIONS,
            pack(BytesIO(content)),
            "zonkracht-2026-08.csv",
            Options(),
            actor="kim",
            reason="The yearly handover, as agreed on 24 June.",
        )
        upload_jobs.run_upload(run.pk, now=NOW, stopping=lambda: False)
    uploaded, began = NOW - timedelta(seconds=70), NOW - timedelta(seconds=66)
    ended = began + timedelta(seconds=0.4)
    ImportRun.objects.filter(pk=run.pk).update(created_at=uploaded, started_at=began, finished_at=ended)
    return int(run.pk)


def count_all_days() -> None:
    """Count the days of the dashboard's trends, as the worker does within an hour and a half."""
    for _ in range(DAYS // MAX_DAYS_A_RUN + 1):
        update_daily_counts(extensions.daily_counts(), now=NOW, zone=ZONE)


def send_test_message(market: Market) -> None:
    """A TestMessage to Flexwerk that was delivered and answered a few minutes ago."""
    flexwerk = market.participants["flexwerk.example"]
    endpoint = flexwerk.endpoint
    sent = NOW - timedelta(minutes=5)
    with receiving() as receiver, standing(sent):
        flexwerk.endpoint = receiver.url
        flexwerk.save()
        connectivity.send_test_message(flexwerk, sent)
        deliver.deliver_due(flexwerk.role, flexwerk.domain, wake=lambda role, domain: None)
        test = receiver.posts[-1].attributes
    answer = {"ConversationID": test["ConversationID"], "Result": "Accepted"}
    say(market, flexwerk.domain, sent + timedelta(seconds=3), "TestMessageResponse", **answer)
    flexwerk.endpoint = endpoint
    flexwerk.save()
    with connection.cursor() as cursor:
        for statement in PUT_BACK:
            cursor.execute(statement)


def picture(page: Page, name: str, until: str = "#footer", height: int = 1400) -> None:
    """Photograph the page down to the element `until`, or to `height`."""
    page.evaluate("() => document.activeElement?.blur()")
    page.mouse.move(0, 0)
    end = page.evaluate("it => document.querySelector(it).getBoundingClientRect().top + scrollY", until)
    taken = page.screenshot(
        full_page=True,
        animations="disabled",
        clip={"x": 0, "y": 0, "width": DESK, "height": min(end - 8, height)},
    )
    (PICTURES / f"{name}.png").write_bytes(with_palette(taken))
