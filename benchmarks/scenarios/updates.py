"""B1 to B4: large updates, from the first byte of the POST to the committed answer, beside the floor of new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import psycopg

from benchmarks import floors, messages
from benchmarks.bench import Answered, Bench, connected, exchange, register, until_quiet
from benchmarks.messages import Message, Sender
from benchmarks.processes import RunningCro
from benchmarks.reporting.figures import Figure, Series, amount, middle
from benchmarks.scenarios import memory

FLOOR = "floor"
SMALLER = (1_000, 10_000, 100_000)
"""Sizes of the chart, besides the full one."""

ENDS = timedelta(days=700)
"""How far off the days are at which representations that change end."""

_WARM, _BLOCK = 98, 60


@dataclass
class Seconds:
    """The times of the runs of one kind."""

    floor: list[float] = field(default_factory=list)
    new: list[Answered] = field(default_factory=list)
    unchanged: list[Answered] = field(default_factory=list)
    changed: list[Answered] = field(default_factory=list)


@contextmanager
def warm_cro(
    bench: Bench, database: str, *senders: Sender
) -> Iterator[tuple[RunningCro, psycopg.Connection[Any]]]:
    """Run a fresh CRO that knows `senders` and has answered small updates of others. Yield it and a connection."""
    others = [Sender(f"warm-{number}.example", role) for number, role in enumerate(["AGR", "DSO"] * 4)]
    register(bench, [*senders, *others])
    with RunningCro(database) as cro, connected(database) as connection:
        for number, other in enumerate(others):
            exchange(cro, connection, _small(other, number))
        until_quiet(connection)
        bench.databases.flush()
        yield cro, connection


def _small(sender: Sender, number: int) -> Message:
    addresses = [messages.ean(_WARM, number * 100 + n) for n in range(100)]
    if sender.role == "DSO":
        return messages.congestion_points(
            sender, [(messages.ean(_WARM, 10**6 + number), addresses)], messages.today()
        )
    return messages.representations(sender, [(address, messages.today(), None) for address in addresses])


def run(bench: Bench) -> Iterator[Figure | Series]:
    """Measure B1, B2, B3, the part of B11 for B1, and the lines of the chart."""
    sender, first = Sender("large.example"), messages.today()
    seconds, peaks = Seconds(), memory.Peaks()
    for number in range(1, bench.runs + 1):
        bench.say(f"B1, run {number} of {bench.runs}: the floor")
        seconds.floor.append(_floor(bench, sender, _message(sender, first, bench.connections)))
        bench.say(f"B1, B2, B3, run {number} of {bench.runs}: the CRO")
        with bench.databases.fresh() as database, warm_cro(bench, database, sender) as (cro, connection):
            message = _message(sender, first, bench.connections)
            seconds.new.append(exchange(cro, connection, message))
            peaks.add(cro, message.size)
            until_quiet(connection)
            bench.databases.flush()
            unchanged = _message(sender, first, bench.connections)
            seconds.unchanged.append(exchange(cro, connection, unchanged))
            bench.databases.flush()
            changed = _message(sender, first, bench.connections, changed_every=100)
            seconds.changed.append(exchange(cro, connection, changed))
        bench.say(_seconds_in_words(seconds))
    floor = middle(seconds.floor)
    what = f"AGRPortfolioUpdate, {bench.connections:,} connections"
    yield _figure("B1", f"{what}, all new", seconds.new, floor, 1.5)
    yield _figure("B2", f"{what}, again, nothing changed", seconds.unchanged, floor, 0.4)
    yield _figure("B3", f"{what}, 1 % changed", seconds.changed, floor, 0.4)
    yield from peaks.figures("B1")
    new = middle([one.committed for one in seconds.new])
    yield from _by_size(bench, sender, (bench.connections, new, floor))


def run_points(bench: Bench) -> Iterator[Figure]:
    """Measure B4."""
    sender, first = Sender("grid.example", "DSO"), messages.today()
    seconds = Seconds()
    for number in range(1, bench.runs + 1):
        bench.say(f"B4, run {number} of {bench.runs}: the floor")
        seconds.floor.append(
            _floor(bench, sender, _points_message(bench, sender, first), floors.congestion_points)
        )
        bench.say(f"B4, run {number} of {bench.runs}: the CRO")
        with bench.databases.fresh() as database, warm_cro(bench, database, sender) as (cro, connection):
            seconds.new.append(exchange(cro, connection, _points_message(bench, sender, first)))
        bench.say(_seconds_in_words(seconds))
    what = (
        f"DSOPortfolioUpdate, {bench.points:,} congestion points, {bench.connections:,} connections, all new"
    )
    yield _figure("B4", what, seconds.new, middle(seconds.floor), 1.5)


def _by_size(bench: Bench, sender: Sender, largest: tuple[int, float, float]) -> Iterator[Series]:
    """Yield the lines of the chart: smaller updates of new connections, and `largest`, which is (size, CRO, floor)."""
    sizes = [size for size in SMALLER if size < largest[0]]
    floor: dict[int, float] = {}
    cost: dict[int, float] = {}
    first = messages.today()
    bench.say("the chart: smaller sizes")
    for size in sizes:
        floor[size] = middle(
            [_floor(bench, sender, _message(sender, first, size)) for _ in range(bench.runs)]
        )
        seconds = []
        with bench.databases.fresh() as database, warm_cro(bench, database, sender) as (cro, connection):
            for number in range(bench.runs):
                message = _message(sender, first, size, block=_BLOCK + 1 + number)
                seconds.append(exchange(cro, connection, message).committed)
        cost[size] = middle(seconds)
    floor[largest[0]], cost[largest[0]] = largest[2], largest[1]
    yield Series("this CRO", tuple(cost.items()))
    yield Series("floor", tuple(floor.items()))


def _message(
    sender: Sender, first: date, connections: int, *, changed_every: int = 0, block: int = _BLOCK
) -> Message:
    return messages.representations(
        sender,
        (
            (messages.ean(block, n), first, first + ENDS if changed_every and not n % changed_every else None)
            for n in range(connections)
        ),
    )


def _points_message(bench: Bench, sender: Sender, first: date) -> Message:
    each = bench.connections // bench.points
    return messages.congestion_points(
        sender,
        (
            (messages.ean(_BLOCK + 1, point), [messages.ean(_BLOCK, point * each + n) for n in range(each)])
            for point in range(bench.points)
        ),
        first,
    )


Floor = Callable[[psycopg.Connection[Any], Message, Sender, int], float]


def _floor(bench: Bench, sender: Sender, message: Message, take: Floor = floors.representations) -> float:
    """Return the seconds of the floor for `message`, in a fresh database."""
    with bench.databases.fresh() as database:
        party = register(bench, [sender])[sender.domain]
        with connected(database) as connection:
            bench.databases.flush()
            return take(connection, message, sender, party)


def _figure(number: str, what: str, ours: list[Answered], floor: float, bound: float) -> Figure:
    received = middle([one.received for one in ours])
    return Figure(
        number,
        what,
        middle([one.committed for one in ours]),
        "s",
        floor,
        FLOOR,
        at_most=bound,
        note=f"of which {amount(received)} s to the 200",
    )


def _seconds_in_words(seconds: Seconds) -> str:
    parts = [f"floor {amount(seconds.floor[-1])} s"]
    for name, answers in (
        ("new", seconds.new),
        ("again", seconds.unchanged),
        ("1 % changed", seconds.changed),
    ):
        if answers:
            parts.append(
                f"{name} {amount(answers[-1].committed)} s ({amount(answers[-1].received)} s to the 200)"
            )
    return ", ".join(parts)
