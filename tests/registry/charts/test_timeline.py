"""The timeline chart of a connection: its lanes, what is marked in it, and its text."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from participants.scope import EVERYONE, NOBODY, Scope
from registry.changes import Source
from registry.charts import timeline
from registry.charts.lanes import TICKS, YEARS_DRAWN, Bar, Group, Lane, ticks, window
from registry.charts.lanes_svg import draw
from registry.decisions.settle import settle
from registry.models import Change, Conflict, Connection
from registry.periods import half_open
from tests.registry.admin.pages import declared, home, party, point, represented

TODAY = date(2026, 6, 15)


def drawn(number: int = 1, **how: Any) -> Any:
    """The chart of a connection, by its number, as a tree."""
    how = {"today": TODAY, "scope": EVERYONE, **how}
    return html.fromstring(
        f"<div>{timeline.of_connection(Connection.objects.get(address=home(number)), **how)}</div>"
    )


def labels(chart: Any) -> list[str]:
    return [text.text for text in chart.xpath('//text[@class="label"]')]


def bars(chart: Any) -> list[tuple[str, str]]:
    """(look, what it says) of each bar, in their order."""
    return [
        (
            link.xpath('./rect[contains(@class, "bar")]')[0].get("class").removeprefix("bar "),
            link.get("aria-label"),
        )
        for link in chart.xpath('//a[rect[contains(@class, "bar")]]')
    ]


def rows(chart: Any) -> list[tuple[str, ...]]:
    return [tuple(cell.text_content() for cell in row) for row in chart.xpath("//details//tbody/tr")]


@pytest.fixture
def contested(db: None) -> Conflict:
    """A connection in a congestion point, represented by one AGR, some of whose days another claims."""
    declared("grid.example", 1, 1)
    represented("one.example", 1, first=date(2026, 6, 1), last=date(2026, 12, 31))
    represented("two.example", 1, first=date(2026, 9, 1), last=date(2027, 3, 31))
    return Conflict.objects.get()


def test_each_party_has_a_lane_with_its_days_by_standing(contested: Conflict) -> None:
    chart = drawn()

    assert labels(chart) == [f"{point(1)} of DSO grid.example", "AGR one.example", "AGR two.example"]
    assert bars(chart) == [
        ("effective", f"{point(1)} of DSO grid.example: from 2026-06-01, effective"),
        ("effective", "AGR one.example: 2026-06-01 to 2026-12-31, effective"),
        ("contested", "AGR two.example: 2026-09-01 to 2026-12-31, contested"),
        ("effective", "AGR two.example: 2027-01-01 to 2027-03-31, effective"),
    ]
    (mark,) = chart.xpath('//a[rect[@class="marked"]]')
    assert mark.get("href") == f"/admin/registry/conflict/{contested.pk}/change/"
    assert mark.get("aria-label") == "AGR one.example holds these days, AGR two.example claims them"
    assert chart.xpath('//text[@class="today"]')[0].text == "today, 2026-06-15"
    assert chart.xpath("//svg/title")[0].text == f"Timeline of connection {home(1)}"
    assert "1 congestion point, 2 aggregators, 1 conflict" in chart.xpath("//svg/desc")[0].text
    assert not chart.xpath("//@style | //style | //script")


def test_the_table_says_the_same_as_the_chart(contested: Conflict) -> None:
    assert rows(drawn()) == [
        (f"{point(1)} of DSO grid.example", "from 2026-06-01", "Effective"),
        ("AGR one.example", "2026-06-01 to 2026-12-31", "Effective"),
        ("AGR two.example", "2026-09-01 to 2026-12-31", "Contested"),
        ("AGR two.example", "2027-01-01 to 2027-03-31", "Effective"),
        (
            f"Conflict {contested.pk}",
            "2026-09-01 to 2026-12-31",
            "AGR one.example holds these days, AGR two.example claims them",
        ),
    ]


def test_a_settled_conflict_is_marked_where_it_is_asked_for(contested: Conflict) -> None:
    with transaction.atomic():
        settle(contested.pk, "keep", at=None, source=Source.of_staff("kim", "seen"), today=TODAY)

    assert not drawn().xpath('//rect[@class="marked"]')
    chart = drawn(conflict=contested)
    assert len(chart.xpath('//rect[@class="marked"]')) == 1
    assert ("refused", "AGR two.example: 2026-09-01 to 2026-12-31, refused") in bars(chart)


def test_at_a_past_moment_it_shows_what_was_known_then(contested: Conflict) -> None:
    before, *_, then = Change.objects.order_by("moment").values_list("moment", flat=True)
    with transaction.atomic():
        settle(contested.pk, "give", at=None, source=Source.of_staff("kim", "seen"), today=TODAY)

    assert rows(drawn(known_at=before - timedelta(seconds=1))) == []
    assert [row[0] for row in rows(drawn(known_at=before))] == [f"{point(1)} of DSO grid.example"]
    assert (f"Conflict {contested.pk}", "2026-09-01 to 2026-12-31") in [
        row[:2] for row in rows(drawn(known_at=then))
    ]
    assert f"Conflict {contested.pk}" not in [row[0] for row in rows(drawn())]


def test_only_participants_in_scope_are_shown(contested: Conflict) -> None:
    declared("other.example", 2, 2)
    theirs = Scope(ids=frozenset({party("AGR", "two.example").pk}))

    chart = drawn(scope=theirs)
    assert labels(chart) == ["AGR two.example"]
    assert f"Conflict {contested.pk}" in [row[0] for row in rows(chart)]
    assert "one.example" not in " ".join(text for _, text in bars(chart))
    assert rows(drawn(scope=NOBODY)) == []
    assert not rows(drawn(scope=Scope(ids=frozenset({party("DSO", "other.example").pk}))))


def test_it_asks_the_database_as_much_for_many_lanes_as_for_few(contested: Conflict) -> None:
    with CaptureQueriesContext(connection) as few:
        drawn()
    for number in range(3, 30):
        represented(f"agr{number}.example", 1)
        declared(f"grid{number}.example", number, 1)
    with CaptureQueriesContext(connection) as many:
        chart = drawn()

    assert len(labels(chart)) >= 29 + 28
    assert len(few) == len(many)


def test_what_participants_wrote_is_text() -> None:
    hostile = "<script>alert(1)</script>"
    lane = Lane(hostile, (Bar(half_open(TODAY, None), "effective", hostile, hostile, '"><b>'),))

    chart = str(draw(hostile, hostile, [Group(hostile, (lane,))], today=TODAY))

    assert "<script" not in chart
    assert "<b>" not in chart


def test_days_beyond_the_chart_end_in_an_arrow() -> None:
    days = [half_open(date(1990, 1, 1), date(2020, 1, 1)), half_open(date(2026, 1, 1), None)]
    lanes = tuple(Lane("x", (Bar(each, "effective", "Effective", "x"),)) for each in days)

    chart = html.fromstring(draw("x", "x", [Group("x", lanes)], today=TODAY))

    assert [arrow.get("x") for arrow in chart.xpath('//svg[@class="arrow"]')] == ["0", "100%"]


def test_nothing_is_shown_as_none() -> None:
    chart = html.fromstring(draw("x", "x", [Group("Aggregators", ())], today=TODAY))

    assert "none" in chart.text_content()
    assert "today, 2026-06-15" in chart.text_content()


YEARS = st.dates(date(2000, 1, 1), date(2060, 1, 1))


@given(st.lists(st.tuples(YEARS, st.integers(0, 20_000) | st.none()), max_size=6), YEARS)
def test_a_window_shows_today_and_all_that_is_near(spans: list[tuple[date, int | None]], today: date) -> None:
    days = [half_open(first, None if more is None else first + timedelta(days=more)) for first, more in spans]

    shown = window(days, today)

    assert shown.first < today < shown.stop
    near = timedelta(days=365 * (YEARS_DRAWN - 1))
    for each in days:
        for edge in (each.lower, each.upper):
            if edge and abs(edge - today) < near:
                assert shown.first < edge < shown.stop
    named = ticks(shown)
    assert 1 <= len(named) <= TICKS + 1
    assert [day for day, _ in named] == sorted({day for day, _ in named})
    assert all(shown.first <= day < shown.stop and re.fullmatch(r"[\d-]{4,10}", name) for day, name in named)


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        (
            date(2026, 6, 14),
            date(2026, 6, 16),
            ["2026-06-11", "2026-06-13", "2026-06-15", "2026-06-17", "2026-06-19"],
        ),
        (date(2026, 6, 1), date(2026, 8, 31), ["2026-06", "2026-07", "2026-08", "2026-09"]),
        (
            date(2024, 1, 1),
            date(2026, 12, 31),
            ["2024-01", "2024-07", "2025-01", "2025-07", "2026-01", "2026-07", "2027-01"],
        ),
        (
            date(2018, 1, 1),
            date(2030, 12, 31),
            ["2018", "2020", "2022", "2024", "2026", "2028", "2030", "2032"],
        ),
    ],
    ids=["days", "months", "half-years", "years"],
)
def test_the_axis_names_days_months_or_years(first: date, last: date, names: list[str]) -> None:
    assert [name for _, name in ticks(window([half_open(first, last)], TODAY))] == names


def test_moments_of_knowing_are_named(contested: Conflict) -> None:
    chart = drawn(known_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert "as known at 2026-01-01 00:00:00 UTC" in chart.xpath("//svg/title")[0].text
