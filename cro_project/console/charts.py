"""Bars as SVG, made on the server: classes and attributes only, as the Content-Security-Policy asks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 440
LINE = 38
"""Units of height that one bar takes, with the label above it."""

BAR = 13
END = 60
"""Units kept free at the end of the longest bar, for its number."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`parts`: (class of console.css that colours it, how many), from left to right."""

    label: str
    parts: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(many for _, many in self.parts)


def bars(name: str, title: str, rows: Sequence[Bar], key: Iterable[tuple[str, str]] = ()) -> SafeString:
    """A picture of `rows`, longest first or as given, with `title` as its text alternative; empty without rows.

    `name` tells it apart from other pictures of a page. `key`: (class, what it stands for). The figures themselves
    stand in a table beside it.
    """
    if not rows:
        return SafeString("")
    longest = max(row.total for row in rows) or 1
    drawn = format_html_join("", "{}", ((_bar(row, place, longest),) for place, row in enumerate(rows)))
    keys = format_html_join("", '<li class="{}">{}</li>', key)
    return format_html(
        '<figure class="chart">{}<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title">'
        '<title id="{}-title">{}</title>{}</svg></figure>',
        format_html('<ul class="key">{}</ul>', keys) if keys else "",
        WIDTH,
        LINE * len(rows),
        name,
        name,
        title,
        drawn,
    )


def share(many: int, most: int) -> SafeString:
    """A bar for `many`, beside the number itself; it takes the whole width for `most`, the largest in its column."""
    if not many:
        return SafeString("")
    return format_html(
        '<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="0" y="0" width="{}" height="10"></rect></svg>',
        f"{max(100 * many / most, 1):.1f}",
    )


def _bar(row: Bar, place: int, longest: int) -> SafeString:
    """One bar: its label above, its parts, and their sum at its end."""
    top = LINE * place
    left = 0.0
    parts = []
    for kind, many in row.parts:
        if many:
            width = max((WIDTH - END) * many / longest, 1.5)
            parts.append((kind, f"{left:.1f}", top + 18, f"{width:.1f}", BAR))
            left += width
    return format_html(
        '<text x="0" y="{}">{}</text>{}<text x="{}" y="{}">{}</text>',
        top + 13,
        row.label,
        format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"></rect>', parts),
        f"{left + 5:.1f}",
        top + 18 + BAR - 2,
        f"{row.total:,}",
    )
