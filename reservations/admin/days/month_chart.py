"""Pictures of a contract's month: the energy of each day as bars, with its updates below; and the same as a strip.

As in `reservations.admin.days.chart`, everything along the month is placed in per cent of the width. Shapes are put
together from numbers and names of ours alone, so that there is nothing in them to escape.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reservations.admin.days.chart import fill, joined, legend, pattern, percent
from reservations.admin.profiles.chart import ABOVE, HEIGHT, Scale, scale_of
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
    """A day: its energy, None where the contract is not in force on it; how many updates are in which state."""

    day: date
    totals: Totals | None
    updates: Mapping[str, int] = field(default_factory=dict)
    url: str = ""

    @property
    def said(self) -> str:
        """`2026-07-05: contracted 60 kWh, remaining 12 kWh, released 48 kWh; 1 accepted`."""
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
        """`2 accepted, 1 undone`; empty without any update."""
        return in_states(self.updates)


def in_states(updates: Mapping[str, int]) -> str:
    """`2 accepted, 1 undone`; empty without any."""
    return ", ".join(f"{updates[state]} {state.label.lower()}" for state in MARKS if updates.get(state))


def draw(title: str, description: str, days: Sequence[DayOfMonth]) -> SafeString:
    """The picture of `days`, all of a month, with its legend below."""
    key = f"month-{secrets.token_hex(4)}"
    scale = scale_of(most // HOUR for most in _most(days))
    states = [state for state in MARKS if any(day.updates.get(state) for day in days)]
    return format_html(
        '<div class="days-power with-watts"><svg role="group" width="100%" height="{}" '
        'aria-labelledby="{key}-title" aria-describedby="{key}-about">'
        '<title id="{key}-title">{}</title><desc id="{key}-about">{}</desc>{}{}{}</svg></div>{}{}',
        ABOVE + HEIGHT + DAYS_ROW + MARKS_ROW * len(states),
        title,
        description,
        pattern(key),
        _grid(scale),
        joined(_day(day, index, len(days), scale, states, key) for index, day in enumerate(days)),
        legend(key),
        marks_legend(states),
        key=key,
    )


def strip(title: str, days: Sequence[DayOfMonth], key: str) -> SafeString:
    """The month in a line: each day's remaining and released parts, days that are alike as one; undone ones marked.

    The page has `pattern(key)` of `reservations.admin.days.chart` once.
    """
    up, down = _most(days)
    scale = STRIP / ((up - down) or 1)
    zero = round(STRIP * up / ((up - down) or 1), 2)
    drawn: list[str] = []
    first = 0
    for totals, alike in groupby(days, key=lambda day: day.totals):
        many = len(list(alike))
        place = f'x="{percent(first, len(days))}%" width="{percent(many, len(days))}%"'
        if totals is not None:
            drawn.append(f'<rect class="days" {place} y="0" height="{STRIP}"/>')
            drawn += [
                f'<rect class="{look}" {place} y="{top}" height="{height}"{fill(look, key)}/>'
                for look, top, height in _parts(totals, zero, scale)
            ]
        first += many
    for index, day in enumerate(days):
        if day.updates.get(State.UNDONE):
            drawn.append(_mark(State.UNDONE, percent(index + 0.5, len(days)), STRIP + 6))
    return format_html(
        '<svg class="strip" role="img" width="100%" height="{}"><title>{}</title>{}</svg>',
        STRIP + 12,
        title,
        SafeString("".join(drawn)),
    )


def _most(days: Sequence[DayOfMonth]) -> tuple[int, int]:
    """The most energy contracted on a day in each direction, in watt-minutes."""
    found = [day.totals.contracted for day in days if day.totals is not None]
    return max((each.up for each in found), default=0), min((each.down for each in found), default=0)


def _day(
    day: DayOfMonth, index: int, many: int, scale: Scale, states: Sequence[State], key: str
) -> SafeString:
    left, width = percent(index + 0.1, many), percent(0.8, many)
    middle = percent(index + 0.5, many)
    per_watt_minute = (scale.place(0) - scale.place(scale.step)) / scale.step / HOUR
    bars = "".join(
        f'<rect class="{look}" x="{left}%" width="{width}%" y="{top}" height="{height}"{fill(look, key)}/>'
        for look, top, height in _parts(day.totals or Totals(), scale.place(0), per_watt_minute)
    )
    below = ABOVE + HEIGHT + DAYS_ROW + MARKS_ROW // 2
    marks = "".join(
        _mark(state, middle, below + MARKS_ROW * row)
        for row, state in enumerate(states)
        if day.updates.get(state)
    )
    return format_html(
        '<a href="{}" aria-label="{said}"><title>{said}</title>'
        '<rect class="{}" x="{}%" width="{}%" y="0" height="{}"/>{}'
        '<text class="day{}" x="{}%" y="{}" text-anchor="middle">{}</text>{}</a>',
        day.url,
        "days" if day.totals is not None else "days not-in-force",
        percent(index, many),
        percent(1, many),
        ABOVE + HEIGHT,
        SafeString(bars),
        "" if day.day.day % 5 == 0 or day.day.day == 1 else " gives-way",
        middle,
        ABOVE + HEIGHT + 15,
        day.day.day,
        SafeString(marks),
        said=day.said,
    )


def _parts(totals: Totals, zero: float, scale: float) -> list[tuple[str, float, float]]:
    """(look, top, height) of what remains, of what was released beyond it, and of the outline of both."""
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
    """A line for each of the scale's Wh, named in the greatest unit that all of them are whole in."""
    size, unit = next((size, unit) for size, unit in UNITS if scale.step % size == 0)
    return format_html_join(
        "",
        '<line x1="0" x2="100%" y1="{0}" y2="{0}" class="{1}"/><text x="-6" y="{0}" dy="4" class="watts">{2}</text>',
        (
            (scale.place(line), "grid" if line else "zero", f"{line // size:,} {unit}".replace("-", "−"))
            for line in scale.lines()
        ),
    )


def marks_legend(states: Sequence[State]) -> SafeString:
    """What the marks of these states mean; empty for none."""
    return format_html(
        '<ul class="legend power-legend" aria-label="Updates">{}</ul>' if states else "",
        format_html_join(
            "",
            '<li><svg width="14" height="14" aria-hidden="true" focusable="false">'
            '<path class="mark {}" d="{}" transform="translate(7 7)"/></svg> {}</li>',
            ((_class(state), MARKS[state], f"Update {state.label.lower()}") for state in states),
        ),
    )


def _mark(state: State, place: float, middle: int) -> str:
    """The mark of a state, around `place` per cent of the width."""
    path = f'<path class="mark {_class(state)}" d="{MARKS[state]}"/>'
    return f'<svg x="{place}%" y="{middle}" overflow="visible">{path}</svg>'


def _class(state: State) -> str:
    return state.value.replace(" ", "-")
