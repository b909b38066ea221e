"""Messages that are stored at the same time: each is answered for itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection
from django.test import Client

from participants.models import PublicKey
from tests.support.peer import Peer
from uftp.models import InboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 20.0  # seconds


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait until `reached`, or fail."""
    ends = time.monotonic() + TIMEOUT
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.01)


def known_peer() -> Peer:
    """An AGR that this process has heard before."""
    agr = Peer("AGR")
    agr.register()
    assert post(agr, agr.xml()) == 200
    InboundMessage.objects.all().delete()
    return agr


def post(peer: Peer, content: bytes) -> int:
    body = peer.envelope(content)
    return Client().post("/shapeshifter/api/v3/message", body, content_type="text/xml").status_code


@contextmanager
def block_stores() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Whoever stores a message waits until this ends."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE uftp_inboundmessage IN SHARE MODE")
        yield other


def waiting_stores() -> list[int]:
    """The processes of the database in which a message is being stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO uftp_inboundmessage%%'"
        )
        return [pid for (pid,) in cursor.fetchall()]


def post_while_storing(
    first: tuple[Peer, bytes], others: list[tuple[Peer, bytes]], stop: bool = False
) -> list[int]:
    """Post `first`, and `others` while it is being stored; gives the statuses. `stop` ends the first's connection."""

    def work(peer: Peer, content: bytes) -> int:
        try:
            return post(peer, content)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(others) + 1) as threads:
        with block_stores() as other:
            answers = [threads.submit(work, *first)]
            wait_until(lambda: len(waiting_stores()) == 1)
            (first_one,) = waiting_stores()
            for number, each in enumerate(others, start=1):
                answers.append(threads.submit(work, *each))
                wait_until(lambda number=number: len(waiting_stores()) == number + 1)
            if stop:
                other.execute("SELECT pg_terminate_backend(%s)", [first_one])
                wait_until(answers[0].done)
        return [answer.result(TIMEOUT) for answer in answers]


def stored() -> set[bytes]:
    return {message.content for message in InboundMessage.objects.all()}


def test_each_is_told_its_own() -> None:
    """Among the others: two copies, one of an earlier message, and one by a key that has ended."""
    one, two, ended = known_peer(), known_peer(), known_peer()
    earlier, same = one.xml(), two.xml()
    assert post(one, earlier) == 200
    PublicKey.objects.filter(participant__domain=ended.domain).update(valid_until=datetime.now(UTC))
    sent = [
        (one, one.xml()),
        (two, same),
        (ended, ended.xml()),
        (two, same),
        (one, earlier),
        (two, two.xml()),
    ]
    assert post_while_storing((one, one.xml()), sent) == [200, 200, 200, 419, 200, 200, 200]
    assert stored() >= {content for peer, content in sent if peer is not ended}
    assert InboundMessage.objects.count() == 5


def test_one_that_cannot_be_stored_takes_no_other_with_it() -> None:
    one, two = known_peer(), known_peer()
    bad = "bbbbbbbb-0000-0000-0000-000000000bad"
    good = [(one, one.xml()), (two, two.xml())]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;"
            "CREATE TRIGGER refuse BEFORE INSERT ON uftp_inboundmessage FOR EACH ROW"
            f" WHEN (NEW.message_id = '{bad}') EXECUTE FUNCTION refuse()"
        )
        try:
            answers = post_while_storing((one, one.xml()), [good[0], (two, two.xml(MessageID=bad)), good[1]])
        finally:
            cursor.execute("DROP TRIGGER refuse ON uftp_inboundmessage; DROP FUNCTION refuse()")
    assert answers == [200, 200, 503, 200]
    assert len(stored()) == 3
    assert stored() >= {content for _, content in good}


def test_whose_connection_ends_keeps_nobody_waiting() -> None:
    agr = known_peer()
    first, others = (agr, agr.xml()), [(agr, agr.xml()) for _ in range(4)]
    answers = post_while_storing(first, others, stop=True)
    assert answers[1:] == [200] * 4
    assert stored() == {
        content for (_, content), status in zip([first, *others], answers, strict=True) if status == 200
    }
