"""The picture of a contract's day: what is contracted, what of it remains reserved, and what was released.

SVG that takes any width: along the day everything is placed in per cent of it, so that words keep their size. Looks are
classes; what was released differs from what remains by pattern as well as by colour.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

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
from reservations.isps.clock_times import in_watts
from reservations.settlement.energy import Totals
from reservations.settlement.remaining import Counting, DayFigures, Run

LEGEND = (
    ("remaining", "Remains reserved"),
    ("released", "Released"),
    ("contracted", "Contracted"),
)

UrlOf = Callable[[Counting], str]
"""Where an update's page is; empty where who looks may not see it."""


def draw(title: str, day: DayFigures, totals: Totals, *, deadline: datetime, url_of: UrlOf) -> SafeString:
    """The picture of `day`, with its legend below; a deadline (aware) that lies within the day is marked in it."""
    version = day.version
    times = clock_times.of_day(day.day, version.isp_minutes, version.time_zone)
    scale = scale_of(day.contracted)
    key = f"day-{secrets.token_hex(4)}"
    about = (
        f"Contracted {totals.contracted}, remaining {totals.remaining}, released {totals.released}. "
        "The table below says the same."
    )
    return format_html(
        '<div class="days-power with-watts"><svg role="group" width="100%" height="{}" '
        'aria-labelledby="{key}-title" aria-describedby="{key}-about">'
        '<title id="{key}-title">{}</title><desc id="{key}-about">{}</desc>{}{}{}{}{}{}{}</svg></div>{}',
        ABOVE + HEIGHT + BELOW,
        title,
        about,
        pattern(key),
        changed_hours(times),
        grid(scale),
        joined(_run(run, times, scale, key, url_of) for run in day.runs() if run.contracted),
        _outline(day, scale),
        times_below(times),
        _deadline(day, deadline),
        legend(key),
        key=key,
    )


def pattern(key: str) -> SafeString:
    """The pattern of what was released, `key`-released in the page."""
    return format_html(
        '<defs><pattern id="{}-released" class="released" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<rect width="8" height="8"/><path d="M-2 2L2 -2M0 8L8 0M6 10L10 6"/></pattern></defs>',
        key,
    )


def legend(key: str) -> SafeString:
    """What the looks of the parts mean."""
    return format_html(
        '<ul class="legend power-legend">{}</ul>',
        format_html_join(
            "",
            '<li><svg width="26" height="14" aria-hidden="true" focusable="false">'
            '<rect class="{}" x="1" y="1" width="24" height="12"{}/></svg> {}</li>',
            ((look, fill(look, key), said) for look, said in LEGEND),
        ),
    )


def words(run: Run, times: clock_times.DayTimes) -> str:
    """`ISPs 33-40, 08:00–10:00: contracted 500 W, remaining 200 W, released 300 W by R-17`."""
    numbers = "".join(calendar.in_words(range(run.first, run.last + 1)))
    by = f" by {run.by.reference or 'an update'}" if run.by else ""
    return (
        f"{'ISP' if run.first == run.last else 'ISPs'} {numbers}, {times.span(run.first, run.last)}: "
        f"contracted {in_watts(run.contracted)}, remaining {in_watts(run.remaining)}, "
        f"released {in_watts(run.released)}{by}"
    )


def _run(run: Run, times: clock_times.DayTimes, scale: Scale, key: str, url_of: UrlOf) -> SafeString:
    parts = joined(
        _bar(run, times.count, look, scale.place(begin), scale.place(end), key)
        for look, begin, end in (("remaining", 0, run.remaining), ("released", run.remaining, run.contracted))
        if begin != end
    )
    said, url = words(run, times), url_of(run.by) if run.by else ""
    if not url:
        return format_html("<g><title>{}</title>{}</g>", said, parts)
    return format_html('<a href="{}" aria-label="{said}"><title>{said}</title>{}</a>', url, parts, said=said)


def _bar(run: Run, count: int, look: str, begin: float, end: float, key: str) -> SafeString:
    return format_html(
        '<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"{}/>',
        look,
        percent(run.first - 1, count),
        min(begin, end),
        percent(run.last - run.first + 1, count),
        round(abs(begin - end), 2),
        fill(look, key),
    )


def _outline(day: DayFigures, scale: Scale) -> SafeString:
    """The contracted profile: a line over each run of the same power, and one at each step."""
    count, before, drawn = len(day.contracted), 0, []
    for index, watts in enumerate([*day.contracted, 0]):
        place = percent(index, count)
        if watts != before:
            drawn.append((place, place, scale.place(before), scale.place(watts)))
        if watts and index < count:
            drawn.append((place, percent(index + 1, count), scale.place(watts), scale.place(watts)))
        before = watts
    return format_html_join("", '<line class="contracted" x1="{}%" x2="{}%" y1="{}" y2="{}"/>', _level(drawn))


def _level(lines: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """Level lines that follow each other at the same height as one."""
    found: list[tuple[float, float, float, float]] = []
    for line in lines:
        last = found[-1] if found else None
        if last and last[2] == last[3] == line[2] == line[3] and last[1] == line[0]:
            found[-1] = (last[0], line[1], line[2], line[3])
        else:
            found.append(line)
    return found


def _deadline(day: DayFigures, deadline: datetime) -> SafeString:
    """A line at the deadline; nothing where it lies on another day, as most do."""
    version = day.version
    starts = calendar.starts(day.day, version.isp_minutes, version.time_zone)
    length = timedelta(minutes=version.isp_minutes) * len(starts)
    share = (deadline - starts[0]) / length
    if not 0 < share < 1:
        return SafeString()
    place = round(100 * share, 3)
    at = deadline.astimezone(ZoneInfo(version.time_zone))
    return format_html(
        '<line class="deadline" x1="{0}%" x2="{0}%" y1="0" y2="{1}"/>'
        '<text class="deadline" x="{0}%" dx="{2}" y="10" text-anchor="{3}">deadline {4}</text>',
        place,
        ABOVE + HEIGHT,
        5 if place < 50 else -5,
        "start" if place < 50 else "end",
        f"{at:%H:%M}",
    )


def joined(parts: Iterable[SafeString]) -> SafeString:
    """Pieces of a picture, one after the other."""
    return format_html_join("", "{}", ((part,) for part in parts))


def percent(part: float, whole: float) -> float:
    """For a picture, in per cent of its width."""
    return round(100 * part / whole, 3)


def fill(look: str, key: str) -> SafeString | str:
    """The attribute that gives what was released its pattern; empty for other looks."""
    return format_html(' fill="url(#{}-released)"', key) if look == "released" else ""
