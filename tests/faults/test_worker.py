"""The worker among others: slow participants, late receipts, being paused, being stopped, more than one of it."""

import contextlib
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.processes import serving, working
from tests.support.receiver import OK, Posted, Receiver, Reply, receiving
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage
from uftp.protocol.parsing import check
from uftp.receiving import inbox
from uftp.wakeups import wakeups
from uftp.worker import sweep

pytestmark = pytest.mark.django_db(transaction=True)


def put(peer: Peer, *contents: bytes, wake: bool = True) -> None:
    """Store messages as the web process does."""
    for content in contents:
        receipt = inbox.store(
            inbox.VerifiedMessage(
                role=peer.role,
                domain=peer.domain,
                sealed=peer.seal(content),
                content=content,
                header=check(content, 3),
                major=3,
                received_at=timezone.now(),
            )
        )
        if wake:
            wakeups.wake_inbox(receipt.sender_id)


def states(model: type[InboundMessage] | type[OutboundMessage]) -> set[str]:
    return set(model.objects.values_list("state", flat=True))


def test_until_idle_ends_when_all_is_handled_and_delivered() -> None:
    agr, dso = Peer("AGR"), Peer("DSO")
    with receiving() as receiver:
        agr.register(receiver.url)
        dso.register(receiver.url)
        put(agr, *(agr.xml() for _ in range(30)), wake=False)
        put(dso, *(dso.xml() for _ in range(30)), wake=False)
        with working("--until-idle") as worker:
            assert worker.process.wait(60) == 0, worker.log
        assert states(InboundMessage) == {"processed"}
        assert states(OutboundMessage) == {"delivered"}
        assert len(receiver.posts) == 60
        with working("--until-idle") as worker:
            assert worker.process.wait(30) == 0, worker.log
        assert_no_jobs()


def test_until_idle_does_not_wait_for_what_is_not_due() -> None:
    agr = Peer("AGR")
    with receiving() as receiver:
        receiver.reply = lambda posted, before: (503, {"Retry-After": "3600"}, b"")
        agr.register(receiver.url)
        put(agr, agr.xml())
        with working("--until-idle") as worker:
            assert worker.process.wait(30) == 0, worker.log
        assert states(OutboundMessage) == {"waiting"}


def test_slow_and_dead_participants_hold_up_nobody() -> None:
    """More silent participants than a single one may hold, each with a queue; another one is served at once."""
    go_on = threading.Event()

    def wait(posted: Posted, before: int) -> Reply:
        go_on.wait(25)
        return OK

    quick = Peer("AGR")
    with receiving() as silent, receiving() as receiver:
        silent.reply = wait
        quick.register(receiver.url)
        for _ in range(3):
            slow = Peer("AGR")
            slow.register(silent.url)
            put(slow, *(slow.xml() for _ in range(10)))
        with working() as worker:
            wait_for("the silent ones being asked", lambda: len(silent.posts) >= 12)
            started = time.monotonic()
            put(quick, quick.xml())
            wait_for(f"the quick one's answer\n{worker.log}", lambda: receiver.posts)
            assert time.monotonic() - started < 3
            assert len(silent.posts) == 12, "four at a time each"
            go_on.set()
            wait_for("everything delivered", lambda: states(OutboundMessage) == {"delivered"}, 60)
            assert worker.stop() == 0


def test_a_receipt_that_commits_late_is_handled_within_two_seconds_of_its_commit() -> None:
    """The web process has given it its id and waits for the commit, while later messages are handled all the time.

    What it waits for is another transaction with the same message, which is then undone.
    """
    agr = Peer("AGR")
    late = agr.xml(MessageID=str(uuid.uuid4()))
    answered: list[float] = []
    with receiving() as receiver, serving("--workers", "1") as web, working() as worker:
        agr.register(receiver.url)
        assert agr.post(web.port, agr.xml()).status == 200

        def post_late() -> None:
            assert agr.post(web.port, late).status == 200
            answered.append(time.monotonic())

        poster = threading.Thread(target=post_late)
        with transaction.atomic():
            put(agr, late, wake=False)
            poster.start()
            wait_for("the receipt waiting for its commit", waiting_for_a_lock)
            for _ in range(20):
                assert agr.post(web.port, agr.xml()).status == 200
            wait_for(f"the later ones handled\n{worker.log}", lambda: len(receiver.posts) == 21)
            transaction.set_rollback(True)
        busy = keep_posting(agr, web.port)
        poster.join(20)
        message = wait_for(
            "the late message", lambda: InboundMessage.objects.filter(message_id=message_id(late)).first()
        )
        wait_for(f"its handling\n{worker.log}", lambda: handled(message.pk))
        seconds = time.monotonic() - answered[0]
        busy()
        assert InboundMessage.objects.filter(pk__gt=message.pk).count() >= 20, (
            "it was given its id before them"
        )
        assert seconds < 2, seconds


def message_id(content: bytes) -> str:
    return check(content, 3).message_id.lower()


def handled(pk: int) -> bool:
    return InboundMessage.objects.filter(pk=pk, state="processed").exists()


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def keep_posting(peer: Peer, port: int) -> Callable[[], None]:
    """Post messages of `peer`, until what is returned is called."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            assert peer.post(port, peer.xml()).status == 200

    thread = threading.Thread(target=work)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(20)

    return end


def test_connections_that_the_database_ended_cost_no_try() -> None:
    """As after a restart of the database: each job looks first whether its connection is still one."""
    agr = Peer("AGR")
    with receiving() as receiver, working("--concurrency", "1") as worker:
        agr.register(receiver.url)
        for number in (1, 2, 3):
            put(agr, agr.xml())
            wait_for(f"answer {number}\n{worker.log}", partial(came, receiver, number), 60)
            end_idle_connections()
        assert worker.stop() == 0
    assert states(InboundMessage) == {"processed"}
    assert set(InboundMessage.objects.values_list("attempts", "setbacks")) == {(0, 0)}
    assert set(OutboundMessage.objects.values_list("attempts", flat=True)) == {1}
    assert "Handling of messages stops" not in worker.log, worker.log


def came(receiver: Receiver, number: int) -> bool:
    return len(receiver.posts) == number


def end_idle_connections() -> None:
    """The database ends every connection but the test's own, as soon as nothing is under way."""

    def at_rest() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'todo'")
            return cursor.fetchone() == (0,)

    wait_for("the jobs done", at_rest)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_two_workers_share_the_work_and_do_nothing_twice() -> None:
    peers = [Peer("AGR") for _ in range(6)]
    with receiving() as receiver:
        for peer in peers:
            peer.register(receiver.url)
            put(peer, *(peer.xml() for _ in range(20)))
        with working() as first, working() as second:
            wait_for("everything delivered", lambda: all_delivered(120), 60)
            assert (first.stop(), second.stop()) == (0, 0)
        assert len(receiver.posts) == 120
        assert_no_jobs()


def all_delivered(number: int) -> bool:
    return OutboundMessage.objects.filter(state="delivered").count() == number


def test_a_paused_worker_does_no_harm_when_it_comes_back() -> None:
    """Paused in the middle of a POST and declared dead; another delivers; then the first one goes on and is of use."""
    agr = Peer("AGR")
    reached, answer_first = threading.Event(), threading.Event()

    def reply(posted: Posted, before: int) -> Reply:
        if before == 0:
            reached.set()
            answer_first.wait(240)
        return OK

    with receiving() as receiver, working() as paused:
        receiver.reply = reply
        agr.register(receiver.url)
        put(agr, agr.xml())
        assert reached.wait(30), paused.log
        paused.signal(signal.SIGSTOP)
        with working() as other:
            wait_for(f"the other's delivery\n{other.log}", lambda: all_delivered(1), 180)
            paused.signal(signal.SIGCONT)
            answer_first.set()
            wait_for("both attempts recorded", lambda: DeliveryAttempt.objects.count() == 2)
            assert other.stop() == 0
        assert one_message_twice(receiver)
        assert OutboundMessage.objects.get().state == "delivered"
        put(agr, agr.xml())
        wait_for(f"the first worker at work again\n{paused.log}", lambda: all_delivered(2), 30)
        assert paused.stop() == 0


def one_message_twice(receiver: Receiver) -> bool:
    return len(receiver.posts) == 2 and receiver.posts[0].body == receiver.posts[1].body


def test_a_worker_outlives_its_database_connections() -> None:
    agr = Peer("AGR")
    with receiving() as receiver, working() as worker:
        agr.register(receiver.url)
        put(agr, agr.xml())
        wait_for("the first", lambda: all_delivered(1))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        put(agr, agr.xml())
        wait_for(f"the second\n{worker.log}", lambda: all_delivered(2), 30)
        assert not worker.ended
        assert worker.stop() == 0


@contextlib.contextmanager
def database_away() -> Iterator[None]:
    """End all connections to the test's database, and let nobody connect."""
    name = str(connection.settings_dict["NAME"])
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} ALLOW_CONNECTIONS false")
        try:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} ALLOW_CONNECTIONS true")


def test_a_worker_waits_for_a_database_that_is_away_and_fills_no_log() -> None:
    agr = Peer("AGR")
    with receiving() as receiver, working() as worker:
        agr.register(receiver.url)
        put(agr, agr.xml())
        wait_for("the first", lambda: all_delivered(1))
        before = len(worker.log.splitlines())
        with database_away():
            # So long that each part of the worker needs the database meanwhile.
            until = time.monotonic() + sweep.INTERVAL + 2
            wait_for("the end of the outage", lambda: time.monotonic() > until, 30)
            lines = worker.log.splitlines()[before:]
        assert any("A part of the worker waits for the database. (database: " in line for line in lines)
        assert len(lines) < 20, worker.log
        assert "Traceback" not in worker.log
        put(agr, agr.xml())
        wait_for(f"the second\n{worker.log}", lambda: all_delivered(2), 30)
        answers = "INFO uftp.worker.main: The database answers: working."
        wait_for(f"the end in the log\n{worker.log}", lambda: worker.log.count(answers) == 2, 30)
        assert worker.stop() == 0


def assert_no_jobs() -> None:
    """Wake-ups leave nothing behind once they were fetched."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'todo'")
        assert cursor.fetchone()[0] == 0
