"""Lock a run: an advisory lock on a database connection of its own, which also reports the progress.

The lock ends with its process, however that ends. The connection keeps no transaction open. So others see the progress
while the import's own transaction is under way.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

import psycopg
from django.db import connection

from common import locks

logger = logging.getLogger(__name__)

REPORT_INTERVAL = 1.0
"""Seconds between two reports on the same phase."""

LIMITS = "SET lock_timeout = '1s'; SET statement_timeout = '10s'"


def lock_key(run_id: int) -> tuple[int, int]:
    """Return the two numbers of the run's advisory lock."""
    return locks.IMPORT_RUN, run_id % 2**31


class RunLocked(Exception):
    """Another process executes this run."""


class RunLock:
    """The lock of a run, from creation until `release` or the end of this process.

    Raises:
        RunLocked: Another process has the lock.
        psycopg.Error: The connection failed.
    """

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._phase = ""
        self._reported_at = 0.0
        self._connection: psycopg.Connection | None = psycopg.connect(
            **connection.get_connection_params(), autocommit=True
        )
        self._connection.execute(LIMITS)
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", lock_key(run_id)).fetchone()
        if row != (True,):
            self.release()
            raise RunLocked

    def report(self, phase: str, detail: str = "") -> None:
        """Write the progress on the row of the run, at most once a second within a phase.

        An error of the database is logged, and the import goes on.
        """
        moment = time.monotonic()
        if self._connection is None or (
            phase == self._phase and moment - self._reported_at < REPORT_INTERVAL
        ):
            return
        self._phase, self._reported_at = phase, moment
        try:
            self._connection.execute(
                "UPDATE registry_importrun SET step = %s WHERE id = %s AND state = 'running'",
                [f"{phase} {detail}".strip(), self._run_id],
            )
        except psycopg.Error as error:
            logger.warning(
                "Import %s continues, but its progress cannot be recorded: %s", self._run_id, error
            )
            if self._connection.closed:
                self._connection = None

    def release(self) -> None:
        """Release the lock, at the end of the run."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                # At once, not whenever the server notices that the connection is closed.
                self._connection.execute("SELECT pg_advisory_unlock_all()")
            self._connection.close()
            self._connection = None
