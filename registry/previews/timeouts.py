"""How long staff's work on the registry may keep a web thread: it gives up a lock, or a statement, after a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import DatabaseError, connection, transaction

from common import locks
from common.retry import sqlstate

LOCK_NOT_AVAILABLE, STATEMENT_CANCELED = "55P03", "57014"


class Busy(ValueError):
    """It took too long; the message tells staff what to do."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for one lock, and for one statement to end."""

    lock: int
    statement: int


SHORT = Patience(lock=2, statement=10)
"""For what is shown while staff fill in a form."""
LONG = Patience(lock=2, statement=120)
"""For what staff ask for by a button, about any number of facts."""
DECIDED = Patience(lock=20, statement=120)
"""For what staff decide."""


@contextmanager
def limited(patience: Patience) -> Iterator[None]:
    """In a transaction: what is done to the database within raises Busy where it exceeds `patience`.

    The limits end with the transaction, or with the savepoint around it that is rolled back.
    """
    _limit(patience)
    try:
        yield
    except DatabaseError as error:
        if said := _in_words(error, patience):
            raise Busy(said) from error
        raise


def take_turn(whose: int, *, wait: int) -> None:
    """In a transaction: from here to its end, or its rollback, no other takes the turn of the number `whose`.

    Raises Busy after `wait` seconds in which another had it.
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
    """What exceeded `patience`; empty: `error` is about something else."""
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
