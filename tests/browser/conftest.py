"""The system's Chromium, driven by Playwright against a live server; staff who have logged in; a market to look at."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.support import market as markets

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESK = 1280

LogIn = Callable[[str, str], Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; without one the tests are skipped, and fail where the environment says CI."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing = f"no Chromium on this machine ({', '.join(NAMES)}); install the system's package chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    with sync_playwright() as playwright:
        # Playwright's loop runs in this thread; Django would refuse the test's own queries for it.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
            if before is None:
                del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of; a test that means to meet a refusal empties it."""
    return []


@contextmanager
def session(chromium: Browser, width: int, complaints: list[str]) -> Iterator[Page]:
    """A page of a new browser session; what the browser complains of fails the test."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-CA",
    )
    page = context.new_page()
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{page.url}: {said.text}") if said.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    try:
        yield page
    finally:
        context.close()


@pytest.fixture(params=[DESK, 400], ids=["wide", "narrow"])
def page(chromium: Browser, request: pytest.FixtureRequest, complaints: list[str]) -> Iterator[Page]:
    """A page of a new browser session, on a desk and on a telephone."""
    with session(chromium, request.param, complaints) as page:
        yield page
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def log_in(chromium: Browser, live_server: object, complaints: list[str]) -> Iterator[LogIn]:
    """Logs a user in by name and password, each in a browser session of their own at a desk; gives the dashboard."""

    with ExitStack() as sessions:

        def log_in(username: str, password: str) -> Page:
            page = sessions.enter_context(session(chromium, DESK, complaints))
            page.goto(f"{live_server}/admin/")
            page.get_by_label("Username").fill(username)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Log in").click()
            return page

        yield log_in
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def kim(log_in: LogIn) -> Page:
    """The page of an operator, kim, who has logged in; it stands on the dashboard."""
    operator("kim")
    return log_in("kim", "kim")


@pytest.fixture
def market(transactional_db: None, stop_clock: Callable[[datetime], None]) -> markets.Market:
    """The market of `tests/browser/support/market.py`; the clock stands at its moment for the whole test."""
    stop_clock(markets.NOW)
    return markets.market()


def operator(username: str, group: str = "CRO operator") -> User:
    """A member of staff in `group`, with the user name as password."""
    user = User.objects.create_user(username, password=username, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user
