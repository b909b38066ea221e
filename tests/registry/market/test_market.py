"""The market's days and zone (docs/rules.md D1, D9, D10)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from django.db import DataError, connections, transaction

from participants.models import AuditEntry
from registry.changes import Source
from registry.market.market import UnknownMarket, market, set_market, today_at, zone_agrees
from registry.periods import half_open, in_words, last_day
from registry.updates.publish import publish_congestion_points, publish_representations
from tests.registry.world import ADDRESSES, World, as_date
from uftp.handlers import Rejection
from uftp.protocol.streaming import MembershipLine, PointLine

AMSTERDAM = "Europe/Amsterdam"
SUMMER, WINTER = date(2030, 7, 1), date(2030, 1, 1)
CLOCKS_CHANGE = date(2030, 3, 31)
# On this day Sofia and Amsterdam change the clock at the same instant, so that the offsets differ at both ends.


@pytest.mark.parametrize(
    ("first", "last", "stored_upper", "words"),
    [
        (date(2030, 1, 1), date(2030, 1, 31), date(2030, 2, 1), "2030-01-01 to 2030-01-31"),
        (date(2030, 1, 1), date(2030, 1, 1), date(2030, 1, 2), "2030-01-01"),
        (date(2030, 1, 1), None, None, "from 2030-01-01"),
        (date(2030, 1, 1), date.max, None, "from 2030-01-01"),
    ],
)
def test_D1_days_are_inclusive_outside_and_half_open_inside(
    first: date, last: date | None, stored_upper: date | None, words: str
) -> None:
    days = half_open(first, last)
    assert (days.lower, days.upper, days.bounds) == (first, stored_upper, "[)")
    assert last_day(days) == (None if stored_upper is None else last)
    assert in_words(days) == words


def test_D1_an_end_before_the_start_holds_no_day() -> None:
    assert half_open(date(2030, 1, 2), date(2030, 1, 1)).isempty


@pytest.mark.parametrize(
    ("zone", "days", "agrees"),
    [
        (AMSTERDAM, [SUMMER], True),
        ("Europe/Berlin", [SUMMER, WINTER, CLOCKS_CHANGE], True),
        ("Africa/Lagos", [WINTER], True),  # an hour ahead of UTC all year
        ("Africa/Lagos", [SUMMER], False),
        ("Africa/Lagos", [CLOCKS_CHANGE], False),  # agrees at the first instant of the day, not at the last
        ("Europe/London", [WINTER], False),
        ("Europe/Nowhere", [WINTER], False),
        ("Europe/amsterdam", [WINTER], False),
        ("Europe/Berlin", [date.max], True),
        ("Europe/Berlin", [date.min], False),  # local mean time
    ],
)
def test_D9_a_zone_has_the_markets_offset_on_every_named_day(
    zone: str, days: list[date], agrees: bool
) -> None:
    assert zone_agrees(zone, AMSTERDAM, days) is agrees


@pytest.mark.parametrize(
    ("zone", "first", "last", "agrees"),
    [
        ("Africa/Lagos", date(2030, 1, 1), date(2030, 1, 31), True),
        ("Africa/Lagos", date(2030, 1, 1), date(2030, 7, 1), False),
        ("Africa/Lagos", date(2030, 1, 1), None, False),  # today, 12 June, stands for an open end
        ("Europe/Brussels", date(2030, 1, 1), None, True),
    ],
)
def test_D9_the_days_an_update_names_are_its_starts_and_ends(
    db: None, zone: str, first: date, last: date | None, agrees: bool
) -> None:
    world = World.start()

    def publish() -> None:
        publish_representations(
            world.participants["agr-1"],
            [(ADDRESSES["home-1"], first, last)],
            today=as_date(0),
            source=world.source("agr-1"),
            time_zone=zone,
        )

    if agrees:
        publish()
    else:
        with pytest.raises(Rejection, match=f"^TimeZone rejected: {zone} is not Europe/Amsterdam$"):
            publish()


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("ea1.2000-01.example.cro:none", True),
        ("ea1.2026-07.EXAMPLE.cro:1", True),
        ("ea1.2000-01.example.cro.sub:1", True),
        ("ea1.2000-01.example.crow:1", False),
        ("ea1.2000-01.example:cro", False),
        ("ea1.2000-01.exampleXcro:1", False),
    ],
)
def test_D10_statements_about_the_cros_own_addresses_are_refused(
    db: None, address: str, is_own: bool
) -> None:
    world = World.start()
    day = as_date(0)

    def as_connection() -> None:
        publish_representations(
            world.participants["agr-1"], [(address, day, None)], today=day, source=Source.of_import("x")
        )

    def as_point() -> None:
        lines = [
            PointLine(0, address, day, None, True, "AGR", None),
            MembershipLine(0, ADDRESSES["home-1"], day, None),
        ]
        publish_congestion_points(world.participants["dso-1"], lines, today=day, source=Source.of_import("x"))

    for publish in (as_connection, as_point):
        if is_own:
            own = pytest.raises(Rejection, match=r"^Invalid Message: .* lies under this CRO's own domain$")
            with own, transaction.atomic():
                publish()
        else:
            publish()


def test_today_is_the_markets_day() -> None:
    before_midnight_utc = datetime(2030, 6, 12, 22, 30, tzinfo=UTC)
    assert today_at(before_midnight_utc, AMSTERDAM) == date(2030, 6, 13)
    assert today_at(before_midnight_utc, "America/New_York") == date(2030, 6, 12)


def test_the_market_is_set_with_what_a_market_can_have(db: None) -> None:
    assert str(market()) == "Europe/Amsterdam, PT15M"
    assert (
        str(set_market(time_zone="Europe/Lisbon", isp_duration="PT1H", actor="clerk"))
        == "Europe/Lisbon, PT1H"
    )
    assert market().time_zone == "Europe/Lisbon"
    for wrong in ({"time_zone": "Europe/Nowhere"}, {"time_zone": "UTC"}, {"isp_duration": "PT7M"}):
        with pytest.raises(UnknownMarket):
            set_market(**wrong, actor="clerk")


@pytest.mark.django_db(transaction=True)
def test_a_market_that_is_not_on_record_is_not_set() -> None:
    """A journal that fails takes the change along: PostgreSQL refuses the NUL in the reason."""
    with pytest.raises(DataError, match="NUL"):
        set_market(time_zone="Europe/Lisbon", actor="clerk", reason="\x00")
    assert str(market()) == "Europe/Amsterdam, PT15M"


@pytest.mark.django_db(transaction=True)
def test_two_who_set_the_market_at_once_undo_nothing_of_each_other() -> None:
    set_market(isp_duration="PT30M", actor="clerk")

    def other() -> None:
        try:
            set_market(isp_duration="PT1H", actor="other")
        finally:
            connections.close_all()

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            set_market(time_zone="Europe/Lisbon", actor="clerk")
            waiting = pool.submit(other)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        waiting.result(20)

    assert str(market()) == "Europe/Lisbon, PT1H"
    lines = [(entry.before, entry.after) for entry in AuditEntry.objects.order_by("pk")]
    assert all(before == after for (_, after), (before, _) in pairwise(lines))
