"""Draw lanes of bars over days.

The classes are those of `cro_project/timeline.css`. Standings differ by pattern as well as by colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from textwrap import wrap

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, line, percent, rect, text
from registry.charts.lanes import Bar, Group, Window, ticks, window
from registry.periods import Days

NARROWEST = 0.6
"""Per cent of the width that a bar has at least, however few its days."""

LABEL_MARGIN, LETTER = 4, 1.7
"""Per cent of the width that a bar's label needs, and each of its letters besides, on a telephone."""

LINE, LINES = 46, 3
"""Letters in a line of a label, as a telephone has room for, and lines of a label."""

TODAY_ROW, TICK_ROW, HEADING, LABEL, BAR, GAP = 16, 18, 26, 20, 16, 10
"""Heights in pixels."""

RAISE = 8
"""Pixels from the baseline of a label down to its bar: room for descenders and the stroke around the letters."""

LEGEND = {
    "effective": "Effective: these days count",
    "contested": "Contested: another holds these days",
    "refused": "Refused: these days were given to another",
}


def draw(title: str, description: str, groups: Sequence[Group], *, today: date) -> SafeString:
    """Return the chart: `groups` below each other, an axis of days, a line at today, and a legend below."""
    bars = [bar for group in groups for lane in group.lanes for bar in lane.bars]
    marked = [bar for group in groups for bar in group.marked]
    drawn = window([bar.days for bar in (*bars, *marked)], today)
    key = svg.unique_key("timeline")
    bottom = TODAY_ROW + TICK_ROW
    shapes: list[SafeString] = []
    texts: list[SafeString] = []
    for group in groups:
        bottom = _add_group(group, bottom, drawn, key, shapes, texts)
    chart = svg.chart(
        key,
        title,
        _patterns(key),
        _axis(drawn, bottom),
        *shapes,
        _today(drawn, today, bottom),
        *texts,
        description=description,
        class_="lanes",
        width="100%",
        height=bottom + TICK_ROW,
    )
    return format_html(
        '<div class="timeline">{}{}</div>', chart, _legend({bar.style for bar in bars}, bool(marked), key)
    )


def _add_group(
    group: Group, top: int, drawn: Window, key: str, shapes: list[SafeString], texts: list[SafeString]
) -> int:
    """Add the parts of a group whose upper edge is at `top`, and return its lower edge.

    Texts are apart from shapes, because they are drawn over all lines.
    """
    texts.append(text("heading", 0, top + HEADING - 8, group.heading))
    bottom = top + HEADING
    bars: list[SafeString] = []
    for lane in group.lanes:
        for words in wrap(lane.label, LINE, max_lines=LINES, placeholder=" …"):
            bottom += LABEL
            texts.append(text("label", 0, bottom - RAISE, words))
        bars += [_bar(bar, bottom, drawn, key) for bar in lane.bars]
        bottom += BAR + GAP
    if not group.lanes:
        texts.append(text("label quiet", 0, bottom + LABEL - 5, "none"))
        bottom += LABEL + GAP
    marks = [_mark(bar, top + HEADING, bottom - GAP // 2, drawn, key) for bar in group.marked]
    shapes += [*marks, *bars]
    return bottom


def _bar(bar: Bar, top: int, drawn: Window, key: str) -> SafeString:
    left, width = _extent(bar.days, drawn)
    x, fill = percent(left), _fill(bar.style, key)
    return svg.titled(
        bar.tooltip,
        rect(f"bar {bar.style}", x, top, percent(width), BAR, rx=2, fill=fill),
        text("word", x, top + 12, bar.label, dx=_inset(bar.days, drawn))
        if width >= LABEL_MARGIN + LETTER * len(bar.label)
        else "",
        _arrows(bar.days, top, drawn),
        url=bar.url,
    )


def _inset(days: Days, drawn: Window) -> int:
    """Return how far from its bar's beginning a label begins, in pixels: behind the arrow head, where there is one."""
    return 16 if days.lower is None or days.lower < drawn.first else 6


def _mark(bar: Bar, top: int, bottom: int, drawn: Window, key: str) -> SafeString:
    left, width = _extent(bar.days, drawn)
    fill = _fill("marked", key)
    shape = rect("marked", percent(left), top, percent(width), bottom - top, fill=fill)
    return svg.titled(bar.tooltip, shape, url=bar.url)


def _arrows(days: Days, top: int, drawn: Window) -> SafeString:
    """Return arrow heads where days go on beyond the chart."""
    ends = []
    if days.upper is None or days.upper > drawn.stop:
        ends.append(("100%", -9))
    if days.lower is None or days.lower < drawn.first:
        ends.append(("0", 9))
    return svg.joined(
        element(
            "svg",
            element("path", d=f"M{back} 0L0 {BAR // 2}L{back} {BAR}Z"),
            class_="arrow",
            x=x,
            y=top,
            overflow="visible",
        )
        for x, back in ends
    )


def _extent(days: Days, drawn: Window) -> tuple[float, float]:
    """Return where days begin and how wide they are, in per cent of the width; never out of sight."""
    left = drawn.place(days.lower) if days.lower else 0.0
    right = drawn.place(days.upper)
    width = max(right - left, NARROWEST)
    return min(left, 100 - width), width


def _axis(drawn: Window, bottom: int) -> SafeString:
    """Return a line for each tick, named above the lanes and below them; a telephone leaves out some names."""
    drawing = []
    for number, (day, name) in enumerate(ticks(drawn)):
        place = drawn.place(day)
        x, anchor = percent(place), _anchor(place, 3)
        optional = number % 2 or not len(name) <= place <= 100 - len(name)
        drawing.append(line("tick", x, TICK_ROW, x, bottom))
        for y in (12, bottom + TICK_ROW - 4):
            drawing.append(text("day optional" if optional else "day", x, y, name, text_anchor=anchor))
    return svg.joined(drawing)


def _today(drawn: Window, today: date, bottom: int) -> SafeString:
    place = drawn.place(today)
    x, anchor = percent(place), _anchor(place, 15)
    words = text("today", x, TICK_ROW + 12, f"today, {today}", text_anchor=anchor)
    return line("today", x, TICK_ROW + TODAY_ROW, x, bottom) + words


def _anchor(place: float, edge: float) -> str:
    """Return where a text at `place` (per cent) is held, so that it stays within the chart."""
    return "start" if place < edge else "end" if place > 100 - edge else "middle"


def _patterns(key: str) -> SafeString:
    dot = element("circle", cx=2, cy=2, r=0.9)
    return svg.hatching(f"{key}-contested", "contested") + svg.pattern(f"{key}-marked", "marked", 6, dot)


def _fill(style: str, key: str) -> str | None:
    """Return the pattern of a style; None where the style is a colour."""
    return f"url(#{key}-{style})" if style in ("contested", "marked") else None


def _legend(styles: Iterable[str], any_marked: bool, key: str) -> SafeString:
    found = set(styles)
    entries = [(style, words) for style, words in LEGEND.items() if style in found]
    if any_marked:
        entries.append(("marked", "Days of a conflict"))
    icons = [
        (rect(f"bar {style}", 1, 1, 24, 12, rx=2, fill=_fill(style, key)), words) for style, words in entries
    ]
    return svg.legend(icons, width=26) if icons else SafeString()
