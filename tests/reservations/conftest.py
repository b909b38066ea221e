"""Reservations under a clock that stands where the test puts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from tests.reservations.dsl import NOW, Parties, a_contract, deliver, some_parties
from tests.support.receiver import Receiver, receiving

At = Callable[[datetime | str], None]


@pytest.fixture
def at(stop_clock: Callable[[datetime], None]) -> At:
    """Puts the CRO's clock to a moment (aware, or ISO 8601 with an offset), where it stands; to NOW at first."""

    def put(moment: datetime | str) -> None:
        stop_clock(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)

    put(NOW)
    return put


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An endpoint on loopback, for the AGR."""
    with receiving() as running:
        yield running


@pytest.fixture
def parties(at: At, db: None) -> Parties:
    """A DSO and an AGR without an endpoint, with the contract CONTRACT in force."""
    found = some_parties()
    a_contract(found.dso, found.agr)
    return found


@pytest.fixture
def connected(at: At, db: None, receiver: Receiver) -> Parties:
    """A DSO and an AGR whose endpoint is `receiver`, with the contract CONTRACT in force."""
    found = some_parties(endpoint=receiver.url)
    deliver(found.agr)
    receiver.posts.clear()
    a_contract(found.dso, found.agr)
    return found
