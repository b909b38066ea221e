"""The pages of what was known at a moment, while changes are made (docs/rules.md H1)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from registry.changes import holding_back_stamps
from registry.models import Change, CongestionPoint, Connection
from tests.registry.admin.pages import csv_of, declared, of_home, of_point, page_of, page_text, represented
from tests.support.meanwhile import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)

LOCK = "pg_advisory_xact_lock_shared"


@pytest.fixture
def staff(client: Client, stop_clock: Callable[[datetime], None]) -> Client:
    """A superuser, a minute after the last change."""
    client.force_login(
        User.objects.create_superuser("kim", password="kim"), "django.contrib.auth.backends.ModelBackend"
    )
    declared("grid.example", 1, 1)
    represented("one.example", 1)
    Change.objects.update(moment=datetime(2026, 6, 1, 11, tzinfo=UTC))
    stop_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    return client


@pytest.mark.parametrize("of", [lambda: of_home(1), lambda: of_point(1)], ids=["connection", "point"])
def test_H1_a_change_goes_on_while_a_page_of_a_past_moment_is_rendered(
    staff: Client, of: Callable[[], Connection | CongestionPoint]
) -> None:
    address = page_of(of())
    with meanwhile(lambda: represented("two.example", 2), after=LOCK) as waited:
        page_text(staff, f"{address}?known_day=2026-06-01&known_time=13:30")
    assert len(waited) == 1, "the page did not wait for the changes before its moment"
    assert Change.objects.count() == 3


@pytest.mark.parametrize("what", ["connections", "aggregators"])
def test_H1_a_file_of_a_past_moment_waits_for_changes_that_are_being_committed(
    staff: Client, what: str
) -> None:
    stamped, may_commit = Event(), Event()

    def publish() -> None:
        with transaction.atomic():
            represented("one.example", 2)
            stamped.set()
            may_commit.wait(30)
        connection.close()

    def download() -> list[str]:
        try:
            return csv_of(staff, 1, what, "2026-06-01&known_day=2026-06-01&known_time=13:30")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        publishing = threads.submit(publish)
        assert stamped.wait(30)
        downloading = threads.submit(download)
        with pytest.raises(TimeoutError):
            downloading.result(0.5)
        may_commit.set()
        publishing.result(30)
        assert len(downloading.result(30)) == 2


def test_H1_no_change_is_stamped_while_the_present_moment_is_read(staff: Client) -> None:
    with ThreadPoolExecutor(1) as threads:

        def publish() -> None:
            represented("two.example", 2)
            connection.close()

        with transaction.atomic():
            with holding_back_stamps():
                publishing = threads.submit(publish)
                with pytest.raises(TimeoutError):
                    publishing.result(0.5)
            # The lock ends with the block, not with the transaction around it.
            publishing.result(30)
