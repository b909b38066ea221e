"""Limit how long a request of staff may wait for a lock or a statement of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import DatabaseError, connection, transaction

from common import locks
from common.retry import sqlstate

LOCK_NOT_AVAILABLE, STATEMENT_CANCELED = "55P03", "57014"


class Busy(ValueError):
    """The work took too long; the message says what staff can do."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Limits in seconds: the wait for one lock, and the duration of one statement."""

    lock: int
    statement: int


SHORT = TimeLimits(lock=2, statement=10)
"""For previews that are made while staff fill in a form."""
LONG = TimeLimits(lock=2, statement=120)
"""For previews that staff request with a button, about any number of facts."""
APPLYING = TimeLimits(lock=20, statement=120)
"""For decisions that are applied."""


@contextmanager
def limited(limits: TimeLimits) -> Iterator[None]:
    """Limit the work on the database in this context, which must be within a transaction.

    The limits end with the transaction, or with the rollback of a savepoint around this context.

    Raises:
        Busy: A lock or a statement exceeded the limits.
    """
    _limit(limits)
    try:
        yield
    except DatabaseError as error:
        if text := _in_words(error, limits):
            raise Busy(text) from error
        raise


def one_at_a_time(key: int, *, wait: int) -> None:
    """Take the lock for previews of `key`, and hold it until the transaction ends or is rolled back.

    Args:
        key: The number of the member of staff.
        wait: Seconds to wait for the lock.

    Raises:
        Busy: Another preview of the same member of staff had the lock all this time.
    """
    _limit(TimeLimits(lock=wait, statement=0))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.PREVIEW, key % 2**31])
    except DatabaseError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise Busy(
            "Busy: another preview of yours is still being made. Nothing was done; try again when it is shown."
        ) from error


def _limit(limits: TimeLimits) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET LOCAL lock_timeout = '{limits.lock}s'; SET LOCAL statement_timeout = '{limits.statement}s'"
        )


def _in_words(error: DatabaseError, limits: TimeLimits) -> str:
    """Return the message for staff when a limit was exceeded; empty for any other error."""
    state = sqlstate(error)
    if state == LOCK_NOT_AVAILABLE:
        return (
            "Busy: a message about this is being processed, or another decision is being carried out. Nothing was"
            " done; try again in a moment."
        )
    if state == STATEMENT_CANCELED:
        return (
            f"Busy: this took more than {limits.statement} seconds and was given up; a message may be in process."
            " Nothing was done; try again in a moment."
        )
    return ""
