"""Long jobs of other apps, such as imports. A worker process does one at a time, beside the messages.

What there is to do is in the tables of the app that registers the job here. A job of the queue is only a wake-up, as
for messages. A process that stops does not wait for a long job: its statement is cancelled, and the app lets the job
wait again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from procrastinate.contrib.django.models import ProcrastinateJob

QUEUE = "long"

CANCEL_EVERY = 0.2
"""Seconds between two checks whether to stop, and between two cancellations."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _LongJob:
    wake: Callable[[], None]
    is_waiting: Callable[[], bool]


_long_jobs: list[_LongJob] = []


def register(*, wake: Callable[[], None], is_waiting: Callable[[], bool]) -> None:
    """Register a kind of long job.

    Args:
        wake: Defers queue jobs for the waiting long jobs. Each sweep calls it.
        is_waiting: Returns whether a long job waits or is under way. Then `worker --until-idle` goes on.
    """
    _long_jobs.append(_LongJob(wake, is_waiting))


def wake() -> None:
    """Wake the waiting long jobs of all kinds."""
    for job in _long_jobs:
        job.wake()


def is_waiting() -> bool:
    """Return whether a long job of any kind waits or is under way."""
    return any(job.is_waiting() for job in _long_jobs)


def queued_locks() -> list[str]:
    """Return the queueing locks of the jobs that no worker has fetched, in the order of the queue."""
    waiting = ProcrastinateJob.objects.filter(queue_name=QUEUE, status="todo", queueing_lock__isnull=False)
    return [str(lock) for lock in waiting.order_by("-priority", "id").values_list("queueing_lock", flat=True)]


@contextmanager
def cancel_statements(when: Callable[[], bool]) -> Iterator[None]:
    """Cancel the statements of this thread inside the `with` block, once `when` returns True.

    A cancelled statement raises Django's exception for psycopg's QueryCanceled.
    """
    done, mine = threading.Event(), connections[DEFAULT_DB_ALIAS]

    def watch() -> None:
        while not done.wait(CANCEL_EVERY):
            if not when() or (raw := mine.connection) is None:
                continue
            try:
                raw.cancel_safe(timeout=5)
            except psycopg.Error as error:
                logger.info("A statement could not be cancelled: %s", error)

    watcher = threading.Thread(target=watch, name="cancels", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
