"""Transactions that lose a race, and databases that are away: neither is the fault of what was asked for."""

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
"""SQLSTATEs that begin so say that the server is away, shutting down, read-only, or out of disk or connections.

Memory (53200) and limits of the configuration (53400) are not among them: one statement can exceed them by itself,
each time.
"""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0  # seconds
PATIENCE = 60.0  # seconds


class LostRace(Exception):
    """Another transaction was there first, as whoever raises this knows and the code of the error does not say."""


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's code for what went wrong, found on `error` or on what caused it; None where there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, psycopg.Error) and error.sqlstate:
            return error.sqlstate
        error = error.__cause__ or error.__context__
    return None


def lost_race(error: BaseException) -> bool:
    """Whether `error` says only that another transaction was there first, so that doing it all again may well work."""
    return isinstance(error, LostRace) or (isinstance(error, Exception) and sqlstate(error) in LOST_RACES)


def server_trouble(error: BaseException) -> bool:
    """Whether `error` says that the database, and not what was asked of it, is the trouble."""
    code = sqlstate(error)
    if code is not None:
        return code.startswith(SERVER_TROUBLE)
    return isinstance(
        error, InterfaceError | OperationalError | psycopg.InterfaceError | psycopg.OperationalError
    )


def retried(run: Callable[[], T], *, patience: float | None = None) -> T:
    """What `run` returns, having run in a transaction of its own that was committed.

    A run that loses a race is rolled back and done again from the start after a short pause, with jitter, for up to
    `patience` seconds, a minute without it; so `run` must do nothing outside the database that may not be done twice.
    Any other exception is raised as it is, with the transaction rolled back.

    Raises RuntimeError inside another transaction: what has been read there could not be read again.
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
