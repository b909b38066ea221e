"""Draw a contract's day: what is contracted, what of it remains reserved, and what was released.

What was released differs from what remains by pattern as well as by colour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import svg
from common.svg import line, percent, rect, text
from reservations.admin.profiles.chart import (
    ABOVE,
    BELOW,
    HEIGHT,
    Scale,
    changed_hours,
    grid,
    scale_of,
    times_below,
)
from reservations.isps import calendar, clock_times
from reservations.isps.clock_times import in_power, in_watts
from reservations.settlement.energy import Totals
from reservations.settlement.remaining import CountingUpdate, DayFigures, Run

LEGEND = (
    ("remaining", "Remains reserved"),
    ("released", "Released"),
    ("contracted", "Contracted"),
)

UrlOf = Callable[[CountingUpdate], str]
"""Return where an update's page is; empty where the viewer may not see it."""


def draw(title: str, day: DayFigures, totals: Totals, *, deadline: datetime, url_of: UrlOf) -> SafeString:
    """Return the chart of `day`, with its legend below.

    A deadline (aware) that lies within the day is marked in it.
    """
    version = day.version
    times = clock_times.of_day(day.day, version.isp_minutes, version.time_zone)
    scale = scale_of(day.contracted)
    key = svg.unique_key("day")
    chart = svg.chart(
        key,
        title,
        pattern(key),
        changed_hours(times),
        grid(scale, in_power),
        *(_run(run, times, scale, key, url_of) for run in day.runs() if run.contracted),
        _outline(day, scale),
        times_below(times),
        _deadline(day, deadline),
        description=f"Contracted {totals.contracted}, remaining {totals.remaining}, released {totals.released}. "
        "The table below says the same.",
        width="100%",
        height=ABOVE + HEIGHT + BELOW,
    )
    return format_html('<div class="days-power with-watts">{}</div>{}', chart, legend(key))


def pattern(key: str) -> SafeString:
    """Return the pattern of what was released, `key`-released in the page."""
    return svg.hatching(f"{key}-released", "released")


def legend(key: str) -> SafeString:
    """Return what the looks of the parts mean."""
    icons = ((rect(look, 1, 1, 24, 12, fill=fill(look, key)), words) for look, words in LEGEND)
    return svg.legend(icons, width=26, class_="legend power-legend")


def words(run: Run, times: clock_times.DayTimes) -> str:
    """Return, for example, `ISPs 33-40, 08:00–10:00: contracted 500 W, remaining 200 W, released 300 W by R-17`."""
    numbers = "".join(calendar.in_words(range(run.first, run.last + 1)))
    by = f" by {run.source.reference or 'an update'}" if run.source else ""
    return (
        f"{'ISP' if run.first == run.last else 'ISPs'} {numbers}, {times.span(run.first, run.last)}: "
        f"contracted {in_watts(run.contracted)}, remaining {in_watts(run.remaining)}, "
        f"released {in_watts(run.released)}{by}"
    )


def _run(run: Run, times: clock_times.DayTimes, scale: Scale, key: str, url_of: UrlOf) -> SafeString:
    bars = [
        rect(
            look,
            percent(run.first - 1, times.count),
            min(scale.place(begin), scale.place(end)),
            percent(run.last - run.first + 1, times.count),
            abs(scale.place(begin) - scale.place(end)),
            fill=fill(look, key),
        )
        for look, begin, end in (("remaining", 0, run.remaining), ("released", run.remaining, run.contracted))
        if begin != end
    ]
    return svg.titled(words(run, times), *bars, url=url_of(run.source) if run.source else "")


def _outline(day: DayFigures, scale: Scale) -> SafeString:
    """Return the contracted profile: a line over each run of the same power, and one at each step."""
    count, index, before, drawn = len(day.contracted), 0, scale.place(0), []
    for watts, run in groupby([*day.contracted, 0]):
        left, level = percent(index, count), scale.place(watts)
        index += len(list(run))
        if level != before:
            drawn.append(line("contracted", left, before, left, level))
        if watts:
            drawn.append(line("contracted", left, level, percent(index, count), level))
        before = level
    return svg.joined(drawn)


def _deadline(day: DayFigures, deadline: datetime) -> SafeString:
    """Return a line at the deadline; empty where it lies on another day, as most do."""
    version = day.version
    starts = calendar.starts(day.day, version.isp_minutes, version.time_zone)
    share = (deadline - starts[0]) / (timedelta(minutes=version.isp_minutes) * len(starts))
    if not 0 < share < 1:
        return SafeString()
    at = deadline.astimezone(ZoneInfo(version.time_zone))
    x = percent(share, 1)
    dx, anchor = (5, "start") if share < 0.5 else (-5, "end")
    words = text("deadline", x, 10, f"deadline {at:%H:%M}", dx=dx, text_anchor=anchor)
    return line("deadline", x, 0, x, ABOVE + HEIGHT) + words


def fill(look: str, key: str) -> str | None:
    """Return the pattern of what was released; None for other looks, which are colours."""
    return f"url(#{key}-released)" if look == "released" else None
