"""The receipt, with many at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from participants.models import Participant
from tests.support.peer import Peer
from uftp.models import InboundMessage, Sender

pytestmark = pytest.mark.django_db(transaction=True)

CONCURRENT = 8


def post_at_once(peer: Peer, contents: list[bytes]) -> list[int]:
    """Post each of `contents` from a thread of its own, all at the same moment; gives the statuses."""
    barrier = Barrier(len(contents))

    def post(content: bytes) -> int:
        body = peer.envelope(content)
        barrier.wait()
        try:
            return Client().post("/shapeshifter/api/v3/message", body, content_type="text/xml").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(contents)) as threads:
        return list(threads.map(post, contents))


@pytest.mark.parametrize("round_number", range(5))
def test_the_first_messages_of_a_sender_at_once(round_number: int) -> None:
    agr = Peer("AGR")
    agr.register()
    assert post_at_once(agr, [agr.xml() for _ in range(CONCURRENT)]) == [200] * CONCURRENT
    assert (Sender.objects.count(), InboundMessage.objects.count()) == (1, CONCURRENT)


@pytest.mark.parametrize("round_number", range(5))
def test_copies_at_once_are_one_message(round_number: int) -> None:
    agr = Peer("AGR")
    agr.register()
    assert post_at_once(agr, [agr.xml()] * CONCURRENT) == [200] * CONCURRENT
    assert InboundMessage.objects.count() == 1
    assert Participant.objects.get().last_heard_at is not None
