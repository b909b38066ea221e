"""A file is uploaded in a browser, previewed by a worker, read, applied; what is wrong with one is seen and saved."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from common.csv.importing import Options
from registry.imports.upload_file import pack
from registry.imports.uploads import store_upload
from registry.models import ImportRun, Representation
from tests.browser.conftest import operator
from tests.browser.support.looking import WIDTHS, look
from tests.browser.support.market import Market, behind, home
from tests.support.processes import Process, working

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30_000
"""Milliseconds for a worker process to begin and do its work."""


@pytest.fixture
def worker(market: Market) -> Iterator[Process]:
    """A worker at its work, once the market is made."""
    with working() as worker:
        yield worker


def handover(*more: str) -> bytes:
    """Dwarsflex takes over what nobody has behind two points, and what others have behind a third."""
    claimed = [*behind("north")[2:], *behind("dunes")[6:], *behind("mill")[:3]]
    return file(*(f"dwarsflex.example,{address},2027-01-01,2027-12-31" for address in claimed), *more)


def file(*lines: str) -> bytes:
    return "\n".join(["agr,connection,start,end", *lines, ""]).encode()


def choose(page: Page, content: bytes, name: str = "dwarsflex-2027.csv") -> None:
    payload: FilePayload = {"name": name, "mimeType": "text/csv", "buffer": content}
    page.get_by_label("File:", exact=True).set_input_files(payload)


def open_form(page: Page) -> None:
    menu = page.get_by_role("navigation", name="Screens")
    menu.get_by_role("link", name="Imports", exact=True).click()
    page.get_by_role("link", name="Upload a file").click()


def upload(page: Page, content: bytes, name: str = "dwarsflex-2027.csv", *, tick: Iterable[str] = ()) -> None:
    page.get_by_role("radio", name="Connections Who").check()
    choose(page, content, name)
    for label in tick:
        page.get_by_label(label).check()
    page.get_by_label("Reason").fill("Dwarsflex takes these over as of 2027.")
    page.get_by_role("button", name="Upload and preview").click()


def test_a_file_is_uploaded_read_and_applied(market: Market, kim: Page) -> None:
    page = kim
    open_form(page)
    look(page, "import-upload")
    page.get_by_role("radio", name="Connections Who").check()
    choose(page, b"agr;connection;from;to\n")
    page.get_by_role("button", name="Upload and preview").click()
    expect(page.get_by_text("This names other columns than wanted.")).to_be_visible()
    expect(page.get_by_text("Say why")).to_be_visible()
    look(page, "import-upload-wrong")

    upload(page, handover())
    expect(page.get_by_role("heading", name="Waits to be previewed")).to_be_visible()
    look(page, "import-waits")
    page.reload()  # Photographs leave marks on fields.
    discard = page.get_by_role("button", name="Discard")
    discard.focus()
    for _ in range(2):
        page.wait_for_event("response", lambda answer: answer.url.endswith("/progress/"))
    expect(discard).to_be_focused()

    with working() as worker:
        ready = page.get_by_role("heading", name="The preview is ready: decide")
        expect(ready, worker.log).to_be_visible(timeout=PATIENCE)
        changes = page.get_by_role("region", name="Consequences by connection")
        expect(changes).to_contain_text(home(33))
        assert changes.evaluate("it => it.scrollHeight <= it.clientHeight + 1")
        expect(page.locator(".progress-panel")).to_contain_text("Conflicts opened: 5")
        assert not Representation.objects.filter(agr__domain="dwarsflex.example").exists()
        look(page, "import-preview")

        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("heading", name="Applied", exact=True)).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("What it changed")).to_be_visible()
        look(page, "import-applied")
        page.locator(".progress-panel").get_by_role("link", name="change ").first.click()
        expect(page.get_by_role("heading", name="Result", exact=True)).to_be_visible()
        page.go_back()
        assert worker.stop() == 0
    claimed = Representation.objects.current().filter(agr__domain="dwarsflex.example")
    assert claimed.filter(standing="effective").count() == 10

    with working() as worker:
        open_form(page)
        upload(page, handover())
        expect(page.get_by_role("heading", name="Nothing to change")).to_be_visible(timeout=PATIENCE)
        look(page, "import-unchanged")
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Imports").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    look(page, "imports")


def test_what_is_wrong_with_a_file_is_seen_and_saved(kim: Page, market: Market, worker: Process) -> None:
    page = kim
    bad = (
        "nobody.example,ean.871685900000000011,2027-01-01,",
        f"dwarsflex.example,{home(7)},2027-02-30,",
        f"dwarsflex.example,{home(8)},2027-06-30,2027-01-01",
        "dwarsflex.example,the house with the green door,2027-01-01,",
    )
    open_form(page)
    upload(page, handover(*bad))
    expect(page.get_by_role("heading", name="Refused: nothing was imported")).to_be_visible(timeout=PATIENCE)
    table = page.get_by_role("region", name="What is wrong, by line")
    expect(table).to_contain_text("the house with the green door")
    look(page, "import-refused")
    with page.expect_download() as saved:
        page.get_by_role("link", name="All of it as CSV").click()
    rejects = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    assert {reject["line"] for reject in rejects} == {"17", "18", "19", "20"}

    page.get_by_role("button", name="Take the good lines, and preview again").click()
    expect(page.get_by_role("heading", name="The preview is ready: decide")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("4 bad lines are left out")).to_be_visible()
    look(page, "import-preview-of-good-lines")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Discarded: nothing was imported")).to_be_visible()
    assert not Representation.objects.filter(agr__domain="dwarsflex.example").exists()


def test_all_bad_lines_that_are_shown_are_seen_without_scrolling_a_box(
    kim: Page, market: Market, worker: Process
) -> None:
    page = kim
    open_form(page)
    upload(page, file(*(f"dwarsflex.example,the house number {number},2027-01-01," for number in range(150))))
    expect(page.get_by_role("heading", name="Bad lines: 150 in all")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("These are the first 100 faults.")).to_be_visible()
    table = page.get_by_role("region", name="What is wrong, by line")
    expect(table.locator("tbody tr")).to_have_count(100)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert table.evaluate("it => it.scrollHeight <= it.clientHeight + 1"), width
    look(page, "import-many-bad-lines")


def test_a_file_that_has_shrunk_is_allowed_after_a_look(kim: Page, market: Market, worker: Process) -> None:
    page = kim
    open_form(page)
    upload(page, handover(), tick=["Full file: what it does not name ends"])
    expect(page.get_by_role("button", name="Allow it, and preview again")).to_be_visible(timeout=PATIENCE)
    look(page, "import-shrunk")
    page.get_by_role("button", name="Allow it, and preview again").click()
    expect(page.get_by_role("heading", name="The preview is ready: decide")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("representations end with today.")).to_be_visible()
    look(page, "import-preview-of-all")


def test_a_file_that_is_too_large_is_not_sent(kim: Page, market: Market, settings: Any) -> None:
    settings.IMPORT_UPLOAD_MAX_BYTES = 1_500
    page = kim
    open_form(page)
    upload(page, handover() * 3)
    expect(page.get_by_role("alert").filter(has_text="This file is larger than")).to_be_visible()
    look(page, "import-too-large")
    assert not ImportRun.objects.exists()


def test_an_upload_is_followed_and_decided_on_a_telephone(
    page: Page, market: Market, live_server: object, worker: Process
) -> None:
    operator("kim")
    run = store_upload(
        ImportRun.Kind.CONNECTIONS,
        pack(io.BytesIO(handover())),
        "dwarsflex-2027.csv",
        Options(),
        actor="kim",
        reason="as of 2027",
    )
    page.goto(f"{live_server}/admin/registry/importrun/{run.pk}/change/")
    page.get_by_label("Username").fill("kim")
    page.get_by_label("Password").fill("kim")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Apply").click(timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Applied", exact=True)).to_be_visible(timeout=PATIENCE)
