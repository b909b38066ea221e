"""Draw bars on the dashboard."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, rect

WIDTH = 440
LINE = 38
"""Units of height that one bar takes, with the label above it."""

BAR = 13
END = 60
"""Units kept free at the end of the longest bar, for its total."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of `parts`, from left to right: (class of console.css that colours it, number)."""

    label: str
    parts: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(number for _, number in self.parts)


def bars(name: str, title: str, rows: Sequence[Bar], key: Iterable[tuple[str, str]] = ()) -> SafeString:
    """Return a picture of `rows`, in their order, with `title` as its text alternative; empty without rows.

    The figures themselves stand in a table beside it.

    Args:
        name: Unique in the page.
        title: The text alternative.
        rows: The bars, from top to bottom.
        key: Pairs of a class and what it stands for.
    """
    if not rows:
        return SafeString("")
    longest = max(row.total for row in rows) or 1
    keys = format_html_join("", '<li class="{}">{}</li>', key)
    picture = svg.picture(
        name,
        title,
        *(part for place, row in enumerate(rows) for part in _bar(row, LINE * place, longest)),
        role="img",
        viewBox=f"0 0 {WIDTH} {LINE * len(rows)}",
    )
    return format_html(
        '<figure class="chart">{}{}</figure>',
        format_html('<ul class="key">{}</ul>', keys) if keys else "",
        picture,
    )


def share(number: int, most: int) -> SafeString:
    """Return a bar for a number that stands beside it; it takes the whole width for `most`."""
    if not number:
        return SafeString("")
    return element(
        "svg",
        element("rect", x=0, y=0, width=max(100 * number / most, 1), height=10),
        class_="share",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _bar(row: Bar, top: int, longest: int) -> Iterator[SafeString]:
    """Yield the label above a bar, its parts, and their total at its end."""
    left = 0.0
    yield element("text", row.label, x=0, y=top + 13)
    for kind, number in row.parts:
        if number:
            width = max((WIDTH - END) * number / longest, 1.5)
            yield rect(kind, left, top + 18, width, BAR)
            left += width
    yield element("text", f"{row.total:,}", x=left + 5, y=top + 18 + BAR - 2)
