"""Work of the apps above that takes long: one job at a time in each worker process, and in the way of no message.

What there is to do is in the tables of the app that registers it here; a job of the queue is only a wake-up call, as
for messages. A process that is asked to stop does not wait for such a job: its statement is cancelled, and the app has
it wait again.
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
"""Seconds between looks whether to stop, and between cancellations of what is under way then."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    wake: Callable[[], None]
    waits: Callable[[], bool]


_works: list[_Work] = []


def register(*, wake: Callable[[], None], waits: Callable[[], bool]) -> None:
    """Have each sweep call `wake`, which defers jobs for what waits; `worker --until-idle` goes on while it `waits`."""
    _works.append(_Work(wake, waits))


def wake() -> None:
    """Wake whatever waits."""
    for work in _works:
        work.wake()


def waits() -> bool:
    """Whether anything waits or is under way."""
    return any(work.waits() for work in _works)


def queued() -> list[str]:
    """What the wake-up calls are known by that no worker has fetched, in the order in which they are."""
    waiting = ProcrastinateJob.objects.filter(queue_name=QUEUE, status="todo", queueing_lock__isnull=False)
    return [str(lock) for lock in waiting.order_by("-priority", "id").values_list("queueing_lock", flat=True)]


@contextmanager
def cancelled(when: Callable[[], bool]) -> Iterator[None]:
    """Cancel each statement that this thread has under way on its database connection, as soon as it is so.

    A statement that is cancelled raises what Django makes of psycopg's QueryCanceled.
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
