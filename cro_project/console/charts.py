"""Draw the bar charts of the dashboard."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, rect

WIDTH = 440
LINE = 38
"""Height of one bar with the label above it, in units of the viewBox."""

BAR = 13
END = 60
"""Free width after the longest bar, for its total, in units of the viewBox."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with a label. `parts` are its parts from left to right: the CSS class of the colour, and the number."""

    label: str
    parts: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(number for _, number in self.parts)


def bars(name: str, title: str, rows: Sequence[Bar], key: Iterable[tuple[str, str]] = ()) -> SafeString:
    """Return a bar chart of `rows`; empty if there are none. The page has the numbers in a table beside it.

    Args:
        name: An identifier that is unique on the page.
        title: The text alternative.
        rows: The bars, from top to bottom.
        key: The legend: pairs of a CSS class and its meaning.
    """
    if not rows:
        return SafeString("")
    longest = max(row.total for row in rows) or 1
    keys = format_html_join("", '<li class="{}">{}</li>', key)
    chart = svg.chart(
        name,
        title,
        *(part for place, row in enumerate(rows) for part in _bar(row, LINE * place, longest)),
        role="img",
        viewBox=f"0 0 {WIDTH} {LINE * len(rows)}",
    )
    return format_html(
        '<figure class="chart">{}{}</figure>',
        format_html('<ul class="key">{}</ul>', keys) if keys else "",
        chart,
    )


def share(number: int, maximum: int) -> SafeString:
    """Return a bar for `number`. A bar for `maximum` has the whole width."""
    if not number:
        return SafeString("")
    return element(
        "svg",
        element("rect", x=0, y=0, width=max(100 * number / maximum, 1), height=10),
        class_="share",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _bar(row: Bar, top: int, longest: int) -> Iterator[SafeString]:
    """Yield the label above a bar, the parts of the bar, and the total after it."""
    left = 0.0
    yield element("text", row.label, x=0, y=top + 13)
    for kind, number in row.parts:
        if number:
            width = max((WIDTH - END) * number / longest, 1.5)
            yield rect(kind, left, top + 18, width, BAR)
            left += width
    yield element("text", f"{row.total:,}", x=left + 5, y=top + 18 + BAR - 2)
