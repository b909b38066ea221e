"""How long the pages of reservations take, and how fast settlement is written, with a year of 5,000 contracts.

Run by hand, from the project's folder: `python -m tests.reservations.figures`. It fills a database of its own beside
the one of `DATABASE_URL` (tests/reservations/year.py, a few minutes; `--keep` leaves it there and uses it again). Each
page is asked for as an operator and as staff who act for one DSO and one AGR, first about rows that nobody has asked
for yet, then about the same ones again; the medians stand in the table. It ends with an error where one is over the
limit, or where the export begins late or writes too slowly. Times are of the whole request within the process, without
the network.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import django

from tests.staff_site.figures import client, cut_off_after, drop, with_database
from tests.support.eans import ean

LIMIT = 0.3  # seconds: a page, and the export's first line
LINES = 100_000  # a second, at least
PATIENCE = 30.0  # seconds after which a statement is cut off
DATABASE = "reservation_figures"
DSO, AGR = 7, 30
"""Whom limited staff act for."""

CONTRACTS = "/admin/reservations/contract/"
UPDATES = "/admin/reservations/reservationupdate/"

Address = Callable[[int], str]
"""The address of a page for the first, second … time that it is asked for."""


@dataclass(frozen=True)
class Figure:
    page: str
    unseen: float
    again: float
    queries: int

    @property
    def slow(self) -> bool:
        return max(self.unseen, self.again) > LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the database there, and use the one left")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--small", action="store_true", help="a fiftieth of the data, to try the script")
    parser.add_argument("--times", type=int, default=5, help="requests for each page (default 5)")
    chosen = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from tests.reservations.year import Size, fill

    size = Size(contracts=100) if chosen.small else Size()
    with_database(f"{DATABASE}_small" if chosen.small else DATABASE, chosen.keep, lambda: fill(size))
    cut_off_after(PATIENCE)
    print(f"{'unseen':>9} {'again':>9} {'queries':>7}")
    missed = 0
    for who in ("operator", "limited"):
        for name, address in pages(who):
            if chosen.only in f"{who} {name}":
                missed += shown(measured(who, name, address, chosen.times)).slow
        if chosen.only in f"{who} export":
            missed += exported(who)
    print(f"{missed} over the limit of {LIMIT * 1000:.0f} ms or below {LINES:,} lines a second")
    if not chosen.keep:
        drop()
    return bool(missed)


def pages(who: str) -> Iterator[tuple[str, Address]]:
    """What is asked for, by name, with its address for each time."""
    from reservations.models import UpdateState

    contracts, updates = in_scope(who)
    today = last_period()
    months = [f"{today - timedelta(days=30 * back):%Y-%m}" for back in range(12)]

    def of(rows: list[int]) -> Callable[[int], int]:
        """A row of another part of the list each time."""
        return lambda time: rows[(time * 7919 + 17) % len(rows)]

    def day(time: int) -> str:
        return str(today - timedelta(days=29 * time % 365))

    def between(field: str, time: int) -> str:
        last = today - timedelta(days=31 * time % 365)
        return f"{field}_from={last - timedelta(days=6)}&{field}_to={last}"

    contract, update = of(contracts), of(updates)
    typed: dict[str, Address] = {
        "dso": lambda time: f"dso-{DSO}.example",
        "agr": lambda time: f"agr-{AGR}.example",
        "contract": lambda time: f"FLEX-{contract(time):05}",
        "point": lambda time: ean(f"8715{contract(time):013}"),
    }
    yield "dashboard", lambda time: "/admin/"
    yield "participant", lambda time: f"/admin/participants/participant/{(DSO, AGR)[time % 2]}/change/"
    yield "changes", lambda time: "/admin/registry/change/"
    yield "messages passed on", lambda time: "/admin/uftp/outboundmessage/?passed_on=yes"
    yield "contracts", lambda time: CONTRACTS
    yield "contracts, further page", lambda time: f"{CONTRACTS}?p={last_page(who, CONTRACTS) - time}"
    yield "contracts, searched", lambda time: f"{CONTRACTS}?q=FLEX-{contract(time):05}"
    yield "contracts, of a week", lambda time: f"{CONTRACTS}?{between('versions__period', time)}"
    yield "contract", lambda time: f"{CONTRACTS}{contract(time)}/change/"
    yield "month of all contracts", lambda time: f"{CONTRACTS}overview/?month={months[time % 12]}"
    yield "month of all, further page", lambda time: f"{CONTRACTS}overview/?month={months[time % 12]}&p=2"
    yield "month of a contract", lambda time: f"{CONTRACTS}{contract(time)}/month/{months[time % 12]}/"
    yield "day of a contract", lambda time: f"{CONTRACTS}{contract(time)}/day/{day(time)}/"
    yield "form of the settlement", lambda time: f"{CONTRACTS}settlement/"
    yield "updates", lambda time: UPDATES
    yield "updates, last page", lambda time: f"{UPDATES}?p={last_page(who, UPDATES) - time}"
    yield "updates, searched", lambda time: f"{UPDATES}?q=R{update(time)}"
    yield "updates, of a week of Periods", lambda time: f"{UPDATES}?{between('period', time)}"
    yield "updates, received in a week", lambda time: f"{UPDATES}?{between('received_at', time)}"
    for name, base in (("contracts", CONTRACTS), ("updates", UPDATES)):
        for parameter, values in filters(who, base).items():
            if not values and parameter in typed:
                yield (
                    f"{name}, {parameter}",
                    lambda time, at=parameter, base=base: f"{base}?{at}={typed[at](time)}",
                )
            for value in values:
                yield (
                    f"{name}, {parameter} {value}",
                    lambda time, at=f"{base}?{parameter}={value}": at,
                )
    for state in UpdateState.State.values:
        found = updates_in(who, state)
        if found:
            yield f"update, {state}", lambda time, rows=found: f"{UPDATES}{of(rows)(time)}/change/"


def filters(who: str, base: str) -> dict[str, list[str]]:
    """The parameters that a list's filters offer, each with its values; none for those that are typed in."""
    text = client(who, [DSO, AGR]).get(base).content.decode()
    beside = text.partition('id="changelist-filter"')[2]
    found: dict[str, list[str]] = {}
    for parameter, value in re.findall(r'href="\?(\w+)=([^"&]+)"', beside):
        found.setdefault(parameter, []).append(value)
    for parameter in re.findall(r'<input type="(?:text|date|search)" name="([^"]+)"', beside):
        found[parameter] = []
    return found


def last_page(who: str, base: str) -> int:
    found = re.findall(r"\?p=(\d+)", client(who, [DSO, AGR]).get(base).content.decode())
    return max(map(int, found), default=1)


def in_scope(who: str) -> tuple[list[int], list[int]]:
    """Contracts, and a thousand of their updates, that a member of staff sees."""
    from django.db.models import Q

    from reservations.models import Contract, ReservationUpdate

    theirs = Q() if who == "operator" else Q(dso=DSO) | Q(agr=AGR)
    contracts = Contract.objects.filter(theirs).order_by("pk").values_list("pk", flat=True)
    some = list(contracts)[::100] or list(contracts)
    updates = ReservationUpdate.objects.filter(contract__in=some[:20]).order_by("pk")
    return list(contracts), list(updates.values_list("pk", flat=True)[:1000])


def updates_in(who: str, state: str) -> list[int]:
    from reservations.models import UpdateState

    theirs = UpdateState.objects.current().filter(state=state)
    if who == "limited":
        theirs = theirs.filter(update__dso=DSO)
    return list(theirs.values_list("update", flat=True)[:1000])


def last_period() -> date:
    from django.db.models import Max

    from reservations.models import ReservationUpdate

    found: date = ReservationUpdate.objects.aggregate(last=Max("period"))["last"]
    return found


def measured(who: str, name: str, address: Address, times: int) -> Figure:
    """The median of as many requests for a page about rows not seen before, and about the same again."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    addresses = [address(each) for each in range(times)]
    with CaptureQueriesContext(connection) as captured:
        unseen = [seconds(who, each) for each in addresses]
        queries = len(captured) // times
    again = [seconds(who, each) for each in addresses]
    return Figure(f"{who} {name}", statistics.median(unseen), statistics.median(again), queries)


def seconds(who: str, address: str) -> float:
    """How long a request takes; one that is not answered, or too late, ends the run."""
    started = time.perf_counter()
    response = client(who, [DSO, AGR]).get(address)
    if response.status_code != 200:
        sys.exit(f"{who} {address}: {response.status_code}")
    return time.perf_counter() - started


def shown(figure: Figure) -> Figure:
    mark = "  <- slow" if figure.slow else ""
    print(
        f"{figure.unseen * 1000:6.0f} ms {figure.again * 1000:6.0f} ms {figure.queries:7}  {figure.page}{mark}",
        flush=True,
    )
    return figure


def exported(who: str) -> int:
    """How many figures of the export miss their limit: its first line, and lines a second over a DSO's whole year."""
    from django.db.models import Q

    from reservations.models import Contract
    from reservations.settlement.export import export

    theirs = Contract.objects.filter(Q() if who == "operator" else Q(dso=DSO) | Q(agr=AGR))
    last = last_period()
    first = last - timedelta(days=364)
    missed = 0
    for name, contracts in (("all in scope", theirs), ("a DSO's", theirs.filter(dso=DSO))):
        begun = time.perf_counter()
        lines, beginning = 0, 0.0
        for piece in export(contracts, first, last, known_at=None):
            beginning = beginning or time.perf_counter() - begun
            lines += piece.count(b"\n")
            if name == "all in scope":
                break
        taken = time.perf_counter() - begun
        print(f"{beginning * 1000:6.0f} ms to the first line  {who} export of a year, {name}")
        missed += beginning > LIMIT
        if name != "all in scope":
            print(f"{lines / taken:9,.0f} lines a second, {lines:,} in {taken:.0f} s")
            missed += lines / taken < LINES
    return missed


if __name__ == "__main__":
    sys.exit(main())
