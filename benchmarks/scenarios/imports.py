"""B10: a CSV file of representations by `manage.py import_connections`, beside COPY and insert of the same file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import floors, messages, processes
from benchmarks.bench import Bench, connected, register
from benchmarks.messages import Sender
from benchmarks.reporting.figures import Figure, amount, middle

AT_MOST = 1.5
BLOCK = 70


def run(bench: Bench) -> Iterator[Figure]:
    """Measure B10: the whole command, from the start of Python to its end."""
    agr = Sender("large.example")
    ours: list[float] = []
    floor: list[float] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "connections.csv"
        _write(file, agr, bench.connections)
        for number in range(1, bench.runs + 1):
            with bench.databases.fresh() as database:
                party = register(bench, [agr])[agr.domain]
                with connected(database) as connection:
                    bench.databases.flush()
                    floor.append(floors.csv_representations(connection, file, party))
            with bench.databases.fresh() as database:
                register(bench, [agr])
                bench.databases.flush()
                began = time.monotonic()
                processes.command(database, "import_connections", str(file))
                ours.append(time.monotonic() - began)
                _check(database, bench.connections)
            bench.say(
                f"B10, run {number} of {bench.runs}: floor {amount(floor[-1])} s, import {amount(ours[-1])} s"
            )
    yield Figure(
        "B10",
        f"import_connections, {bench.connections:,} representations, all new",
        middle(ours),
        "s",
        middle(floor),
        "floor",
        at_most=AT_MOST,
    )


def _write(file: Path, agr: Sender, connections: int) -> None:
    first = messages.today()
    with file.open("w", encoding="utf-8") as written:
        written.write("agr,connection,start,end\n")
        written.writelines(
            f"{agr.domain},{messages.ean(BLOCK, number)},{first},\n" for number in range(connections)
        )


def _check(database: str, connections: int) -> None:
    with connected(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM registry_representation WHERE standing = 'effective' AND superseded_by_id IS NULL"
        ).fetchone()
    if row is None or row[0] != connections:
        raise RuntimeError(f"{row} connections were imported, not {connections:,}")
