"""How much of each congestion point AGRs represent: counted ahead, always what a plain count gives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as drawing

from common import locks
from participants.scope import EVERYONE, NOBODY, Scope
from registry.models import (
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointCoverage,
    CongestionPointTerms,
    Representation,
)
from registry.queries import coverage
from registry.tasks import count_coverage
from tests.registry.admin.pages import TODAY, declared, party, represented
from tests.registry.test_time_model import Pause, Step, histories, take
from tests.registry.time_model import TimeModel
from tests.registry.world import World, as_date

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def counted() -> dict[int, tuple[date, int, int]]:
    rows = CongestionPointCoverage.objects.values_list("pk", "day", "connections", "represented")
    return {pk: (day, connections, represented) for pk, day, connections, represented in rows}


def plainly(today: date) -> dict[int, tuple[date, int, int]]:
    """The same, one row at a time, in Python."""
    active = {
        row.connection_id
        for row in Representation.objects.current()
        if today in row.period and row.standing == "effective"
    }
    exists = {
        row.congestion_point_id for row in CongestionPointTerms.objects.current() if today in row.period
    }
    found: dict[int, set[int]] = {point.pk: set() for point in CongestionPoint.objects.all()}
    for row in CongestionPointConnection.objects.current():
        if today in row.period and row.standing == "effective" and row.congestion_point_id in exists:
            found[row.congestion_point_id].add(row.connection_id)
    return {pk: (today, len(inside), len(inside & active)) for pk, inside in found.items()}


@drawing(
    max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(steps=histories())
def test_whatever_happens_it_is_what_a_plain_count_gives(world: World, steps: list[Step]) -> None:
    world.clear()
    world.today = 0
    model, sent = TimeModel(), []
    for number, step in enumerate(steps):
        if isinstance(step, Pause):
            continue
        take(step, model, world, sent)
        if number % 3 != 1:
            today = as_date(world.today)
            coverage.update_coverage(today=today, now=NOW)
            assert counted() == plainly(today), step


def count(today: date = TODAY, now: datetime = NOW) -> int:
    return coverage.update_coverage(today=today, now=now)


def test_only_what_changed_is_counted_again(db: None) -> None:
    declared("grid.example", 1, 1, 2)
    declared("grid.example", 2, 3)
    declared("other.example", 3, 3, 4)
    assert count() == 3
    assert count() == 0

    represented("one.example", 1)
    assert count() == 1
    represented("one.example", 1, 3, 99)
    declared("grid.example", 4, 5)
    assert count() == 3 - 1 + 1
    assert count(TODAY + timedelta(days=1)) == 4
    assert count(TODAY + timedelta(days=1)) == 0


def test_a_change_of_other_days_is_no_reason_to_count(db: None) -> None:
    declared("grid.example", 1, 1)
    count()

    represented("one.example", 1, first=date(2027, 1, 1), last=None)

    assert count() == 0
    assert count(date(2027, 1, 1)) == 1
    assert counted() == plainly(date(2027, 1, 1))


def test_a_count_that_another_process_is_at_is_left_to_it(transactional_db: None) -> None:
    declared("grid.example", 1, 1)
    results: list[int] = []

    def elsewhere() -> None:
        try:
            results.append(count())
        finally:
            connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.COVERAGE])
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(30)

    assert results == [0]
    assert counted() == {}
    assert count() == 1


def test_bands_say_how_many_points_have_which_share(db: None) -> None:
    declared("grid.example", 0)
    for number, (homes, active) in enumerate(
        [(4, 0), (5, 1), (4, 1), (4, 2), (3, 2), (4, 3), (2, 2)], start=1
    ):
        numbers = range(number * 10, number * 10 + homes)
        declared("grid.example" if number < 4 else "other.example", number, *numbers)
        if active:
            represented("one.example", *numbers[:active])
    count()

    found = coverage.bands(EVERYONE)
    assert [(label, many) for label, many, _ in found] == [
        ("No connections", 1),
        ("0 %", 1),
        ("Over 0 %, under 25 %", 1),
        ("25 % to under 50 %", 1),
        ("50 % to under 75 %", 2),
        ("75 % to under 100 %", 1),
        ("100 %", 1),
    ]
    theirs = Scope(ids=frozenset({party("DSO", "other.example").pk}))
    assert [many for _, many, _ in coverage.bands(theirs)] == [0, 0, 0, 0, 2, 1, 1]
    assert sum(many for _, many, _ in coverage.bands(NOBODY)) == 0


def test_it_says_when_it_was_counted(db: None) -> None:
    assert coverage.counted_at() is None
    count()
    count(now=NOW + timedelta(minutes=1))
    assert coverage.counted_at() == NOW + timedelta(minutes=1)


def test_the_worker_counts_by_the_clock(db: None, stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(datetime(2026, 6, 1, 23, 0, tzinfo=UTC))
    declared("grid.example", 1, 1)

    count_coverage(timestamp=0)

    assert [day for day, *_ in counted().values()] == [date(2026, 6, 2)], "the market is an hour or two ahead"


@pytest.mark.parametrize("day", [date(2020, 1, 1), date(2035, 1, 1)])
def test_a_point_without_terms_on_the_day_has_no_connections(db: None, day: date) -> None:
    declared("grid.example", 1, 1, last=date(2026, 12, 31))

    count(day)

    assert [figures for _, *figures in counted().values()] == [[0, 0]]


def test_a_point_that_has_ended_or_not_begun_is_in_no_band(db: None) -> None:
    """ "No connections" counts those of the congestion points of the day that have none, and does not grow for ever."""
    declared("dso.example", 1, last=TODAY + timedelta(days=30))
    declared("dso.example", 2)

    def empty(day: date) -> int:
        coverage.update_coverage(today=day, now=NOW)
        return {label: many for label, many, _ in coverage.bands(EVERYONE)}["No connections"]

    assert empty(TODAY - timedelta(days=1)) == 0
    assert empty(TODAY) == 2
    assert empty(TODAY + timedelta(days=31)) == 1
