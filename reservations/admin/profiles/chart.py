"""The picture of what a profile reserves on a kind of day: bars over its ISPs, as SVG, made on the server.

As the Content-Security-Policy asks there are classes and attributes only. Bars lie in per cent of the width, words in
pixels, so that the picture takes any width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reservations.isps import calendar
from reservations.isps.clock_times import DayTimes, in_power, in_watts
from reservations.settlement.energy import of_watts

HEIGHT = 150
ABOVE = 14
"""Pixels kept free above the bars, for the highest line's words."""

BELOW = 22
"""Pixels below them, for the times."""

LINES = 4
HOURS = 3
"""A time is named every so many hours."""

NICE = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Scale:
    """The watts that a picture shows, from `low` to `high`, with a line at every `step`."""

    low: int
    high: int
    step: int

    def place(self, watts: int) -> float:
        """Where `watts` are, in pixels from the top."""
        return round(ABOVE + HEIGHT * (self.high - watts) / (self.high - self.low), 2)

    def lines(self) -> list[int]:
        return list(range(self.low, self.high + 1, self.step))


def scale_of(watts: Iterable[int]) -> Scale:
    """A scale that has 0 and all of `watts`, with few lines at round numbers."""
    found = [0, *watts]
    low, high = min(found), max(found)
    span = max(high - low, 1)
    step = next(
        nice * 10**digits for digits in range(16) for nice in NICE if nice * 10**digits * LINES >= span
    )
    low, high = low // step * step, -(-high // step) * step
    return Scale(low, max(high, low + step), step)


def stretches_of(watts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first ISP, last ISP, watts) of neighbours with the same power, those of 0 W left out."""
    first = 1
    for power, group in groupby(watts):
        many = len(list(group))
        if power:
            yield first, first + many - 1, power
        first += many


def summary(watts: Sequence[int], minutes: int) -> str:
    """What is reserved on a day, in a line: the energy of each direction for itself."""
    reserved = [power for power in watts if power]
    if not reserved:
        return "Nothing is reserved."
    least, most = min(reserved), max(reserved)
    power = in_watts(most) if least == most else f"{in_watts(least)} to {in_watts(most)}"
    return f"{power} in {len(reserved)} of {len(watts)} ISPs, {of_watts(watts, minutes)} a day."


def draw(key: str, title: str, watts: Sequence[int], times: DayTimes, scale: Scale) -> SafeString:
    """The picture of `watts`, one for each ISP of `times`; empty where nothing is reserved.

    `key` tells it apart from others of its page.
    """
    if not any(watts):
        return SafeString("")
    return format_html(
        '<div class="reserved"><svg role="img" height="{}" aria-labelledby="{key}-title {key}-about">'
        '<title id="{key}-title">{}</title><desc id="{key}-about">{}</desc>{}{}{}{}</svg></div>',
        ABOVE + HEIGHT + BELOW,
        title,
        f"{summary(watts, times.minutes)} {times.note}".strip(),
        changed_hours(times),
        grid(scale),
        _bars(watts, times, scale),
        times_below(times),
        key=key,
    )


def _bars(watts: Sequence[int], times: DayTimes, scale: Scale) -> SafeString:
    zero = scale.place(0)
    bars = []
    for first, last, power in stretches_of(watts):
        top = scale.place(power)
        bars.append(
            (
                f"{100 * (first - 1) / times.count:.4g}",
                min(top, zero),
                f"{100 * (last - first + 1) / times.count:.4g}",
                max(abs(zero - top), 1),
                "up" if power > 0 else "down",
                f"{_isps(first, last)}, {times.span(first, last)}: {in_watts(power)}",
            )
        )
    return format_html_join(
        "",
        '<rect x="{}%" y="{}" width="{}%" height="{}" class="{}"><title>{}</title></rect>',
        bars,
    )


def grid(scale: Scale) -> SafeString:
    """A line for each of the scale's, with its power."""
    return format_html_join(
        "",
        '<line x1="0" x2="100%" y1="{0}" y2="{0}" class="{1}"/><text x="-6" y="{0}" dy="4" class="watts">{2}</text>',
        ((scale.place(line), "grid" if line else "zero", in_power(line)) for line in scale.lines()),
    )


def times_below(times: DayTimes) -> SafeString:
    """A mark every few hours, each with its time; on a telephone every other time gives way."""
    bottom = ABOVE + HEIGHT
    named = []
    before: set[int] = set()
    for index, wall in enumerate((*times.walls, calendar.DAY)):
        if wall % (HOURS * calendar.HOUR) or wall in before:
            continue
        before.add(wall)
        place = round(100 * index / times.count, 3)
        anchor = "start" if not index else "end" if wall == calendar.DAY else "middle"
        gives_way = " gives-way" if wall % (2 * HOURS * calendar.HOUR) else ""
        named.append((place, bottom, bottom + 5, gives_way, bottom + 18, anchor, times.edges[index][:5]))
    return format_html_join(
        "",
        '<line x1="{0}%" x2="{0}%" y1="{1}" y2="{2}" class="tick"/>'
        '<text x="{0}%" y="{4}" text-anchor="{5}" class="time{3}">{6}</text>',
        named,
    )


def changed_hours(times: DayTimes) -> SafeString:
    """A band over the times that come twice, and a line where some do not come."""
    walls, drawn = times.walls, []
    for index, wall in enumerate(walls):
        if walls.count(wall) > 1:
            drawn.append((round(100 * index / times.count, 3), round(100 / times.count, 3), "twice"))
        elif index and wall - walls[index - 1] > times.minutes:
            drawn.append((round(100 * index / times.count, 3), 0.3, "skipped"))
    return format_html_join(
        "",
        '<rect x="{}%" y="{}" width="{}%" height="{}" class="{}"/>',
        ((left, ABOVE, width, HEIGHT, kind) for left, width, kind in drawn),
    )


def _isps(first: int, last: int) -> str:
    return f"ISP {first}" if first == last else f"ISPs {first}-{last}"
