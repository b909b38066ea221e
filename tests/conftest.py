"""Fixtures that hold for every test."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from participants import discovery
from participants.lookups import LookUps
from uftp.receiving import refusals, unknown_senders


@pytest.fixture
def stop_clock(settings: Any) -> Callable[[datetime], None]:
    """Put the clock of the CRO to a moment, where it stands; processes of `tests.support` get the same moment."""

    def put(moment: datetime) -> None:
        settings.DEBUG, settings.CRO_NOW = True, moment

    return put


@pytest.fixture(autouse=True)
def _no_wake_ups_of_earlier_tests(request: pytest.FixtureRequest) -> None:
    """Start a test that commits without jobs and workers: the queue's tables are not Django's to flush."""
    marker = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"} & set(request.fixturenames)
    if commits or (marker and marker.kwargs.get("transaction")):
        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.fixture(autouse=True)
def _a_budget_of_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a test with none kept: where the clock stands, the minute in which some are would never end."""
    monkeypatch.setattr(refusals, "_limits", refusals._Limits())


@pytest.fixture(autouse=True)
def _nothing_is_looked_up_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a test without answers of DNS from earlier tests."""
    monkeypatch.setattr(discovery, "_lookups", LookUps())


@pytest.fixture(autouse=True)
def _unknown_senders_are_written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count unknown senders from nothing on. No thread writes: its transaction would outlive the test's."""
    counter = unknown_senders.UnknownSenders(later=lambda write: None)
    monkeypatch.setattr(unknown_senders, "_unknown_senders", counter)
