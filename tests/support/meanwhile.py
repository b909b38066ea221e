"""Something that goes on elsewhere while this test's own database connection is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection

DEADLINE = 20.0
"""Seconds after which what goes on elsewhere counts as held up."""


@contextmanager
def meanwhile(act: Callable[[], object], *, after: str) -> Iterator[list[str]]:
    """Run `act` once in another thread, before the first query that follows a statement with `after` in it.

    That query waits for `act`. If `act` waits for something that is held here, it does not end before the deadline, and
    the query fails with TimeoutError.

    Yields:
        The queries that waited: one if `act` was run, else none.
    """
    threads = ThreadPoolExecutor(1)
    waited: list[str] = []
    seen = False

    def in_thread() -> None:
        try:
            act()
        finally:
            connection.close()

    def execute_after(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal seen
        if seen and not waited and sql.lstrip().upper().startswith("SELECT"):
            waited.append(sql)
            threads.submit(in_thread).result(DEADLINE)
        seen = seen or after in sql
        return execute(sql, *rest)

    try:
        with connection.execute_wrapper(execute_after):
            yield waited
    finally:
        threads.shutdown(wait=False)
