"""A DSO, an AGR, and the endpoint of the AGR: a receiver on this machine."""

from collections.abc import Iterator

import pytest

from tests.support.peer import Peer
from tests.support.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def agr(receiver: Receiver) -> Peer:
    recipient = Peer("AGR")
    recipient.register(receiver.url)
    return recipient


@pytest.fixture
def dso() -> Peer:
    sender = Peer("DSO")
    sender.register()
    return sender
