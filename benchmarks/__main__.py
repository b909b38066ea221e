"""`python -m benchmarks`: measure, print each figure at once, and write all of them to a page.

The exit status is 1 if a bound is exceeded, 2 if a figure could not be measured, and 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import django

from benchmarks.reporting import report
from benchmarks.reporting.figures import Figure, Series

if TYPE_CHECKING:
    from benchmarks.bench import Bench

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

ALL = tuple(f"B{number}" for number in range(1, 12))


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return _measure(options)
    except KeyboardInterrupt:
        print("Interrupted; nothing is written, and nothing left behind.", file=sys.stderr)
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--large", action="store_true", help="only B9, with 10 million connections registered"
    )
    parser.add_argument(
        "--only", default="", metavar="B1,B5", help="these figures, and do not write them down"
    )
    parser.add_argument("--connections", type=int, default=1_000_000, help="of the large messages")
    parser.add_argument(
        "--registered", type=int, help="connections in B9: 1 million, or with --large 10 million"
    )
    parser.add_argument("--messages", type=int, default=2_000, help="of a round of B6 to B8")
    parser.add_argument("--runs", type=int, default=3, help="of which a figure is the median")
    parser.add_argument("--output", type=Path, help="write to this page, not to docs/performance.md")
    options = parser.parse_args()
    options.only = [name.strip().upper() for name in options.only.split(",") if name.strip()]
    if unknown := set(options.only) - set(ALL):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}")
    if min(options.connections, options.messages, options.runs, options.registered or 1) < 1:
        parser.error("sizes are whole numbers from 1 on")
    if options.connections < 100 or (options.registered or 100) < 100:
        parser.error("--connections and --registered are at least 100")
    return options


def _measure(options: argparse.Namespace) -> int:
    from benchmarks import messages
    from benchmarks.bench import Bench
    from benchmarks.databases import Databases
    from benchmarks.processes import sink
    from benchmarks.reporting import machine

    wanted = options.only or (["B9"] if options.large else list(ALL))
    figures: list[Figure] = []
    series: dict[str, list[Series]] = {}
    failed: list[str] = []
    began = time.monotonic()
    with Databases() as databases, sink() as endpoint:
        described = machine.description(databases)
        for name, value in described:
            print(f"{name}: {value}", flush=True)
        bench = Bench(
            databases=databases,
            sink=endpoint,
            connections=options.connections,
            registered=options.registered or (10_000_000 if options.large else 1_000_000),
            messages=options.messages,
            runs=options.runs,
            large=options.large,
        )
        for name, run in _scenarios(wanted):
            try:
                for result in run(bench):
                    if isinstance(result, Series):
                        series.setdefault(name, []).append(result)
                    elif not result.number or result.number in wanted:
                        figures.append(result)
                        print(report.row(result), flush=True)
            except Exception:
                traceback.print_exc()
                failed.append(name)
    over = [figure for figure in figures if not figure.is_within_bound]
    print(f"\n{report.table(figures)}\n\nIn {(time.monotonic() - began) / 60:.0f} minutes.", flush=True)
    if failed:
        print(f"Could not be measured, so that nothing is written down: {', '.join(failed)}", file=sys.stderr)
        return 2
    page = options.output or (None if options.only else PAGE)
    if page is not None:
        pictures = [_draw(page, name, drawn) for name, drawn in series.items()]
        content = report.part(messages.today(), options.runs, described, figures, pictures)
        report.write_part(page, "make bench-large" if options.large else "make bench", content)
        print(f"Written to {page.name}.")
    if over:
        print(f"Over the bound: {', '.join(figure.number for figure in over)}", file=sys.stderr)
    return 1 if over else 0


Scenario = Callable[["Bench"], Iterator[Figure | Series]]


def _scenarios(wanted: list[str]) -> Iterator[tuple[str, Scenario]]:
    """Return the scenarios that measure the requested figures, by the first figure of each."""
    from benchmarks.scenarios import answers, imports, rates, registered, updates

    scenarios: list[tuple[Scenario, tuple[str, ...]]] = [
        (updates.run, ("B1", "B2", "B3", "B11")),
        (updates.run_points, ("B4",)),
        (answers.run, ("B5", "B11")),
        (rates.run, ("B6", "B7", "B8")),
        (registered.run, ("B9",)),
        (imports.run, ("B10",)),
    ]
    for run, measured in scenarios:
        if set(wanted) & set(measured):
            yield measured[0], run


def _draw(page: Path, name: str, series: list[Series]) -> str:
    if name == "B1":
        title, file = "An update of new connections, beside its floor", "cost-of-an-update.svg"
        return report.draw(page, file, title, "connections in the update", series)
    title, file = "1,000 changed connections, by how many are registered", "cost-by-registered.svg"
    return report.draw(page, file, title, "connections registered", series)


if __name__ == "__main__":
    sys.exit(main())
