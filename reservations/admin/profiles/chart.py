"""Draw what a profile reserves on a kind of day: bars over its ISPs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, line, percent, rect, text
from reservations.isps import calendar
from reservations.isps.clock_times import DayTimes, in_power, in_watts
from reservations.settlement.energy import of_watts

HEIGHT = 150
ABOVE = 14
"""Pixels kept free above the bars, for the label of the highest line."""

BELOW = 22
"""Pixels below them, for the times."""

LINES = 4
HOURS = 3
"""A time is named every so many hours."""

NICE = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Scale:
    """The values that a chart shows, watts or watt-hours: from `low` to `high`, with a line at every `step`."""

    low: int
    high: int
    step: int

    def place(self, value: int) -> float:
        """Return where `value` is, in pixels from the top."""
        return round(ABOVE + HEIGHT * (self.high - value) / (self.high - self.low), 2)

    def lines(self) -> list[int]:
        """Return the values of the lines of the grid."""
        return list(range(self.low, self.high + 1, self.step))


def scale_of(values: Iterable[int]) -> Scale:
    """Return a scale that has 0 and all of `values`, with few lines at round numbers."""
    found = [0, *values]
    low, high = min(found), max(found)
    span = max(high - low, 1)
    step = next(
        nice * 10**digits for digits in range(16) for nice in NICE if nice * 10**digits * LINES >= span
    )
    low, high = low // step * step, -(-high // step) * step
    return Scale(low, max(high, low + step), step)


def stretches_of(watts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first ISP, last ISP, watts) of neighbours with the same power, without those of 0 W."""
    first = 1
    for power, group in groupby(watts):
        count = len(list(group))
        if power:
            yield first, first + count - 1, power
        first += count


def summary(watts: Sequence[int], minutes: int) -> str:
    """Return what is reserved on a day, in a line, with the energy of each direction."""
    reserved = [power for power in watts if power]
    if not reserved:
        return "Nothing is reserved."
    least, most = min(reserved), max(reserved)
    power = in_watts(most) if least == most else f"{in_watts(least)} to {in_watts(most)}"
    return f"{power} in {len(reserved)} of {len(watts)} ISPs, {of_watts(watts, minutes)} a day."


def draw(key: str, title: str, watts: Sequence[int], times: DayTimes, scale: Scale) -> SafeString:
    """Return the chart of `watts`, one for each ISP of `times`; empty where nothing is reserved.

    `key` is unique in the page.
    """
    if not any(watts):
        return SafeString("")
    chart = svg.chart(
        key,
        title,
        changed_hours(times),
        grid(scale, in_power),
        *_bars(watts, times, scale),
        times_below(times),
        description=f"{summary(watts, times.minutes)} {times.note}".strip(),
        role="img",
        height=ABOVE + HEIGHT + BELOW,
    )
    return format_html('<div class="reserved">{}</div>', chart)


def _bars(watts: Sequence[int], times: DayTimes, scale: Scale) -> Iterator[SafeString]:
    zero = scale.place(0)
    for first, last, power in stretches_of(watts):
        top = scale.place(power)
        yield rect(
            "up" if power > 0 else "down",
            percent(first - 1, times.count),
            min(top, zero),
            percent(last - first + 1, times.count),
            max(abs(zero - top), 1),
            element("title", f"{_isps(first, last)}, {times.span(first, last)}: {in_watts(power)}"),
        )


def grid(scale: Scale, label_of: Callable[[int], str]) -> SafeString:
    """Return a line for each of the scale's, with its label."""
    drawn = []
    for value in scale.lines():
        y = scale.place(value)
        drawn.append(line("grid" if value else "zero", 0, y, "100%", y))
        drawn.append(text("watts", -6, y, label_of(value), dy=4))
    return svg.joined(drawn)


def times_below(times: DayTimes) -> SafeString:
    """Return a mark every few hours, each with its time; a telephone leaves out every other time."""
    bottom = ABOVE + HEIGHT
    drawn = []
    before: set[int] = set()
    for index, wall in enumerate((*times.clock_minutes, calendar.DAY)):
        if wall % (HOURS * calendar.HOUR) or wall in before:
            continue
        before.add(wall)
        x = percent(index, times.count)
        look = "time optional" if wall % (2 * HOURS * calendar.HOUR) else "time"
        anchor = "start" if not index else "end" if wall == calendar.DAY else "middle"
        drawn.append(line("tick", x, bottom, x, bottom + 5))
        drawn.append(text(look, x, bottom + 18, times.boundaries[index][:5], text_anchor=anchor))
    return svg.joined(drawn)


def changed_hours(times: DayTimes) -> SafeString:
    """Return a band over the times that come twice, and a line where some do not come."""
    walls, drawn = times.clock_minutes, []
    for index, wall in enumerate(walls):
        x = percent(index, times.count)
        if walls.count(wall) > 1:
            drawn.append(rect("twice", x, ABOVE, percent(1, times.count), HEIGHT))
        elif index and wall - walls[index - 1] > times.minutes:
            drawn.append(rect("skipped", x, ABOVE, "0.3%", HEIGHT))
    return svg.joined(drawn)


def _isps(first: int, last: int) -> str:
    return f"ISP {first}" if first == last else f"ISPs {first}-{last}"
