"""Build charts as SVG text: elements with everything in them escaped.

The Content-Security-Policy forbids inline styles, so looks are classes. A chart that must fit any width has its
places along the width in per cent and its heights in pixels: nothing is scaled, and text keeps its size.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import cache
from html import escape

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Length = str | float
"""Pixels, or a percentage of the width as a string."""

Attribute = Length | None


def element(name: str, *content: str, **attributes: Attribute) -> SafeString:
    """Return an SVG element with `content` inside.

    Args:
        name: The element's name, such as `rect`.
        content: Text, which is escaped, and elements.
        attributes: In their names, an underscore stands for a hyphen, and one at the end (`class_`) is dropped.
            An attribute that is None is left out.
    """
    written = "".join(
        [f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None]
    )
    return SafeString(f"<{name}{written}>{joined(content)}</{name}>" if content else f"<{name}{written}/>")


def joined(parts: Iterable[str]) -> SafeString:
    """Return parts of a chart, one after the other."""
    return SafeString("".join([part if isinstance(part, SafeString) else escape(part) for part in parts]))


def chart(
    key: str, title: str, *content: str, description: str = "", role: str = "group", **attributes: Attribute
) -> SafeString:
    """Return the `svg` element around a chart, with a title and a description for those who do not see it.

    Args:
        key: The beginning of the ids in the chart, unique in its page.
        title: The short text alternative.
        *content: The elements of the chart.
        description: The long text alternative; empty if the title is sufficient.
        role: `img` for a chart whose parts have no meaning of their own, `group` for one with links.
        **attributes: Further attributes of the `svg` element.
    """
    names = element("title", title, id=f"{key}-title")
    if description:
        names += element("desc", description, id=f"{key}-about")
    return element(
        "svg",
        names,
        *content,
        role=role,
        aria_labelledby=f"{key}-title",
        aria_describedby=f"{key}-about" if description else None,
        **attributes,
    )


def unique_key(prefix: str) -> str:
    """Return a key for a chart whose page may have others of its kind."""
    return f"{prefix}-{secrets.token_hex(4)}"


def titled(title: str, *content: str, url: str = "") -> SafeString:
    """Return parts that belong together under one title, as a link where there is a `url`."""
    name = element("title", title)
    if url:
        return element("a", name, *content, href=url, aria_label=title)
    return element("g", name, *content)


def percent(part: float, whole: float = 100) -> str:
    """Return what share `part` is of `whole`, as a length."""
    return f"{_number(100 * part / whole)}%"


def rect(
    class_: str, x: Length, y: Length, width: Length, height: Length, *content: str, **attributes: Attribute
) -> SafeString:
    """Return a rectangle; `content` is its title."""
    return element("rect", *content, class_=class_, x=x, y=y, width=width, height=height, **attributes)


def line(class_: str, x1: Length, y1: Length, x2: Length, y2: Length) -> SafeString:
    """Return a line from one point to another."""
    return element("line", class_=class_, x1=x1, y1=y1, x2=x2, y2=y2)


def text(class_: str, x: Length, y: Length, words: str, **attributes: Attribute) -> SafeString:
    """Return words at a place."""
    return element("text", words, class_=class_, x=x, y=y, **attributes)


def pattern(key: str, class_: str, size: int, shape: SafeString) -> SafeString:
    """Return the definition of a pattern that repeats `shape` every `size` pixels; `fill="url(#key)"` uses it."""
    return element(
        "defs",
        element(
            "pattern",
            element("rect", width=size, height=size),
            shape,
            id=key,
            class_=class_,
            width=size,
            height=size,
            patternUnits="userSpaceOnUse",
        ),
    )


def hatching(key: str, class_: str) -> SafeString:
    """Return the definition of a pattern of slanting lines."""
    return pattern(key, class_, 8, element("path", d="M-2 2L2 -2M0 8L8 0M6 10L10 6"))


def legend(
    entries: Iterable[tuple[SafeString, str]], *, width: int, class_: str = "legend", label: str = ""
) -> SafeString:
    """Return a list, in HTML, of shapes of up to `width` by 14 pixels and what they stand for."""
    icons = (
        (element("svg", shape, width=width, height=14, aria_hidden="true", focusable="false"), words)
        for shape, words in entries
    )
    return format_html(
        '<ul class="{}"{}>{}</ul>',
        class_,
        format_html(' aria-label="{}"', label) if label else "",
        format_html_join("", "<li>{} {}</li>", icons),
    )


@cache
def _name(keyword: str) -> str:
    return keyword.removesuffix("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """Write a number with three decimals at most, and no zero at the end of them."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
