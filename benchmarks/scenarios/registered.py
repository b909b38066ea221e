"""B9: what an update costs with many connections registered, beside the same with few.

The figure is the time that `uftp.processing.drain.drain` needs for one message: from reading the message in the inbox
to the commit of the registry's change and the answer. It is called in this process, so the figure has no wake-up, no
polling and no delivery.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

from django.db import connection as django_connection

from benchmarks import databases, filling, messages
from benchmarks.bench import Bench, connected, exchange, register
from benchmarks.messages import Message, Sender
from benchmarks.processes import RunningCro
from benchmarks.reporting.figures import Figure, Series, amount, middle
from common import clock
from uftp.models import InboundMessage
from uftp.processing import drain
from uftp.protocol.envelopes import open_envelope
from uftp.receiving.authentication import verify
from uftp.receiving.views import receive

FEW = 100_000
IN_AN_UPDATE = 1_000
AGRS = 10
WARM_UP = 3
REPEATED = 5
"""Updates that are measured in a row, in each round."""

ROUNDS = 2
"""In each run, so that few and many registered take turns often."""

AT_MOST = 2.0
COLD_SECONDS = 1.0
BLOCK = 50
"""Of the addresses of connections that are not registered."""


class Registry:
    """A database with `size` registered connections; each of several AGRs has a block of the same size."""

    def __init__(self, bench: Bench, database: str, size: int) -> None:
        self.size, self.database = size, database
        self.agr = Sender("agr-0.example")
        others = [Sender(f"agr-{number}.example") for number in range(1, AGRS)]
        dso = Sender("grid.example", "DSO")
        databases.use(database)
        keys = register(bench, [self.agr, *others, dso])
        agrs = [keys[each.domain] for each in (self.agr, *others)]
        began = time.monotonic()
        with connected(database) as connection:
            filling.fill(connection, size, agrs, keys[dso.domain])
        bench.say(f"{size:,} connections registered in {amount(time.monotonic() - began)} s")
        self.own = -(-size // AGRS)
        self._said = 0

    def update(self, numbers: list[int]) -> Message:
        """Return an update that gives the AGR's connections of these numbers a new last day."""
        self._said += 1
        last = messages.today() + timedelta(days=700 + self._said)
        lines = [(filling.address(number), messages.today(), last) for number in numbers]
        return messages.representations(self.agr, lines)

    def neighbours(self) -> list[int]:
        """Return the numbers of neighbouring connections."""
        middle_one = self.own // 2
        return list(range(middle_one, min(middle_one + IN_AN_UPDATE, self.own)))


def run(bench: Bench) -> Iterator[Figure | Series]:
    """Measure B9, and more figures on the large registry for the operator of a whole country."""
    sizes = sorted(
        {min(FEW, bench.registered // 2), bench.registered}
        | ({bench.registered // 10} if bench.large else set())
    )
    with ExitStack() as stack:
        registries = [Registry(bench, stack.enter_context(bench.databases.fresh()), size) for size in sizes]
        bench.databases.flush()
        cold = _cold(bench, registries[-1])
        seconds: dict[int, list[float]] = {size: [] for size in sizes}
        for number in range(1, bench.runs + 1):
            for registry in registries * ROUNDS:
                seconds[registry.size] += _warm(registry)
            middles = ", ".join(f"{amount(middle(each))} s with {size:,}" for size, each in seconds.items())
            bench.say(f"B9, run {number} of {bench.runs}: {middles}")
        few, many = registries[0], registries[-1]
        yield Figure(
            "B9",
            f"applying {IN_AN_UPDATE:,} neighbouring changes, warm, {many.size:,} registered",
            middle(seconds[many.size]),
            "s",
            middle(seconds[few.size]),
            f"{few.size:,} registered",
            at_most=AT_MOST,
        )
        yield Figure(
            "B9",
            f"applying {IN_AN_UPDATE:,} random changes, cold, {many.size:,} registered",
            middle(cold),
            "s",
            at_most=COLD_SECONDS,
        )
        if bench.large:
            yield Series("neighbouring, warm", tuple((size, middle(each)) for size, each in seconds.items()))
            yield from _of_a_country(bench, many)


def _warm(registry: Registry) -> list[float]:
    """Return the seconds of several updates of the same neighbouring connections."""
    databases.use(registry.database)
    seconds = [
        _handled(registry.agr, registry.update(registry.neighbours())) for _ in range(WARM_UP + REPEATED)
    ]
    return seconds[WARM_UP:]


def _cold(bench: Bench, registry: Registry) -> list[float]:
    """Return the seconds of updates of random connections that were not read since the registry was filled."""
    databases.use(registry.database)
    _handled(registry.agr, registry.update(registry.neighbours()))
    chosen = random.Random(9).sample(  # noqa: S311
        range(registry.own), min(registry.own, IN_AN_UPDATE * bench.runs)
    )
    each = max(1, len(chosen) // bench.runs)
    seconds = []
    for number in range(bench.runs):
        django_connection.close()
        numbers = chosen[number * each : (number + 1) * each]
        seconds.append(_handled(registry.agr, registry.update(numbers)))
    bench.say(f"B9, random and cold: {', '.join(map(amount, seconds))} s")
    return seconds


def _handled(sender: Sender, message: Message) -> float:
    """Return the seconds for handling `message`, a received one. Raises RuntimeError unless it is accepted."""
    signed = open_envelope(message.envelope)
    receipt = receive(signed, *verify(signed, clock.now()), major=3)
    began = time.monotonic()
    drain.drain(receipt.sender_id, wake=lambda role, domain: None)
    seconds = time.monotonic() - began
    handled = InboundMessage.objects.get(pk=receipt.inbound_id)
    if handled.result != "Accepted":
        raise RuntimeError(f"{handled.result}: {handled.reason} {handled.last_error}")
    return seconds


def _of_a_country(bench: Bench, registry: Registry) -> Iterator[Figure]:
    """Measure whole exchanges with a running CRO on the large registry."""
    today, agr = messages.today(), registry.agr
    new = min(100_000, bench.registered)
    there = f"{registry.size:,} registered"
    added = [(messages.ean(BLOCK, number), today, None) for number in range(new)]
    known = [(filling.address(number), today, None) for number in range(registry.own)]
    with RunningCro(registry.database) as cro, connected(registry.database) as connection:
        bench.say(f"an update of {new:,} new connections")
        seconds = exchange(cro, connection, messages.representations(agr, added)).committed
        yield Figure("", f"update of {new:,} new connections, {there}", seconds, "s")
        bench.say("a query")
        seconds = exchange(cro, connection, messages.portfolio_query(agr, today)).committed
        yield Figure("", f"query answered with {registry.own + new:,} connections, {there}", seconds, "s")
        bench.say(f"{registry.own:,} connections sent again")
        exchange(cro, connection, messages.representations(agr, known))
        seconds = exchange(cro, connection, messages.representations(agr, known)).committed
        yield Figure("", f"update of {registry.own:,} connections, nothing changed, {there}", seconds, "s")
