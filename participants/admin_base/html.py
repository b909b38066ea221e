"""Make small pieces of admin pages: moments, links and tables."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from common.display import PLACEHOLDER
from participants.models import Participant
from participants.scope import NOBODY, Scope

MAX_COUNTED = 10_000
"""How many rows a page counts at most; then it says that there are more."""


def moment(at: datetime | None) -> str:
    """Return an aware moment in the time zone of the page: `2026-03-01 13:00:05 CET`."""
    return f"{localtime(at):%Y-%m-%d %H:%M:%S %Z}" if at else PLACEHOLDER


def link(to: Model | None, text: object = None) -> str:
    """Return a link to the admin page of a row, with `text` or the row's own name."""
    if to is None:
        return PLACEHOLDER
    page = reverse(f"admin:{to._meta.app_label}_{to._meta.model_name}_change", args=[to.pk])
    return format_html('<a href="{}">{}</a>', page, to if text is None else text)


def party_link(row: Model, party: Participant, text: str = "") -> str:
    """Return a link to a participant whom a row of a list names; its name alone outside the viewer's scope."""
    seen: Scope = getattr(row, "viewer_scope", NOBODY)
    return link(party, text or party) if party in seen else text or str(party)


def list_link(model: type[Model], text: object, **query: object) -> SafeString:
    """Return a link to the admin's list of `model`, searched and filtered by `query`."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', page, urlencode(query), text)


def count_in_words(rows: QuerySet[Any]) -> str:
    """Count rows, in words: `0`, `17`, `more than 10,000`. Reads at most MAX_COUNTED + 1 rows."""
    counted = rows.order_by()[: MAX_COUNTED + 1].count()
    return f"more than {MAX_COUNTED:,}" if counted > MAX_COUNTED else f"{counted:,}"


def count_link(rows: QuerySet[Any], unit: str = "", **query: object) -> SafeString:
    """Return the number of rows and its unit, as a link to their list, filtered by `query`."""
    return list_link(rows.model, f"{count_in_words(rows)} {unit}".strip(), **query)


def one_per_line(items: Iterable[object]) -> str:
    """Return the items, each on a line of its own."""
    return format_html_join("", "<div>{}</div>", ((item,) for item in items)) or PLACEHOLDER


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; PLACEHOLDER if there are no rows."""
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows),
    )
    if not body:
        return PLACEHOLDER
    head = format_html_join("", '<th scope="col">{}</th>', ((heading,) for heading in headings))
    return format_html(
        '<div class="rows" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        body,
    )
