"""What the sender of a message that was set aside gets for a copy of it."""

import pytest
from django.db import connection
from django.test import Client

from tests.support.exchange import drain, handled_by, receive
from tests.support.peer import Peer
from uftp.handlers import Incoming, Outcome
from uftp.models import InboundMessage, OutboundMessage
from uftp.processing import dead_letters

pytestmark = pytest.mark.django_db(transaction=True)

ROUTE = "/shapeshifter/api/v3/message"


@pytest.fixture
def agr() -> Peer:
    sender = Peer("AGR")
    sender.register()
    return sender


def jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'uftp.drain_inbox'")
        return int(cursor.fetchone()[0])


def test_M11_a_copy_of_a_message_that_was_set_aside_gets_503_until_staff_release_it(
    client: Client, agr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PAUSE", 0.01)
    poison = agr.xml()
    tries: list[bytes] = []

    def handle(incoming: Incoming) -> Outcome:
        tries.append(incoming.content)
        raise ZeroDivisionError("a handler's own mistake")

    with handled_by("TestMessage", handle):
        message = receive(agr, poison)
        drain(agr)
        assert InboundMessage.objects.get().state == "set aside"
        tries.clear()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs CASCADE")

        for _ in range(3):
            copy = client.post(ROUTE, agr.envelope(poison), content_type="text/xml")
            assert copy.status_code == 503
            assert int(copy["Retry-After"]) > 0
            assert b"with the CRO's staff" in copy.content
        drain(agr)

        assert (tries, jobs()) == ([], 0)
        message.refresh_from_db()
        assert (message.state, message.attempts) == ("set aside", 3)
    # Other messages of the sender go on.
    assert client.post(ROUTE, agr.envelope(agr.xml()), content_type="text/xml").status_code == 200

    assert dead_letters.process_again(message)
    assert client.post(ROUTE, agr.envelope(poison), content_type="text/xml").status_code == 200
    drain(agr)

    assert OutboundMessage.objects.get(in_reply_to=message).result == "Accepted"
    assert client.post(ROUTE, agr.envelope(poison), content_type="text/xml").status_code == 200
    assert InboundMessage.objects.count() == 2
