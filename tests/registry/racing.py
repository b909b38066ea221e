"""Two steps at once, on connections of their own, one of them stopped wherever the other could come between.

`RACES_EVERYWHERE=1` stops it before every statement about the registry's tables, not only where it takes locks.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections

from common.retry import retried
from tests.registry.dsl import Registry
from tests.registry.time_model import TimeModel
from tests.registry.world import World

Step = Callable[[Registry], object]

PATIENCE = 30.0  # seconds
STOPS = re.compile(
    "registry_"
    if os.environ.get("RACES_EVERYWHERE")
    else r"FOR (NO KEY )?UPDATE|pg_advisory|INSERT INTO \"?registry_(connection|congestionpoint|change)\b"
)


class Runner(threading.Thread):
    """One step in a transaction of its own on a connection of its own, as the exchange runs it.

    Stops once before the statement that is number `stop_before` of those that match STOPS (its commit counts as the
    last), until `go_on` is set.
    """

    def __init__(self, world: World, step: Step, stop_before: int = 0) -> None:
        super().__init__(daemon=True)
        self.world, self.step, self.stop_before = world, step, stop_before
        self.statements = 0
        self.backend: int | None = None
        self.error: BaseException | None = None
        self.stopped, self.go_on = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            connection.ensure_connection()
            self.backend = connection.connection.info.backend_pid
            with connection.execute_wrapper(self.watch):
                retried(self.apply)
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def apply(self) -> None:
        self.step(self.world)
        self.pass_by()

    def watch(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if STOPS.search(sql):
            self.pass_by()
        return execute(sql, params, many, context)

    def pass_by(self) -> None:
        self.statements += 1
        if self.statements == self.stop_before:
            self.stopped.set()
            assert self.go_on.wait(PATIENCE), "nobody said to go on"

    def finish(self) -> None:
        self.go_on.set()
        self.join(PATIENCE)
        assert not self.is_alive(), "still running"
        if self.error is not None:
            raise self.error


def interleave(world: World, first: Step, second: Step, stop_before: int) -> bool:
    """Run `second` while `first` stands before a statement; whether it has that many.

    `second` runs until it is done or waits for a lock that `first` holds.
    """
    one = Runner(world, first, stop_before)
    one.start()
    wait_until(lambda: one.stopped.is_set() or not one.is_alive(), "the first stands or is done")
    two = Runner(world, second)
    two.start()
    wait_until(lambda: not two.is_alive() or is_blocked(two.backend), "the second waits or is done")
    one.finish()
    two.finish()
    return one.stopped.is_set()


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not so in {PATIENCE} seconds: {what}"
        time.sleep(0.002)


def is_blocked(backend: int | None) -> bool:
    if backend is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend])
        return bool(cursor.fetchone()[0])


def outcome(before: list[Step], *steps: Step) -> Any:
    model = TimeModel()
    for step in (*before, *steps):
        step(model)
    return model.view()


@contextmanager
def reported(where: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
