"""The settlement of reservations as CSV: contracted, remaining and released power, one line for each ISP.

The days, the contracts and the moment in the request determine the file: what was known at a past moment never changes.
So the export needs no database snapshot that stays open while a client reads.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from io import StringIO
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Collate

from common.csv.writer import cell_text
from registry.changes import holding_back_stamps, wait_for_stamped_changes
from registry.market.market import LAST_MICROSECOND
from registry.periods import DAY, half_open, last_day
from reservations.contracts.stored_profiles import in_force
from reservations.isps import calendar
from reservations.models import Contract
from reservations.settlement.remaining import DayFigures, figures

HEADINGS = (
    "dso",
    "agr",
    "contract_id",
    "congestion_point",
    "period",
    "isp",
    "start",
    "contracted_w",
    "remaining_w",
    "released_w",
    "contracted_wh",
    "remaining_wh",
    "released_wh",
    "reference",
    "message_id",
    "received_at",
)

FIRST_BATCH_SIZE, BATCH_SIZE = 31, 400
"""Days of contracts in one batch read from the database: in the first batch, and in later ones."""

LAST = date.max - DAY
"""The last day whose next day is still a `date`."""

PIECE = 1 << 16
"""Smallest size of a piece of the file, in bytes; the last piece may be smaller."""

LATEST_CHANGE = "SELECT max(moment), clock_timestamp() FROM registry_change"
NO_SOURCE, END = ",,,", "\r\n"


def latest_moment() -> datetime | None:
    """Return a moment at which the facts known are those of the present; None when there is no change at all.

    It is final: every later change has a later moment (`registry.changes`). It is the moment of the latest change, or
    the end of that second once the second is over. Pages have moments in whole seconds, so they can mostly request it.
    """
    latest, now = _latest_and_now()
    if latest is None:
        return None
    end = latest.replace(microsecond=LAST_MICROSECOND)
    return end if now > end else latest


def final_until() -> datetime:
    """Return the moment up to which, inclusive, all known facts are final: every later change has a later moment.

    It comes from the database's clock, which stamps the changes. The clock of another machine may be ahead of it.
    """
    return max(filter(None, _latest_and_now()))


def is_final(moment: datetime) -> bool:
    """Return whether the facts known at `moment` (aware) are final; wait for it if that takes at most a second."""
    seconds = (moment - final_until()).total_seconds()
    if 0 < seconds <= 1:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [seconds])
        return moment <= final_until()
    return seconds <= 0


def final_moment() -> datetime | None:
    """Wait, at most a second, until the second of the latest change is over, and return `latest_moment`.

    So the moment can be written in seconds, and requested again. If the database's clock was set back, it may still be
    a moment within a second.
    """
    latest = latest_moment()
    if latest is None:
        return None
    end = latest.replace(microsecond=LAST_MICROSECOND)
    return end if is_final(end) else latest


def _latest_and_now() -> tuple[datetime | None, datetime]:
    """Return the moment of the latest change, or None, and the present moment by the database's clock."""
    with holding_back_stamps(), connection.cursor() as cursor:
        cursor.execute(LATEST_CHANGE)
        latest, now = cursor.fetchone()
        return latest, now


class NoContractFound(ValueError):
    """No contract matches the request; the text is for staff.

    Attributes:
        field: The value that no contract has: dso, agr or contract.
    """

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


def select_contracts(
    contracts: QuerySet[Contract], *, dso: str = "", agr: str = "", contract_id: str = ""
) -> QuerySet[Contract]:
    """Return the contracts with a DSO, an AGR (both by domain) and a ContractID; an empty value matches all.

    Raises:
        NoContractFound: No contract has one of the values, or all of them together.
    """
    requested = {
        "dso": ("dso__domain", dso),
        "agr": ("agr__domain", agr),
        "contract": ("contract_id", contract_id),
    }
    found = contracts
    words = {"dso": f"with the DSO {dso}", "agr": f"with the AGR {agr}", "contract": f"{contract_id!r}"}
    for field, (path, value) in requested.items():
        if not value:
            continue
        if not contracts.filter(**{path: value}).exists():
            raise NoContractFound(field, f"There is no contract {words[field]}.")
        found = found.filter(**{path: value})
    if (dso or agr) and found is not contracts and not found.exists():
        raise NoContractFound("contract" if contract_id else "agr", "No contract has all of these values.")
    return found


def export(
    contracts: QuerySet[Contract], first: date, last: date, *, known_at: datetime | None
) -> Iterator[bytes]:
    """Yield the settlement of `contracts` from `first` to `last`, both inclusive, as pieces of CSV with HEADINGS first.

    There is a line for each contract, Period and ISP with contracted power, in the order of DSO, AGR, ContractID,
    Period and ISP. Drafts have no lines. The facts are as known at `known_at` (aware), or as known at present.
    """
    if known_at is None:
        known_at = latest_moment()
    else:
        wait_for_stamped_changes()
    lines = [_cells(*HEADINGS) + END]
    size = 0
    for day in _days(contracts, first, min(last, LAST), known_at) if known_at else ():
        lines.append(_lines(day))
        size += len(lines[-1])
        if size >= PIECE:
            yield "".join(lines).encode()
            lines, size = [], 0
    if lines:
        yield "".join(lines).encode()


def _days(contracts: QuerySet[Contract], first: date, last: date, known_at: datetime) -> Iterator[DayFigures]:
    """Yield the figures of each contract and day, in the order of the file."""
    versions = in_force(known_at).filter(contract=OuterRef("pk"), period__overlap=half_open(first, last))
    keys = list(
        contracts.filter(Exists(versions))
        .order_by(Collate(F("dso__domain"), "C"), Collate(F("agr__domain"), "C"), "contract_id")
        .values_list("pk", flat=True)
    )
    size, read = FIRST_BATCH_SIZE, 0
    while read < len(keys):
        batch = keys[read : read + max(size // ((last - first).days + 1), 1)]
        read += len(batch)
        rows = Contract.objects.select_related("dso", "agr").in_bulk(batch)
        periods = list(in_force(known_at).filter(contract__in=batch).values_list("period", flat=True))
        begin = max(first, min(period.lower for period in periods))
        until = min(last, max((last_day(period) or last) for period in periods))
        while begin <= until:
            end = begin + min(until - begin, (size - 1) * DAY)
            yield from figures([rows[key] for key in batch], begin, end, known_at)
            begin, size = end + DAY, BATCH_SIZE


def _lines(day: DayFigures) -> str:
    """Return the lines of a day. Within a run of equal ISPs, only the cells of `_starts` differ."""
    contract, version = day.contract, day.version
    minutes, time_zone = version.isp_minutes, version.time_zone
    head = _cells(contract.dso.domain, contract.agr.domain, contract.contract_id, version.congestion_point)
    starts = _starts(day.day, minutes, time_zone)
    lines: list[str] = []
    for run in day.runs():
        if run.contracted:
            update = run.source
            source = (
                _source(update.reference, update.message_id, update.received_at, time_zone)
                if update
                else NO_SOURCE
            )
            tail = power_and_energy(run.contracted, run.remaining, minutes) + source + END
            lines += [head, (tail + head).join(starts[run.first - 1 : run.last]), tail]
    return "".join(lines)


@lru_cache(maxsize=1 << 10)
def _starts(day: date, minutes: int, time_zone: str) -> tuple[str, ...]:
    """Return the cells `period`, `isp` and `start` of each ISP of a day, between commas."""
    zone = ZoneInfo(time_zone)
    return tuple(
        f",{day},{isp},{begins.astimezone(zone).isoformat()},"
        for isp, begins in enumerate(calendar.starts(day, minutes, time_zone), 1)
    )


@lru_cache(maxsize=1 << 14)
def power_and_energy(contracted: int, remaining: int, minutes: int) -> str:
    """Return the cells of power and energy. What is released is the rest of the rounded energy, so that it adds up."""
    watts = (contracted, remaining, contracted - remaining)
    whole, rest = _thousandths(contracted, minutes), _thousandths(remaining, minutes)
    return ",".join([*map(str, watts), *map(_watt_hours, (whole, rest, whole - rest))])


def _thousandths(watts: int, minutes: int) -> int:
    """Return the energy of `watts` during `minutes` to the nearest thousandth of a Wh."""
    return (watts * minutes * 100 + 3) // 6


def _watt_hours(thousandths: int) -> str:
    """Return thousandths of a Wh as Wh: `62.5`."""
    whole, part = divmod(abs(thousandths), 1000)
    sign = "-" if thousandths < 0 else ""
    return f"{sign}{whole}.{part:03}".rstrip("0").rstrip(".")


@lru_cache(maxsize=1 << 10)
def _source(reference: str, message_id: str, received_at: datetime, time_zone: str) -> str:
    """Return the cells about the update that states the remaining power."""
    received = received_at.astimezone(ZoneInfo(time_zone)).isoformat(timespec="seconds")
    return f",{_cells(reference, message_id)},{received}"


@lru_cache(maxsize=1 << 10)
def _cells(*values: str) -> str:
    """Return `values` as neighbouring cells of a line."""
    written = StringIO()
    csv.writer(written, lineterminator=END).writerow([cell_text(value) for value in values])
    return written.getvalue().removesuffix(END)
