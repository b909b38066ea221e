"""A running CRO for all interop tests, and participants of each test's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoDbBlocker

from cro_project.config import environment
from demo.participants import Participant
from tests.interop.running import RunningCro, fresh_database
from tests.support.eans import ean
from tests.support.polling import wait_for

MakeParticipant = Callable[..., Participant]


@pytest.fixture(scope="session")
def shared_cro(django_db_blocker: DjangoDbBlocker) -> Iterator[RunningCro]:
    with django_db_blocker.unblock():
        environment.reach_database()
    with fresh_database() as database:
        running = RunningCro(database)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def cro(shared_cro: RunningCro) -> Iterator[RunningCro]:
    """A CRO in open mode with the policies it has by default; a test that fails shows what it logged."""
    before = shared_cro.log_sizes()
    yield shared_cro
    print(shared_cro.logged_since(before))


@pytest.fixture
def make_participant(cro: RunningCro) -> Iterator[MakeParticipant]:
    """Makes participants with a domain of their own; they are registered unless `standing` is None."""
    made: list[Participant] = []

    def make(role: str, standing: str | None = "authorized") -> Participant:
        domain = f"{role.lower()}-{secrets.token_hex(4)}.example"
        participant = Participant(role, domain, cro.known_as)
        made.append(participant)
        if standing is not None:
            cro.register(participant, standing=standing)
        return participant

    yield make
    for participant in made:
        participant.stop()


@pytest.fixture
def agr(make_participant: MakeParticipant) -> Participant:
    return make_participant("AGR")


@pytest.fixture
def dso(make_participant: MakeParticipant) -> Participant:
    return make_participant("DSO")


@pytest.fixture
def today() -> date:
    """The market's day; one that has a minute left at least, so that the test is within it."""

    def day() -> date | None:
        now = datetime.now(UTC).astimezone(ZoneInfo("Europe/Amsterdam"))
        return now.date() if (now + timedelta(minutes=1)).date() == now.date() else None

    return wait_for("the next day", day, 90)


@pytest.fixture
def closed(cro: RunningCro) -> Iterator[None]:
    """The CRO in closed mode while the test runs."""
    cro.manage("set_mode", "closed")
    yield
    cro.manage("set_mode", "open")


class Addresses:
    """Entity addresses that no other test has."""

    def __init__(self) -> None:
        self._number = f"{secrets.randbelow(10**8):08}"
        self._last = 0

    def connection(self) -> str:
        self._last += 1
        return ean(f"8716{self._number}{self._last:05}")

    def connections(self, number: int) -> list[str]:
        return [self.connection() for _ in range(number)]

    def point(self) -> str:
        self._last += 1
        return f"ea1.2026-01.example.dso:{self._number}-{self._last}"


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()
