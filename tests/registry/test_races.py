"""Two updates at once, on connections of their own, one of them stopped wherever the other could come between.

Whatever the interleaving, the registry must end as if one had come after the other: the time model says how.
`RACES_EVERYWHERE=1` stops it before every statement about the registry's tables, not only where it takes locks.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from registry.conflicts import SettlementError
from tests.registry.days import Dispute
from tests.registry.saying import Registry, agr_says, dso_says, point
from tests.registry.support import AGRS, CONNECTIONS, World, assert_sound
from tests.registry.time_model import TimeModel
from uftp.retrying import retried

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


def settles(dispute: Dispute, decision: str) -> Step:
    """Staff decide a conflict, unless it is over by then."""

    def step(registry: Registry) -> None:
        if isinstance(registry, TimeModel):
            if dispute in registry.disputes():
                registry.settle(dispute, decision)
            return
        try:
            registry.settle(dispute, decision)
        except (LookupError, SettlementError):
            return

    return step


def agr(name: str, *lines: tuple[str, int, int | None]) -> Step:
    return lambda registry: agr_says(registry, name, *lines)


def dso(name: str, *points: Any) -> Step:
    return lambda registry: dso_says(registry, name, *points)


def policy(name: str, value: str) -> Step:
    return lambda registry: registry.set_policy(name, value)


AT_POINT_1 = point("point-1", -5, None, ("home-1", -5, None))
AT_POINT_2 = point("point-2", -5, None, ("home-1", -5, None))

RACES: dict[str, tuple[list[Step], Step, Step]] = {
    "two claim a new connection": ([], agr("agr-1", ("home-1", 0, None)), agr("agr-2", ("home-1", 0, 9))),
    "two claim free days of a known connection": (
        [agr("agr-3", ("home-1", -9, -5))],
        agr("agr-1", ("home-1", 0, None)),
        agr("agr-2", ("home-1", -2, 9)),
    ),
    "the holder ends while another claims": (
        [agr("agr-1", ("home-1", -5, None))],
        agr("agr-1", ("home-1", 9, 1)),
        agr("agr-2", ("home-1", 0, None)),
    ),
    "the holder ends while another withdraws its claim": (
        [
            agr("agr-1", ("home-1", 0, None)),
            agr("agr-2", ("home-1", 0, None)),
            agr("agr-3", ("home-1", 0, 9)),
        ],
        agr("agr-1", ("home-1", 9, -1)),
        agr("agr-2", ("home-1", 9, -1)),
    ),
    "known connections in opposite order": (
        [agr("agr-3", *((home, -9, -5) for home in CONNECTIONS))],
        agr("agr-1", *((home, 0, None) for home in CONNECTIONS)),
        agr("agr-2", *((home, 0, None) for home in reversed(CONNECTIONS))),
    ),
    "new connections in opposite order": (
        [],
        agr("agr-1", *((home, 0, None) for home in CONNECTIONS)),
        agr("agr-2", *((home, 0, None) for home in reversed(CONNECTIONS))),
    ),
    "the newest wins from two at once": (
        [agr("agr-3", ("home-1", -5, None)), policy("representation conflicts", "newest wins")],
        agr("agr-1", ("home-1", -1, None)),
        agr("agr-2", ("home-1", 0, 9)),
    ),
    "two claim under the reject policy": (
        [policy("representation conflicts", "reject"), agr("agr-3", ("home-1", -9, -5))],
        agr("agr-1", ("home-1", 0, None)),
        agr("agr-2", ("home-1", 5, 9), ("home-2", 0, None)),
    ),
    "staff give the days while the holder ends": (
        [agr("agr-1", ("home-1", -5, None)), agr("agr-2", ("home-1", 0, 9))],
        settles(Dispute("representation", "home-1", "agr-1", "agr-2", 0, 9), "give"),
        agr("agr-1", ("home-1", 9, 1)),
    ),
    "staff refuse the days while the holder ends": (
        [agr("agr-1", ("home-1", -5, None)), agr("agr-2", ("home-1", 0, 9))],
        settles(Dispute("representation", "home-1", "agr-1", "agr-2", 0, 9), "keep"),
        agr("agr-1", ("home-1", 9, 1)),
    ),
    "two DSOs claim a new connection": ([], dso("dso-1", AT_POINT_1), dso("dso-2", AT_POINT_1)),
    "a point ends while another DSO claims": (
        [dso("dso-1", AT_POINT_1)],
        dso("dso-1", point("point-1", 0, 0)),
        dso("dso-2", AT_POINT_2),
    ),
    "an AGR and a DSO speak of one connection": (
        [],
        agr("agr-1", ("home-1", 0, None)),
        dso("dso-1", AT_POINT_1),
    ),
}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("race", RACES)
def test_two_at_once_end_as_if_one_after_the_other(world: World, race: str, turned: bool) -> None:
    before, first, second = RACES[race]
    if turned:
        first, second = second, first
    outcomes = [outcome(before, first, second), outcome(before, second, first)]
    stop_before, reached = 0, True
    while reached:
        stop_before += 1
        world.clear()
        for step in before:
            step(world)
        with reported(f"{race}: the second came before statement {stop_before} of the first"):
            reached = interleave(world, first, second, stop_before)
            assert_sound()
            assert world.view() in outcomes
    assert stop_before > 3, "the first was never stopped"


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


def test_many_at_once_all_come_through(world: World) -> None:
    def storm(name: str, seed: int) -> Step:
        random_lines = random.Random(seed)

        def step(registry: Registry) -> None:
            homes = random_lines.sample(CONNECTIONS, 3)
            agr_says(registry, name, *((home, 0, random_lines.choice([None, 5])) for home in homes))

        return step

    registry_before = world.view()
    for turn in range(5):
        runners = [Runner(world, storm(name, 10 * turn + number)) for number, name in enumerate(AGRS)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.finish()
        assert_sound()
    assert world.view() != registry_before
