"""Draw a contract's month: the energy of each day as bars with its updates below, and the same as a strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, percent, rect, text
from reservations.admin.days.chart import fill, legend, pattern
from reservations.admin.profiles.chart import ABOVE, HEIGHT, Scale, grid, scale_of
from reservations.isps.calendar import HOUR
from reservations.models import UpdateState
from reservations.settlement.energy import Totals

State = UpdateState.State

DAYS_ROW, MARKS_ROW = 22, 16
"""Heights in pixels."""

STRIP = 26
UNITS = ((10**9, "GWh"), (10**6, "MWh"), (10**3, "kWh"), (1, "Wh"))

MARKS = {
    State.ACCEPTED: "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z",
    State.PASSED_ON: "M-3 -4L4 0L-3 4Z",
    State.RECEIVED: "M-3.5 -3.5H3.5V3.5H-3.5Z",
    State.REJECTED: "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5",
    State.UNDONE: "M 0 -5L5 0L0 5L-5 0Z",
}
"""The shape of each state's mark, around its middle, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """A day: its energy, None where the contract is not in force on it, and the number of updates in each state."""

    day: date
    totals: Totals | None
    updates: Mapping[str, int] = field(default_factory=dict)
    url: str = ""

    @property
    def tooltip(self) -> str:
        """Return, for example, `2026-07-05: contracted 60 kWh, remaining 12 kWh, released 48 kWh; 1 accepted`."""
        if self.totals is None:
            energy = "not in force"
        elif not self.totals.contracted:
            energy = "nothing contracted"
        else:
            energy = (
                f"contracted {self.totals.contracted}, remaining {self.totals.remaining}, "
                f"released {self.totals.released}"
            )
        return f"{self.day}: {energy}{f'; {self.states}' if self.updates else ''}"

    @property
    def states(self) -> str:
        """Return, for example, `2 accepted, 1 undone`; empty without any update."""
        return in_states(self.updates)


def in_states(updates: Mapping[str, int]) -> str:
    """Return, for example, `2 accepted, 1 undone`; empty without any."""
    return ", ".join(f"{updates[state]} {state.label.lower()}" for state in MARKS if updates.get(state))


def draw(title: str, description: str, days: Sequence[DayOfMonth]) -> SafeString:
    """Return the chart of `days`, all of a month, with its legend below."""
    key = svg.unique_key("month")
    scale = scale_of(most // HOUR for most in _most(days))
    states = [state for state in MARKS if any(day.updates.get(state) for day in days)]
    chart = svg.chart(
        key,
        title,
        pattern(key),
        _grid(scale),
        *(_day(day, index, len(days), scale, states, key) for index, day in enumerate(days)),
        description=description,
        width="100%",
        height=ABOVE + HEIGHT + DAYS_ROW + MARKS_ROW * len(states),
    )
    return format_html(
        '<div class="days-power with-watts">{}</div>{}{}', chart, legend(key), marks_legend(states)
    )


def strip(title: str, days: Sequence[DayOfMonth], key: str) -> SafeString:
    """Return the month in a line: the remaining and released parts of each day, and marks of undone updates.

    Neighbours with the same energy are one bar. The page has `pattern(key)` of `reservations.admin.days.chart` once.
    """
    up, down = _most(days)
    scale = STRIP / ((up - down) or 1)
    zero = round(up * scale, 2)
    drawn: list[SafeString] = []
    first = 0
    for totals, alike in groupby(days, key=lambda day: day.totals):
        count = len(list(alike))
        if totals is not None:
            place, width = percent(first, len(days)), percent(count, len(days))
            drawn.append(rect("days", place, 0, width, STRIP))
            drawn += _bars(totals, place, width, zero, scale, key)
        first += count
    drawn += [
        _mark(State.UNDONE, percent(index + 0.5, len(days)), STRIP + 6)
        for index, day in enumerate(days)
        if day.updates.get(State.UNDONE)
    ]
    name = element("title", title)
    return element("svg", name, *drawn, class_="strip", role="img", width="100%", height=STRIP + 12)


def _most(days: Sequence[DayOfMonth]) -> tuple[int, int]:
    """Return the most energy contracted on a day in each direction, in watt-minutes."""
    found = [day.totals.contracted for day in days if day.totals is not None]
    return max((each.up for each in found), default=0), min((each.down for each in found), default=0)


def _day(
    day: DayOfMonth, index: int, count: int, scale: Scale, states: Sequence[State], key: str
) -> SafeString:
    number, left, middle = day.day.day, percent(index + 0.1, count), percent(index + 0.5, count)
    look = "days" if day.totals is not None else "days not-in-force"
    name = "day" if number % 5 == 0 or number == 1 else "day optional"
    per_watt_minute = (scale.place(0) - scale.place(scale.step)) / scale.step / HOUR
    marks_top = ABOVE + HEIGHT + DAYS_ROW + MARKS_ROW // 2
    return svg.titled(
        day.tooltip,
        rect(look, percent(index, count), 0, percent(1, count), ABOVE + HEIGHT),
        *_bars(day.totals or Totals(), left, percent(0.8, count), scale.place(0), per_watt_minute, key),
        text(name, middle, ABOVE + HEIGHT + 15, str(number), text_anchor="middle"),
        *(
            _mark(state, middle, marks_top + MARKS_ROW * row)
            for row, state in enumerate(states)
            if day.updates.get(state)
        ),
        url=day.url,
    )


def _bars(totals: Totals, x: str, width: str, zero: float, scale: float, key: str) -> list[SafeString]:
    return [
        rect(look, x, top, width, height, fill=fill(look, key))
        for look, top, height in _parts(totals, zero, scale)
    ]


def _parts(totals: Totals, zero: float, scale: float) -> list[tuple[str, float, float]]:
    """Return (look, top, height) of what remains, of what was released, and of the outline of both."""
    found = []
    for direction in ("up", "down"):
        remaining, contracted = (
            round(abs(getattr(energy, direction)) * scale, 2)
            for energy in (totals.remaining, totals.contracted)
        )
        released = round(contracted - remaining, 2)
        above = direction == "up"
        for look, begin, height in (
            ("remaining", 0.0, remaining),
            ("released", remaining, released),
            ("contracted", 0.0, contracted),
        ):
            if height:
                found.append((look, round(zero - begin - height if above else zero + begin, 2), height))
    return found


def _grid(scale: Scale) -> SafeString:
    """Return a line for each of the scale's Wh, in the greatest unit in which all of them are whole numbers."""
    size, unit = next((size, unit) for size, unit in UNITS if scale.step % size == 0)
    return grid(scale, lambda line: f"{line // size:,} {unit}".replace("-", "−"))


def marks_legend(states: Sequence[State]) -> SafeString:
    """Return what the marks of these states mean; empty for none."""
    if not states:
        return SafeString()
    icons = ((_shape(state, transform="translate(7 7)"), f"Update {state.label.lower()}") for state in states)
    return svg.legend(icons, width=14, class_="legend power-legend", label="Updates")


def _mark(state: State, x: str, y: int) -> SafeString:
    """Return the mark of a state, with its middle at the place."""
    return element("svg", _shape(state), x=x, y=y, overflow="visible")


def _shape(state: State, transform: str | None = None) -> SafeString:
    look = f"mark {state.value.replace(' ', '-')}"
    return element("path", class_=look, d=MARKS[state], transform=transform)
