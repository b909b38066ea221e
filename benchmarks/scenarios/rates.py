"""B6, B7, B8: messages a second, of many senders at once, beside the CRO service of `shapeshifter-uftp`.

The load generator, the database, the sink and the service are on the same machine. The peer can run as one process
only. This CRO is `serve` and `worker` as they start by default. Both get the same messages from the same generator,
which sealed them before. Rounds alternate. Each begins when all work of the last one is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import psycopg

from benchmarks import messages, posting, processes
from benchmarks.bench import Bench, connected, register, until_quiet
from benchmarks.messages import Message, Sender
from benchmarks.processes import RunningCro
from benchmarks.reporting.figures import Figure, amount, middle

SENDERS = posting.CONNECTIONS
"""Each on a connection of its own, as systems send: the next update when the last is taken."""

IN_AN_UPDATE = 100
PEER = "peer"
BLOCK = 40

REFUSED = """
SELECT reason FROM uftp_inboundmessage
WHERE message_type = 'AGRPortfolioUpdate' AND result IS DISTINCT FROM 'Accepted' ORDER BY id
"""

Make = Callable[[int], list[Message]]


def run(bench: Bench) -> Iterator[Figure]:
    """Measure B6, B7 and B8."""
    senders = [Sender(f"agr-{number}.example") for number in range(SENDERS)]
    numbers = count()

    def queries(total: int) -> list[Message]:
        today = messages.today()
        return [messages.portfolio_query(senders[number % SENDERS], today) for number in range(total)]

    def updates(total: int) -> list[Message]:
        return [_update(senders[number % SENDERS], next(numbers)) for number in range(total)]

    with bench.databases.fresh() as database:
        register(bench, senders)
        with RunningCro(database) as cro, processes.peer(senders) as peer, connected(database) as connection:
            bench.say("B6: queries")
            received, theirs, _ = _rates(bench, cro, peer, connection, queries)
            yield Figure(
                "B6",
                f"durable receipts of a small query, {SENDERS} senders",
                received,
                "/s",
                theirs,
                PEER,
                at_least=0.8,
            )
            bench.say("B7, B8: updates")
            received, theirs, handled = _rates(bench, cro, peer, connection, updates)
            _check_accepted(connection)
    what = f"updates of {IN_AN_UPDATE} connections, {SENDERS} senders"
    yield Figure("B7", f"durable receipts of {what}", received, "/s", theirs, PEER, at_least=2)
    yield Figure("B8", f"fully handled {what}", handled, "/s", theirs, PEER, at_least=0.35)


def _rates(
    bench: Bench, cro: RunningCro, peer: int, connection: psycopg.Connection[Any], make: Make
) -> tuple[float, float, float]:
    """Return messages per second: received by the CRO, received by the peer, and handled and answered by the CRO."""
    warm_up = max(bench.messages // 10, SENDERS * 2)
    for port in (peer, cro.port):
        # One alone at first, in which the parser of the peer fills its caches: they are not made for several threads.
        for some in (make(1), make(warm_up)):
            posting.post_all(port, some)
    until_quiet(connection)
    received, theirs, handled = [], [], []
    for _ in range(bench.runs):
        batch = make(bench.messages)
        theirs.append(len(batch) / posting.post_all(peer, batch))
        bench.databases.flush()
        before = cro.busy()
        began = time.monotonic()
        received.append(len(batch) / posting.post_all(cro.port, batch))
        until_quiet(connection)
        handled.append(len(batch) / (time.monotonic() - began))
        used = {name: (seconds - before[name]) / len(batch) * 1_000 for name, seconds in cro.busy().items()}
        bench.say(
            f"received {amount(received[-1])}/s, handled {amount(handled[-1])}/s, the peer {amount(theirs[-1])}/s; "
            f"processor, ms a message: {', '.join(f'{name} {amount(each)}' for name, each in used.items())}"
        )
    return middle(received), middle(theirs), middle(handled)


def _check_accepted(connection: psycopg.Connection[Any]) -> None:
    """Raise RuntimeError if an update was not applied: a refused update costs less."""
    refused = connection.execute(REFUSED).fetchall()
    if refused:
        raise RuntimeError(f"{len(refused)} updates were not accepted, the first for: {refused[0][0]}")


def _update(sender: Sender, number: int) -> Message:
    today = messages.today()
    first = number * IN_AN_UPDATE
    return messages.representations(
        sender, [(messages.ean(BLOCK, first + n), today, None) for n in range(IN_AN_UPDATE)]
    )
