"""ISPs: how many a day has, when they begin, how they are named."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.market.market import ISP_DURATIONS
from reservations.isps import calendar

AMSTERDAM = "Europe/Amsterdam"
USUAL, SPRING, AUTUMN = date(2026, 7, 1), date(2026, 3, 29), date(2026, 10, 25)
MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]


def local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(AMSTERDAM)):%H:%M}"


@pytest.mark.parametrize(("day", "many"), [(USUAL, 96), (SPRING, 92), (AUTUMN, 100)])
def test_F16_a_day_has_as_many_isps_as_its_hours_hold(day: date, many: int) -> None:
    assert calendar.count(day, 15, AMSTERDAM) == many


@pytest.mark.parametrize("minutes", MINUTES)
def test_F16_an_hour_more_or_less_for_every_duration(minutes: int) -> None:
    assert [calendar.count(day, minutes, AMSTERDAM) * minutes for day in (USUAL, SPRING, AUTUMN)] == [
        24 * 60,
        23 * 60,
        25 * 60,
    ]


def test_F16_a_half_hour_s_change_leaves_no_part_of_the_day_without_an_isp() -> None:
    assert calendar.count(date(2026, 10, 4), 60, "Australia/Lord_Howe") == 24
    assert calendar.count(date(2026, 10, 4), 30, "Australia/Lord_Howe") == 47


def test_isps_begin_with_the_day_and_follow_each_other() -> None:
    begin = calendar.starts(SPRING, 15, AMSTERDAM)
    assert local(begin[0]) == "00:00"
    assert [local(moment) for moment in begin[7:9]] == ["01:45", "03:00"]
    assert local(begin[-1]) == "23:45"
    assert {after - before for before, after in pairwise(begin)} == {timedelta(minutes=15)}


def test_F16_slots_skip_the_hour_that_is_skipped_and_repeat_the_one_that_is_repeated() -> None:
    assert calendar.slots(USUAL, 15, AMSTERDAM) == tuple(range(1, 97))
    assert calendar.slots(SPRING, 15, AMSTERDAM) == (*range(1, 9), *range(13, 97))
    assert calendar.slots(AUTUMN, 15, AMSTERDAM) == (*range(1, 13), *range(9, 97))


@given(st.dates(date(1980, 1, 1), date(2060, 1, 1)), st.sampled_from(MINUTES))
def test_the_isps_of_a_day_end_where_those_of_the_next_begin(day: date, minutes: int) -> None:
    begin = calendar.starts(day, minutes, AMSTERDAM)
    tomorrow = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(AMSTERDAM)).astimezone(UTC)
    assert begin[-1] + timedelta(minutes=minutes) == tomorrow


@pytest.mark.parametrize("duration", ISP_DURATIONS)
def test_every_duration_that_a_market_can_have_is_read_and_written(duration: str) -> None:
    minutes = calendar.minutes_of(duration)
    assert minutes is not None
    assert calendar.duration_of(minutes) == duration


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("PT15M", 15),
        ("PT900S", 15),
        ("PT900.0S", 15),
        ("P0DT0H15M", 15),
        (" PT60M ", 60),
        ("PT1H", 60),
        ("PT0H30M0S", 30),
        ("PT1M", 1),
        ("PT60S", 1),
        ("PT7M", None),
        ("PT90M", None),
        ("PT2H", None),
        ("P1D", None),
        ("PT0S", None),
        ("PT30S", None),
        ("PT15M1S", None),
        ("-PT15M", None),
        ("P1M", None),
        ("P1Y", None),
        ("", None),
        ("PT٣M", None),
        (f"PT{'9' * 30}M", None),
        ("PT" + "9" * 10_000 + "M", None),
    ],
)
def test_a_duration_goes_by_what_it_means(said: str, minutes: int | None) -> None:
    assert calendar.minutes_of(said) == minutes


def test_isps_are_named_as_runs() -> None:
    assert calendar.in_words([]) == []
    assert calendar.in_words([7, 1, 2, 3, 4, 4]) == ["1-4", "7"]
    assert calendar.in_words([96]) == ["96"]


@given(
    st.sampled_from(MINUTES),
    st.sampled_from(MINUTES),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(-1, 1)), max_size=8),
)
def test_F11_restated_minute_by_minute(minutes: int, other: int, said: list[tuple[int, int, int]]) -> None:
    """Elements that follow each other, some with ISPs left out between them."""
    given_isps, following = [], 1
    for left_out, duration, power in said:
        given_isps.append((following + left_out, duration, power))
        following += left_out + duration
    of_minute = {
        minute: power
        for start, duration, power in given_isps
        for minute in range((start - 1) * minutes, (start - 1 + duration) * minutes)
    }
    expected = {}
    for isp in range(1, following * minutes // other + 2):
        powers = {of_minute.get(minute) for minute in range((isp - 1) * other, isp * other)}
        if len(powers) == 1 and None not in powers:
            expected[isp] = powers.pop()
    restated = calendar.converted(given_isps, minutes, other)
    assert {
        isp: power for start, duration, power in restated for isp in range(start, start + duration)
    } == expected
    assert all(one[0] + one[1] <= next_one[0] for one, next_one in pairwise(restated)), "in order, each once"
