"""A picture of lanes of bars over days: SVG that keeps to any width, in which text keeps its size.

Everything along the days is placed in per cent of the width, so that nothing is scaled. Looks are classes of
`cro_project/timeline.css`; standings differ by pattern as well as by colour.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import date
from textwrap import wrap

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.charts.lanes import Bar, Group, Window, ticks, window
from registry.periods import Days

NARROWEST = 0.6
"""Per cent of the width that a bar has at least, however few its days."""

WORD, LETTER = 4, 1.7
"""Per cent of the width that a word in a bar needs, and each of its letters besides, on a telephone."""

LINE, LINES = 46, 3
"""Letters in a line of a label, as a telephone has room for, and lines of a label."""

TODAY_ROW, TICK_ROW, HEADING, LABEL, BAR, GAP = 16, 18, 26, 18, 16, 10
"""Heights in pixels."""

LEGEND = {
    "effective": "Effective: these days count",
    "contested": "Contested: another holds these days",
    "refused": "Refused: these days were given to another",
}


def draw(title: str, description: str, groups: Sequence[Group], *, today: date) -> SafeString:
    """The picture: an SVG with `title` and `description`, an axis of days, today's line, and a legend below."""
    bars = [bar for group in groups for lane in group.lanes for bar in lane.bars]
    marked = [bar for group in groups for bar in group.marked]
    drawn = window([bar.days for bar in (*bars, *marked)], today)
    key = f"timeline-{secrets.token_hex(4)}"
    top = TODAY_ROW + TICK_ROW
    parts: list[SafeString] = []
    words: list[SafeString] = []
    for group in groups:
        part, said, top = _group(group, top, drawn, key)
        parts.append(part)
        words.append(said)
    height = top + TICK_ROW
    return format_html(
        '<div class="timeline"><svg class="lanes" role="group" width="100%" height="{}" '
        'aria-labelledby="{key}-title" aria-describedby="{key}-about">'
        '<title id="{key}-title">{}</title><desc id="{key}-about">{}</desc>{}{}{}{}{}</svg>{}</div>',
        height,
        title,
        description,
        _patterns(key),
        _axis(drawn, top),
        _joined(parts),
        _today(drawn, today, top),
        _joined(words),
        _legend({bar.look for bar in bars}, bool(marked), key),
        key=key,
    )


def _group(group: Group, top: int, drawn: Window, key: str) -> tuple[SafeString, SafeString, int]:
    """The picture of a group whose upper edge is at `top`, its words, and its lower edge.

    Words stand over all lines.
    """
    lanes: list[SafeString] = []
    words = [format_html('<text class="heading" x="0" y="{}">{}</text>', top + HEADING - 8, group.heading)]
    below = top + HEADING
    for lane in group.lanes:
        for line in wrap(lane.label, LINE, max_lines=LINES, placeholder=" …"):
            below += LABEL
            words.append(format_html('<text class="label" x="0" y="{}">{}</text>', below - 5, line))
        lanes += [_bar(bar, below, drawn, key) for bar in lane.bars]
        below += BAR + GAP
    if not group.lanes:
        words.append(format_html('<text class="label quiet" x="0" y="{}">none</text>', below + LABEL - 5))
        below += LABEL + GAP
    marks = [_mark(bar, top + HEADING, below - GAP // 2, drawn, key) for bar in group.marked]
    return _joined([*marks, *lanes]), _joined(words), below


def _bar(bar: Bar, top: int, drawn: Window, key: str) -> SafeString:
    left, width = _extent(bar.days, drawn)
    fill = format_html(' fill="url(#{}-{})"', key, bar.look) if bar.look == "contested" else ""
    word = (
        format_html('<text class="word" x="{}%" dx="6" y="{}">{}</text>', left, top + 12, bar.word)
        if width >= WORD + LETTER * len(bar.word)
        else ""
    )
    shape = format_html(
        '<rect class="bar {}" x="{}%" y="{}" width="{}%" height="{}" rx="2"{}/>{}{}',
        bar.look,
        left,
        top,
        width,
        BAR,
        fill,
        word,
        _goes_on(bar.days, top, drawn),
    )
    return _linked(bar, shape)


def _mark(bar: Bar, top: int, bottom: int, drawn: Window, key: str) -> SafeString:
    left, width = _extent(bar.days, drawn)
    shape = format_html(
        '<rect class="marked" x="{}%" y="{}" width="{}%" height="{}" fill="url(#{}-marked)"/>',
        left,
        top,
        width,
        bottom - top,
        key,
    )
    return _linked(bar, shape)


def _linked(bar: Bar, shape: SafeString) -> SafeString:
    if not bar.url:
        return format_html("<g><title>{}</title>{}</g>", bar.said, shape)
    return format_html(
        '<a href="{}" aria-label="{said}"><title>{said}</title>{}</a>', bar.url, shape, said=bar.said
    )


def _goes_on(days: Days, top: int, drawn: Window) -> SafeString:
    """Arrow heads where days go on beyond the picture."""
    said: list[SafeString] = []
    middle = BAR // 2
    if days.upper is None or days.upper > drawn.stop:
        said.append(
            format_html(
                '<svg class="arrow" x="100%" y="{}" overflow="visible"><path d="M-9 0L0 {}L-9 {}Z"/></svg>',
                top,
                middle,
                BAR,
            )
        )
    if days.lower is None or days.lower < drawn.first:
        said.append(
            format_html(
                '<svg class="arrow" x="0" y="{}" overflow="visible"><path d="M9 0L0 {}L9 {}Z"/></svg>',
                top,
                middle,
                BAR,
            )
        )
    return _joined(said)


def _extent(days: Days, drawn: Window) -> tuple[float, float]:
    """Where days begin, and how wide they are, in per cent of the width; never out of sight."""
    left = drawn.place(days.lower) if days.lower else 0.0
    right = drawn.place(days.upper)
    width = max(right - left, NARROWEST)
    return round(min(left, 100 - width), 3), round(width, 3)


def _axis(drawn: Window, bottom: int) -> SafeString:
    """A line for each tick, named above the lanes and below them; on a telephone some names give way."""
    drawing = []
    for number, (day, name) in enumerate(ticks(drawn)):
        place = round(drawn.place(day), 3)
        gives_way = number % 2 or not len(name) <= place <= 100 - len(name)
        drawing.append(
            format_html(
                '<line class="tick" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
                '<text class="{3}" x="{0}%" y="12" text-anchor="{4}">{5}</text>'
                '<text class="{3}" x="{0}%" y="{6}" text-anchor="{4}">{5}</text>',
                place,
                TICK_ROW,
                bottom,
                "day gives-way" if gives_way else "day",
                _anchor(place, 3),
                name,
                bottom + TICK_ROW - 4,
            )
        )
    return _joined(drawing)


def _today(drawn: Window, today: date, bottom: int) -> SafeString:
    place = drawn.place(today)
    return format_html(
        '<line class="today" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
        '<text class="today" x="{0}%" y="{3}" text-anchor="{4}">today, {5}</text>',
        round(place, 3),
        TICK_ROW + TODAY_ROW,
        bottom,
        TICK_ROW + 12,
        _anchor(place, 15),
        today.isoformat(),
    )


def _anchor(place: float, edge: float) -> str:
    """Where a text at `place` (per cent) is held, so that it stays within the picture."""
    return "start" if place < edge else "end" if place > 100 - edge else "middle"


def _patterns(key: str) -> SafeString:
    return format_html(
        '<defs><pattern id="{0}-contested" class="contested" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<rect width="8" height="8"/><path d="M-2 2L2 -2M0 8L8 0M6 10L10 6"/></pattern>'
        '<pattern id="{0}-marked" class="marked" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<rect width="6" height="6"/><circle cx="2" cy="2" r="0.9"/></pattern></defs>',
        key,
    )


def _legend(looks: Iterable[str], any_marked: bool, key: str) -> SafeString:
    found = set(looks)
    shown = [(look, said, look == "contested") for look, said in LEGEND.items() if look in found]
    if any_marked:
        shown.append(("marked", "Days of a conflict", True))
    if not shown:
        return SafeString()
    return format_html(
        '<ul class="legend">{}</ul>',
        format_html_join(
            "",
            '<li><svg width="26" height="14" aria-hidden="true" focusable="false">'
            '<rect class="bar {}" x="1" y="1" width="24" height="12" rx="2"{}/></svg> {}</li>',
            (
                (look, format_html(' fill="url(#{}-{})"', key, look) if patterned else "", said)
                for look, said, patterned in shown
            ),
        ),
    )


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))
