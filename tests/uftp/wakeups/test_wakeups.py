"""Wake-ups: one in the queue is enough, and none that is lost disturbs its caller."""

import threading

import pytest
from django.db import connection, transaction

from tests.support.polling import wait_for
from uftp.wakeups.wakeups import wake_inbox, wake_outbox

Job = tuple[str, str, dict[str, object]]


def waiting() -> list[Job]:
    """Return queue, task and arguments of the jobs that are not fetched yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue_name, task_name, args::text::json FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
        )
        return [(queue, task, dict(arguments)) for queue, task, arguments in cursor.fetchall()]


def fetch_all() -> None:
    """Do what a worker does first: it fetches the jobs."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")


@pytest.mark.django_db
def test_a_wake_up_that_waits_serves_for_all_that_come_before_it_is_fetched() -> None:
    for _ in range(5):
        wake_inbox(7)

    assert waiting() == [("inbox", "uftp.drain_inbox", {"sender_id": 7})]


@pytest.mark.django_db
def test_a_wake_up_that_is_fetched_does_not_serve_for_what_comes_after_it() -> None:
    wake_inbox(7)
    fetch_all()

    wake_inbox(7)

    assert waiting() == [("inbox", "uftp.drain_inbox", {"sender_id": 7})]


@pytest.mark.django_db
def test_each_inbox_and_each_recipient_has_a_wake_up_of_its_own() -> None:
    wake_inbox(7)
    wake_inbox(8)
    wake_outbox("AGR", "one.example")
    wake_outbox("DSO", "one.example")

    assert waiting() == [
        ("inbox", "uftp.drain_inbox", {"sender_id": 7}),
        ("inbox", "uftp.drain_inbox", {"sender_id": 8}),
        ("outbox", "uftp.deliver", {"role": "AGR", "domain": "one.example"}),
        ("outbox", "uftp.deliver", {"role": "DSO", "domain": "one.example"}),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_make_one_wake_up_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The second one passes the condition before the first one commits: the index of the queue stops it."""
    done = threading.Event()

    def second() -> None:
        wake_inbox(7)
        connection.close()
        done.set()

    def waits_for_the_first() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            return bool(cursor.fetchone()[0])

    thread = threading.Thread(target=second)
    with transaction.atomic():
        wake_inbox(7)
        thread.start()
        wait_for("the second wake-up", waits_for_the_first)
    thread.join(20)

    assert done.is_set()
    assert waiting() == [("inbox", "uftp.drain_inbox", {"sender_id": 7})]
    assert not caplog.records


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_that_cannot_be_made_is_left_to_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE procrastinate_jobs RENAME TO procrastinate_jobs_away")
        try:
            wake_inbox(7)
        finally:
            cursor.execute("ALTER TABLE procrastinate_jobs_away RENAME TO procrastinate_jobs")

    assert ["left to the sweep" in record.getMessage() for record in caplog.records] == [True]
    assert waiting() == []
