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
class Patience:
    """Limits in seconds: the wait for one lock, and the duration of one statement."""

    lock: int
    statement: int


SHORT = Patience(lock=2, statement=10)
"""For previews that are made while staff fill in a form."""
LONG = Patience(lock=2, statement=120)
"""For previews that staff request with a button, about any number of facts."""
DECIDED = Patience(lock=20, statement=120)
"""For decisions that are applied."""


@contextmanager
def limited(patience: Patience) -> Iterator[None]:
    """Limit the work on the database in this context, which must be within a transaction.

    The limits end with the transaction, or with the rollback of a savepoint around this context.

    Raises:
        Busy: A lock or a statement exceeded the limits.
    """
    _limit(patience)
    try:
        yield
    except DatabaseError as error:
        if said := _in_words(error, patience):
            raise Busy(said) from error
        raise


def take_turn(whose: int, *, wait: int) -> None:
    """Take the lock for previews of `whose`, and hold it until the transaction ends or is rolled back.

    Args:
        whose: The number of the member of staff.
        wait: Seconds to wait for the lock.

    Raises:
        Busy: Another preview of the same member of staff had the lock all this time.
    """
    _limit(Patience(lock=wait, statement=0))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.PREVIEW, whose % 2**31])
    except DatabaseError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise Busy(
            "Busy: another preview of yours is still being made. Nothing was done; try again when it is shown."
        ) from error


def _limit(patience: Patience) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET LOCAL lock_timeout = '{patience.lock}s'; SET LOCAL statement_timeout = '{patience.statement}s'"
        )


def _in_words(error: DatabaseError, patience: Patience) -> str:
    """Return the message for staff when a limit was exceeded; empty for any other error."""
    state = sqlstate(error)
    if state == LOCK_NOT_AVAILABLE:
        return (
            "Busy: a message about this is being processed, or another decision is being carried out. Nothing was"
            " done; try again in a moment."
        )
    if state == STATEMENT_CANCELED:
        return (
            f"Busy: this took more than {patience.statement} seconds and was given up; a message may be in process."
            " Nothing was done; try again in a moment."
        )
    return ""
