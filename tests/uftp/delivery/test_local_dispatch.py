"""Local dispatch: who delivers, how many at a time, and what goes elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue

import pytest

from uftp.delivery.leases import MAX_CONCURRENT
from uftp.delivery.local_dispatch import LocalDispatch

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE = 20.0

Party = tuple[str, str]
DEAD, ALIVE = ("AGR", "dead.example"), ("AGR", "alive.example")


class Endpoints:
    """Deliveries that last until they are let go, or for the one that is alive no time."""

    def __init__(self) -> None:
        self.begun: Queue[Party] = Queue()
        self.elsewhere: list[Party] = []
        self.let_go = threading.Event()
        self.dispatch = LocalDispatch(self._deliver, lambda *party: self.elsewhere.append(party))

    def _deliver(self, role: str, domain: str) -> None:
        self.begun.put((role, domain))
        if (role, domain) == DEAD:
            assert self.let_go.wait(DEADLINE)

    def begin(self, party: Party) -> None:
        """Dispatch, and wait until that delivery has begun."""
        self.dispatch(*party)
        assert self.begun.get(timeout=DEADLINE) == party


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    endpoints = Endpoints()
    yield endpoints
    endpoints.let_go.set()


def test_a_process_that_is_no_worker_wakes_one(endpoints: Endpoints) -> None:
    endpoints.dispatch(*ALIVE)

    assert endpoints.elsewhere == [ALIVE]
    assert endpoints.begun.empty()


def test_a_dead_endpoint_holds_nobody_else_up(endpoints: Endpoints) -> None:
    with endpoints.dispatch.open(MAX_CONCURRENT + 1):
        for _ in range(MAX_CONCURRENT):
            endpoints.begin(DEAD)

        endpoints.dispatch(*DEAD)
        endpoints.begin(ALIVE)
        endpoints.let_go.set()

    assert endpoints.elsewhere == [DEAD]
    assert endpoints.begun.empty()


def test_what_finds_no_thread_free_goes_elsewhere(endpoints: Endpoints) -> None:
    with endpoints.dispatch.open(1):
        endpoints.begin(DEAD)

        endpoints.dispatch(*ALIVE)
        endpoints.let_go.set()

    assert endpoints.elsewhere == [ALIVE]


def test_what_is_under_way_is_brought_to_its_end(endpoints: Endpoints) -> None:
    with endpoints.dispatch.open(1):
        endpoints.dispatch(*ALIVE)
    endpoints.dispatch(*DEAD)

    assert endpoints.begun.get_nowait() == ALIVE
    assert endpoints.elsewhere == [DEAD]
