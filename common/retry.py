"""Retry transactions that lose a race, and recognise errors of a database that is away."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, transaction

T = TypeVar("T")

logger = logging.getLogger(__name__)

LOST_RACES = frozenset({"23P01", "40P01", "40001"})
"""Exclusion violation, deadlock, serialization failure: another transaction was there first."""

SERVER_TROUBLE = ("08", "25006", "53100", "53300", "57P", "58")
"""Beginnings of SQLSTATEs: the server is away, shutting down, read-only, or out of disk or connections.

Out of memory (53200) and configuration limits (53400) are not included: one statement can cause them each time.
"""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0  # seconds
PATIENCE = 60.0  # seconds


class LostRace(Exception):
    """Another transaction was first. Raised where PostgreSQL reports no code that says so."""


def sqlstate(error: BaseException | None) -> str | None:
    """Return PostgreSQL's code of `error` or of its causes; None if there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, psycopg.Error) and error.sqlstate:
            return error.sqlstate
        error = error.__cause__ or error.__context__
    return None


def lost_race(error: BaseException) -> bool:
    """Return whether `error` means that another transaction was first, so that a retry may succeed."""
    return isinstance(error, LostRace) or (isinstance(error, Exception) and sqlstate(error) in LOST_RACES)


def server_trouble(error: BaseException) -> bool:
    """Return whether `error` means that the database is in trouble, and not the statement."""
    code = sqlstate(error)
    if code is not None:
        return code.startswith(SERVER_TROUBLE)
    return isinstance(
        error, InterfaceError | OperationalError | psycopg.InterfaceError | psycopg.OperationalError
    )


def retried(run: Callable[[], T], *, patience: float | None = None) -> T:
    """Call `run` in a transaction of its own, commit, and return its result.

    If `run` loses a race, roll back, pause with jitter and call it again. So `run` may be called several times: it
    must do nothing outside the database that may happen only once.

    Args:
        run: What to do in the transaction.
        patience: How long to retry, in seconds; PATIENCE by default.

    Raises:
        RuntimeError: Called inside another transaction. What was read there could not be read again.
        Exception: Any error of `run` that is not a lost race; the transaction is rolled back.
    """
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    pause = FIRST_PAUSE
    while True:
        try:
            with transaction.atomic(durable=True):
                return run()
        except Exception as error:
            if not lost_race(error) or time.monotonic() > deadline:
                raise
            logger.info("A transaction lost a race (%s) and is done again.", sqlstate(error))
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        pause = min(pause * 2, LONGEST_PAUSE)
