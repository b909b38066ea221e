"""Charts of reserved power, as SVG: where their parts lie, what they say to those who do not see them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.admin.days import chart as day_chart
from reservations.admin.days import month_chart
from reservations.admin.days.month_chart import DayOfMonth
from reservations.admin.profiles import chart as profile_chart
from reservations.isps import clock_times
from reservations.models import Contract, ContractVersion
from reservations.settlement import energy
from reservations.settlement.energy import Energy, Totals
from reservations.settlement.remaining import CountingUpdate, DayFigures, fold

DAY, SPRING, AUTUMN = date(2026, 7, 1), date(2026, 3, 29), date(2026, 10, 25)
NEVER = datetime(2026, 1, 1, tzinfo=UTC)


def figures(
    contracted: Iterable[int], *updates: CountingUpdate, day: date = DAY, minutes: int = 60
) -> DayFigures:
    watts = tuple(contracted)
    version = ContractVersion(isp_minutes=minutes, time_zone="Europe/Amsterdam", number=1)
    remaining, by = fold(watts, updates)
    return DayFigures(Contract(contract_id="flex-1"), day, version, watts, remaining, by, updates)


def update(number: int, *isps: tuple[int, int, int]) -> CountingUpdate:
    return CountingUpdate(number, 1, f"R<{number}>", f"m{number}", NEVER, isps)


def drawn(day: DayFigures, deadline: datetime = NEVER, url: str = "") -> ElementTree.Element:
    text = day_chart.draw(
        "A & B",
        day,
        energy.of_day(day),
        deadline=deadline,
        url_of=lambda update: f"{url}{update.id}" if url else "",
    )
    return parsed(text)


def parsed(text: str) -> ElementTree.Element:
    """A chart, which has nothing that the Content-Security-Policy forbids."""
    assert not re.search(r"<(style|script)|\b(style|on\w+)=", text)
    return ElementTree.fromstring(f"<div>{text}</div>")


def parts(root: ElementTree.Element, look: str) -> list[dict[str, float]]:
    """Places and sizes of the rectangles of a look in the first chart, in per cent and pixels."""
    svg = next(root.iter("svg"))
    found = [each.attrib for each in svg.iter("rect") if each.get("class") == look]
    return [{name: float(each[name].rstrip("%")) for name in ("x", "y", "width", "height")} for each in found]


def texts(root: ElementTree.Element, tag: str = "title") -> list[str]:
    return [str(each.text) for each in root.iter(tag)]


def test_what_remains_and_what_was_released_make_up_what_is_contracted() -> None:
    root = drawn(figures([0] * 6 + [400] * 12 + [0] * 6, update(1, (7, 6, 100)), update(2, (13, 2, 0))))
    remaining, released = parts(root, "remaining"), parts(root, "released")
    assert [(each["x"], each["width"]) for each in remaining] == [(25, 25), (58.333, 16.667)]
    assert [(each["x"], each["width"]) for each in released] == [(25, 25), (50, 8.333)]
    (low, full), (high, all_of_it) = remaining, released
    assert low["height"] * 4 == pytest.approx(full["height"])
    assert low["height"] + high["height"] == pytest.approx(all_of_it["height"])
    assert high["y"] + high["height"] == pytest.approx(low["y"])
    assert texts(root)[1:] == [
        "ISPs 7-12, 06:00–12:00: contracted 400 W, remaining 100 W, released 300 W by R<1>",
        "ISPs 13-14, 12:00–14:00: contracted 400 W, remaining 0 W, released 400 W by R<2>",
        "ISPs 15-18, 14:00–18:00: contracted 400 W, remaining 400 W, released 0 W",
    ]


def test_negative_power_lies_below_positive() -> None:
    root = drawn(figures([300] * 12 + [-300] * 12, update(1, (1, 24, 0), (13, 6, -100))))
    above, below = parts(root, "released")[0], parts(root, "released")[-1]
    assert above["y"] + above["height"] == pytest.approx(below["y"])
    (kept,) = parts(root, "remaining")
    assert kept["y"] == pytest.approx(below["y"])
    assert texts(root, "desc") == [
        "Contracted 3.6 kWh and −3.6 kWh, remaining −0.6 kWh, released 3.6 kWh and −3 kWh. "
        "The table below says the same."
    ]


def test_parts_that_an_update_decides_lead_to_it() -> None:
    root = drawn(figures([100] * 24, update(7, (3, 2, 50))), url="/updates/")
    (link,) = root.iter("a")
    assert link.get("href") == "/updates/7"
    assert str(link.get("aria-label")).startswith("ISPs 3-4, 02:00–04:00")
    assert not list(drawn(figures([100] * 24, update(7, (3, 2, 50)))).iter("a"))


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ("2026-07-01T09:00:00+02:00", 37.5),
        ("2026-06-30T12:00:00+02:00", None),
        ("2026-07-01T00:00:00+02:00", None),
    ],
)
def test_a_deadline_within_the_day_is_marked(at: str, place: float | None) -> None:
    root = drawn(figures([100] * 24), deadline=datetime.fromisoformat(at))
    lines = [each for each in root.iter("line") if each.get("class") == "deadline"]
    assert [each.get("x1") for each in lines] == ([] if place is None else [f"{place}%"])
    assert ("deadline 09:00" in texts(root, "text")) is (place is not None)


@pytest.mark.parametrize(("day", "many"), [(DAY, 96), (SPRING, 92), (AUTUMN, 100)])
def test_days_of_any_length_fill_the_width(day: date, many: int) -> None:
    root = drawn(figures([100] * many, update(1, (many, 1, 0)), day=day, minutes=15))
    (kept,), (released,) = parts(root, "remaining"), parts(root, "released")
    assert kept["width"] + released["width"] == pytest.approx(100, abs=0.01)
    assert released["x"] == pytest.approx(100 - 100 / many, abs=0.01)


@given(
    st.lists(st.integers(-3, 3), min_size=24, max_size=24),
    st.lists(st.integers(0, 3), min_size=24, max_size=24),
)
def test_the_outline_goes_along_the_contracted_power(contracted: list[int], shares: list[int]) -> None:
    isps = [
        (isp, 1, watts * share // 3)
        for isp, (watts, share) in enumerate(zip(contracted, shares, strict=True), 1)
    ]
    root = drawn(figures(contracted, update(1, *isps)))
    level = [
        (float(str(each.get("x1")).rstrip("%")), float(str(each.get("x2")).rstrip("%")))
        for each in root.iter("line")
        if each.get("class") == "contracted" and each.get("y1") == each.get("y2")
    ]
    assert sum(end - begin for begin, end in level) == pytest.approx(
        100 * sum(1 for watts in contracted if watts) / 24, abs=0.1
    )
    bars = sorted(
        (each["x"], each["width"]) for look in ("remaining", "released") for each in parts(root, look)
    )
    assert all(x >= 0 and x + width <= 100.01 for x, width in bars)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3)), min_size=24, max_size=24))
def test_energy_is_the_sum_of_each_isp_in_its_direction(said: list[tuple[int, int]]) -> None:
    contracted = [watts for watts, _ in said]
    day = figures(contracted, update(1, *((isp, 1, w * s // 3) for isp, (w, s) in enumerate(said, 1))))
    totals = energy.of_day(day)
    for found, watts in (
        (totals.contracted, day.contracted),
        (totals.remaining, day.remaining),
        (totals.released, day.released),
    ):
        assert found == Energy(
            60 * sum(each for each in watts if each > 0), 60 * sum(each for each in watts if each < 0)
        )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Energy(60_000), "1 kWh"),
        (Energy(3_750_000), "62.5 kWh"),
        (Energy(0, -60_000 * 1_234), "−1,234 kWh"),
        (Energy(60, -90), "0.001 kWh and −0.002 kWh"),
        (Energy(), "0 kWh"),
    ],
)
def test_energy_in_words(found: Energy, said: str) -> None:
    assert str(found) == said


def days(**values: Any) -> list[DayOfMonth]:
    full = Totals(Energy(60_000), Energy(60_000))
    half = Totals(Energy(60_000), Energy(30_000))
    return [
        DayOfMonth(date(2026, 6, 1), full, {}, "/1/"),
        DayOfMonth(date(2026, 6, 2), half, {"accepted": 2, "undone": 1}, "/2/"),
        DayOfMonth(date(2026, 6, 3), Totals(), {"rejected": 1}, "/3/"),
        DayOfMonth(date(2026, 6, 4), None, {}, "/4/"),
    ]


def test_a_month_has_a_bar_and_a_link_for_each_day_and_a_mark_for_each_state() -> None:
    root = parsed(month_chart.draw("June", "All of it", days()))
    assert [each.get("href") for each in root.iter("a")] == ["/1/", "/2/", "/3/", "/4/"]
    assert [each.get("aria-label") for each in root.iter("a")] == [
        "2026-06-01: contracted 1 kWh, remaining 1 kWh, released 0 kWh",
        "2026-06-02: contracted 1 kWh, remaining 0.5 kWh, released 0.5 kWh; 2 accepted, 1 undone",
        "2026-06-03: nothing contracted; 1 rejected",
        "2026-06-04: not in force",
    ]
    full, half = parts(root, "remaining")
    (released,) = parts(root, "released")
    assert half["height"] * 2 == pytest.approx(full["height"], abs=0.02)
    assert released["y"] == pytest.approx(full["y"], abs=0.02)
    marks = {
        (str(mark.get("x")), str(mark.get("y"))): path.get("class")
        for mark in root.iter("svg")
        for path in mark.findall("path")
        if mark.get("x")
    }
    assert sorted(marks.values(), key=str) == ["mark accepted", "mark rejected", "mark undone"]
    assert {x for (x, _), look in marks.items() if look != "mark rejected"} == {"37.5%"}
    assert len({y for _, y in marks}) == 3
    said = "".join(root.itertext())
    assert "Update undone" in said
    assert "Update passed on" not in said


def test_energy_of_negative_power_lies_below_zero_in_a_month() -> None:
    both = Totals(Energy(60_000, -60_000), Energy(60_000, -15_000))
    root = parsed(month_chart.draw("June", "All of it", [DayOfMonth(date(2026, 6, 1), both, {}, "/1/")]))
    above, below = parts(root, "remaining")
    (released,) = parts(root, "released")
    zero = above["y"] + above["height"]
    assert below["y"] == pytest.approx(zero, abs=0.02)
    assert released["y"] == pytest.approx(zero + below["height"], abs=0.02)
    assert below["height"] + released["height"] == pytest.approx(above["height"], abs=0.02)


def test_a_profile_is_drawn_by_the_direction_of_its_power() -> None:
    watts = [0] * 6 + [400] * 6 + [-200] * 12
    text = profile_chart.draw("key", "A day", watts, clock_times.usual_day(60), profile_chart.scale_of(watts))
    root = parsed(text)
    (up,), (down,) = parts(root, "up"), parts(root, "down")
    assert (up["x"], up["width"], down["x"], down["width"]) == (25, 25, 50, 50)
    assert up["y"] + up["height"] == pytest.approx(down["y"])
    assert up["height"] == pytest.approx(2 * down["height"])
    assert "ISPs 13-24, 12:00–24:00: −200 W" in texts(root)
    assert "−200 W to 400 W in 18 of 24 ISPs, 2.4 kWh and −2.4 kWh a day." in texts(root, "desc")


def test_a_strip_draws_days_that_are_alike_as_one() -> None:
    same = Totals(Energy(600), Energy(600))
    month = [DayOfMonth(date(2026, 6, number), same if number < 16 else None) for number in range(1, 31)]
    root = parsed(month_chart.strip("In June", month, "key"))
    assert [(each["x"], each["width"]) for each in parts(root, "remaining")] == [(0, 50)]
    assert texts(root) == ["In June"]
    assert 'fill="url(#key-released)"' in month_chart.strip("In June", days(), "key")


def test_looks_differ_by_pattern_as_well_as_by_colour() -> None:
    text = day_chart.draw(
        "A day",
        day := figures([100] * 24, update(1, (1, 4, 0))),
        energy.of_day(day),
        deadline=NEVER,
        url_of=str,
    )
    (pattern,) = set(re.findall(r'<pattern id="([^"]+)"', text))
    assert set(re.findall(r'fill="url\(#([^)]+)\)"', text)) == {pattern}
    shapes = list(month_chart.MARKS.values())
    assert all(one != other for one, other in pairwise(sorted(shapes)))
