"""Draw a chart of seconds against size as SVG, with logarithmic axes, and a background for any page."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from benchmarks.reporting.figures import Series, amount

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 56, 60
COLOURS = ("#1f5fa8", "#b4540a", "#3d7a3d")
INK, PALE, GROUND = "#1b1f24", "#c9ced6", "#ffffff"


def chart(title: str, across: str, series: Sequence[Series]) -> str:
    """Return the SVG; each point has its seconds beside it."""
    sizes = [size for one in series for size, _ in one.points]
    seconds = [value for one in series for _, value in one.points]
    low_x, high_x = log10(min(sizes)), log10(max(sizes))
    low_y, high_y = floor(log10(min(seconds))), max(ceil(log10(max(seconds))), floor(log10(min(seconds))) + 1)

    def x(size: float) -> float:
        spread = (log10(size) - low_x) / (high_x - low_x) if high_x > low_x else 0.5
        return LEFT + 60 + spread * (WIDTH - LEFT - RIGHT - 130)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (log10(value) - low_y) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_in_words(series))}</desc>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{GROUND}" stroke="{PALE}"/>',
        _text(LEFT, 30, title, size=16, weight="bold"),
    ]
    for power in range(low_y, high_y + 1):
        place = y(10**power)
        parts.append(
            f'<line x1="{LEFT}" y1="{place:.1f}" x2="{WIDTH - RIGHT}" y2="{place:.1f}" stroke="{PALE}"/>'
        )
        parts.append(_text(LEFT - 8, place + 4, f"{10**power:g} s", anchor="end"))
    for size in sorted(set(sizes)):
        parts.append(_text(x(size), HEIGHT - BOTTOM + 20, f"{size:,.0f}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across, anchor="middle"))
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in one.points)
        dashes = ' stroke-dasharray="6 4"' if number % 2 else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"{dashes}/>')
        for size, value in one.points:
            parts.append(f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="4" fill="{colour}"/>')
            aside, along, anchor = (9, 17, "start") if number % 2 else (-7, -8, "end")
            parts.append(
                _text(x(size) + aside, y(value) + along, f"{amount(value)} s", colour, anchor=anchor)
            )
        parts.append(
            _text(LEFT + 12, TOP + 14 + 20 * number, f"{'- -' if number % 2 else '—'} {one.name}", colour)
        )
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float,
    y: float,
    text: str,
    colour: str = INK,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _in_words(series: Sequence[Series]) -> str:
    return "; ".join(
        f"{one.name}: {', '.join(f'{size:,.0f} in {amount(value)} s' for size, value in one.points)}"
        for one in series
    )
