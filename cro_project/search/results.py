"""Search every table that apps have registered, each as its list does, for one member of staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.text import capfirst

from participants.admin_base import extensions
from participants.admin_base.scalable import Found
from participants.admin_base.search import Finder, shared_lookups

MAX_ROWS = 8
"""At most this many rows of a table; its list has the others."""

MAX_SECONDS = 2
"""After this time the search of a table is cancelled, so that no text keeps the database busy."""

QUERY_CANCELED = "57014"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was found: where it is, the text of the link to it, what stands beside it, which field matched."""

    url: str
    text: str
    about: str
    field: str


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one table, or that its search took too long."""

    title: str
    rows: list[Row]
    list_url: str
    more: bool = False
    took_too_long: bool = False


def search(site: AdminSite, request: HttpRequest, text: str) -> list[Section]:
    """Return what the text finds in each table that the member of staff may see.

    Only rows in their scope are searched, counted and limited. Tables in which it finds nothing are left out.
    """
    with limited_time(), shared_lookups():
        sections = [_section(site, request, finder, text) for finder in extensions.finders()]
    return [section for section in sections if section and (section.rows or section.took_too_long)]


def _section(site: AdminSite, request: HttpRequest, finder: Finder, text: str) -> Section | None:
    shown: Any = site.get_model_admin(finder.model)
    if not shown.has_view_permission(request):
        return None
    title = capfirst(str(finder.model._meta.verbose_name_plural))
    every = f"{shown.url_to('changelist')}?{urlencode({'q': text, **finder.query})}"
    try:
        # A statement that is cancelled must not spoil a transaction around the request.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            found, more = shown.find(request, text, MAX_ROWS)
            rows = [_row(shown, finder, each) for each in found]
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != QUERY_CANCELED:
            raise
        return Section(title, [], every, took_too_long=True)
    return Section(title, rows, every, more)


def _row(shown: Any, finder: Finder, found: Found) -> Row:
    text, about = finder.describe(found.row)
    return Row(shown.url_to("change", found.row.pk), text, about, found.field)


@contextmanager
def limited_time() -> Iterator[None]:
    """Cancel each statement in the `with` block that takes longer than MAX_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{MAX_SECONDS}s'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
