"""B5: an AGR's whole portfolio, from the first byte of its query to the committed answer, beside COPY and signing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from benchmarks import filling, floors, messages
from benchmarks.bench import Answered, Bench, connected, exchange, register, until_quiet
from benchmarks.messages import Sender
from benchmarks.reporting.figures import Figure, amount, middle
from benchmarks.scenarios import memory
from benchmarks.scenarios.updates import warm_cro

AT_MOST = 2.0


def run(bench: Bench) -> Iterator[Figure]:
    """Measure B5, and its part of B11."""
    agr, dso = Sender("large.example"), Sender("grid.example", "DSO")
    ours: list[Answered] = []
    floor: list[float] = []
    peaks = memory.Peaks()
    with bench.databases.fresh() as database:
        keys = register(bench, [agr, dso])
        bench.say(f"B5: registering {bench.connections:,} connections")
        with connected(database) as connection:
            filling.fill(connection, bench.connections, [keys[agr.domain]], keys[dso.domain])
        for number in range(1, bench.runs + 1):
            bench.say(f"B5, run {number} of {bench.runs}")
            with warm_cro(bench, database, agr, dso) as (cro, connection):
                answered = exchange(cro, connection, messages.portfolio_query(agr, messages.today()))
                peaks.add(cro, answered.size)
                until_quiet(connection)
            ours.append(answered)
            with connected(database) as connection:
                answer = _content(connection, answered)
                bench.databases.flush()
                day = messages.today().isoformat()
                floor.append(floors.portfolio(connection, keys[agr.domain], day, answer, agr))
            if (returned := answer.count(b"<Connection ")) != bench.connections:
                raise RuntimeError(f"{returned:,} connections were returned, not {bench.connections:,}")
            bench.say(f"floor {amount(floor[-1])} s, answer {amount(answered.committed)} s")
    yield Figure(
        "B5",
        f"AGRPortfolioQuery, {bench.connections:,} connections in {bench.points:,} congestion points",
        middle([each.committed for each in ours]),
        "s",
        middle(floor),
        "floor",
        at_most=AT_MOST,
        note=f"of which {amount(middle([each.received for each in ours]))} s to the 200",
    )
    yield from peaks.figures("B5")


def _content(connection: psycopg.Connection[Any], answered: Answered) -> bytes:
    """Return the inner XML of the answer."""
    query = "SELECT substring(sealed FROM 65) FROM uftp_outboundmessage WHERE id = %s"
    row = connection.execute(query, [answered.outbound_id], binary=True).fetchone()
    assert row is not None
    return bytes(row[0])
