"""Collect what the pages of a contract's day, its month and the overview show."""

from __future__ import annotations

import calendar
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from urllib.parse import urlencode

from django.db.models import Count, Prefetch, Q
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_base.html import link, moment
from reservations.admin.days.month_chart import DayOfMonth
from reservations.admin.updates.states import state_badge
from reservations.isps import calendar as isp_calendar
from reservations.isps import clock_times
from reservations.isps.clock_times import DayTimes, in_watts
from reservations.models import Contract, ReservationUpdate, UpdateState
from reservations.settlement import energy
from reservations.settlement.energy import Totals
from reservations.settlement.remaining import CountingUpdate, DayFigures, Run, figures

MAX_ELEMENTS = 12
"""How many ISP elements of an update the page of a day lists."""

MAX_UPDATES = 100
"""How many updates the page of a day lists; the latest ones."""


@dataclass(frozen=True, slots=True)
class Line:
    """One ISP, or neighbouring ISPs with the same power; `source` names the update that determines what remains."""

    isps: str
    times: str
    contracted: str
    remaining: str
    released: str
    source: SafeString | str


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """An update of the day: its ISPs, and its states as known, latest first."""

    update: SafeString | str
    isps: list[str]
    more: int
    state: SafeString
    counts: bool
    received: str
    states: list[str]


def lines(day: DayFigures) -> list[Line]:
    """Return a line for each run of ISPs with contracted power."""
    times = times_of(day)
    return [_line(run, times) for run in day.runs() if run.contracted]


def each_isp(day: DayFigures) -> list[Line]:
    """Return a line for each ISP with contracted power."""
    times = times_of(day)
    return [
        _line(Run(isp, isp, run.contracted, run.remaining, run.source), times)
        for run in day.runs()
        if run.contracted
        for isp in range(run.first, run.last + 1)
    ]


def times_of(day: DayFigures) -> DayTimes:
    """Return the clock times of the day's ISPs."""
    return clock_times.of_day(day.day, day.version.isp_minutes, day.version.time_zone)


def updates_on(contract: Contract, day: date, known_at: datetime | None) -> list[UpdateRow]:
    """Return the updates of a contract for a Period, in any state, in their order.

    Args:
        contract: The contract.
        day: The Period.
        known_at: A past moment, aware; None for the present.
    """
    states = UpdateState.objects.select_related("recorded_by")
    known = Q(recorded_by__moment__lte=known_at) if known_at else Q()
    rows = (
        ReservationUpdate.objects.filter(known, contract=contract, period=day)
        .prefetch_related(Prefetch("states", states.filter(known).order_by("-id"), "known_states"))
        .order_by("-time_stamp", "-id")[:MAX_UPDATES]
    )
    return [_update_row(update, update.known_states) for update in reversed(rows)]


def month_of(
    contracts: Sequence[Contract],
    month: date,
    known_at: datetime | None,
    *,
    url_of: Callable[[int, date], str] = lambda contract, day: "",
) -> dict[int, list[DayOfMonth]]:
    """Return each day of a month, for each contract by its primary key; one query more than `figures`.

    Args:
        contracts: The contracts.
        month: The first day of the month.
        known_at: A past moment, aware; None for the present.
        url_of: Return the URL of a contract's day.
    """
    first, last = month, last_of(month)
    totals: dict[int, dict[date, Totals]] = defaultdict(dict)
    for figure in figures(contracts, first, last, known_at):
        totals[figure.contract.pk][figure.day] = energy.of_day(figure)
    updates = _states(contracts, first, last, known_at)
    return {
        contract.pk: [
            DayOfMonth(
                day,
                totals[contract.pk].get(day),
                updates.get((contract.pk, day), {}),
                url_of(contract.pk, day),
            )
            for day in days_of(month)
        ]
        for contract in contracts
    }


def sum_of(days: Iterable[DayOfMonth]) -> tuple[Totals, Mapping[str, int]]:
    """Return the energy of several days, and the number of updates in each state."""
    updates: Counter[str] = Counter()
    totals = Totals()
    for day in days:
        updates.update(day.updates)
        totals += day.totals or Totals()
    return totals, updates


def days_of(month: date) -> list[date]:
    """Return the days of the month that begins with `month`."""
    return [month + timedelta(days=number) for number in range((last_of(month) - month).days + 1)]


def last_of(month: date) -> date:
    """Return the last day of the month that contains `month`."""
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def day_url(contract: int, day: date) -> str:
    """Return the URL of a contract's day."""
    return reverse("admin:reservations_contract_day", args=[contract, day.isoformat()])


def month_url(contract: int, month: date) -> str:
    """Return the URL of a contract's month."""
    return reverse("admin:reservations_contract_month", args=[contract, f"{month:%Y-%m}"])


def settlement_url(contract: Contract, first: date, last: date, **known: str) -> str:
    """Return the URL of the settlement of the contract from `first` to `last`; `known` may name a past moment."""
    query = {
        "first": first,
        "last": last,
        "dso": contract.dso.domain,
        "agr": contract.agr.domain,
        "contract": contract.contract_id,
    }
    return f"{reverse('admin:reservations_contract_settlement')}?{urlencode({**query, **known})}"


def update_url(update: CountingUpdate) -> str:
    """Return the URL of an update's page."""
    return reverse("admin:reservations_reservationupdate_change", args=[update.id])


def _line(run: Run, times: DayTimes) -> Line:
    update = run.source
    return Line(
        isps="".join(isp_calendar.in_words(range(run.first, run.last + 1))),
        times=times.span(run.first, run.last),
        contracted=in_watts(run.contracted),
        remaining=in_watts(run.remaining),
        released=in_watts(run.released),
        source=link(ReservationUpdate(pk=update.id), update.reference or "an update") if update else "",
    )


def _update_row(update: ReservationUpdate, states: Sequence[UpdateState]) -> UpdateRow:
    elements = [
        f"{'ISP' if duration == 1 else 'ISPs'} "
        f"{''.join(isp_calendar.in_words(range(start, start + min(duration, isp_calendar.DAY))))}: "
        f"{in_watts(watts)}"
        for start, duration, watts in islice(update.isps, MAX_ELEMENTS)
    ]
    return UpdateRow(
        update=link(update, update.reference or "an update"),
        isps=elements,
        more=max(len(update.isps) - MAX_ELEMENTS, 0),
        state=state_badge(states[0].state),
        counts=states[0].state in UpdateState.COUNTING,
        received=moment(update.received_at),
        states=[f"{state.get_state_display()} {moment(state.recorded_by.moment)}" for state in states],
    )


def _states(
    contracts: Sequence[Contract], first: date, last: date, known_at: datetime | None
) -> dict[tuple[int, date], dict[str, int]]:
    """Return the number of updates in each state, by contract and Period."""
    states = UpdateState.objects.current() if known_at is None else UpdateState.objects.known_at(known_at)
    keys = [contract.pk for contract in contracts]
    states = states.filter(update__contract__in=keys, update__period__range=(first, last))
    found: dict[tuple[int, date], dict[str, int]] = defaultdict(dict)
    rows = (
        states.order_by()
        .values_list("update__contract", "update__period", "state")
        .annotate(many=Count("pk"))
    )
    for contract, period, state, number in rows:
        found[contract, period][state] = number
    return found
