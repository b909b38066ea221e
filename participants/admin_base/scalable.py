"""The base for tables of any size: pages, search and filters that read few rows."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

from django.contrib import admin
from django.core import checks
from django.core.exceptions import ValidationError
from django.db.models import CharField, Model, Q, QuerySet, TextField
from django.http import HttpRequest

from common.search import FieldCondition, matching_by
from participants.admin_base import extensions
from participants.admin_base.paginator import CappedPaginator
from participants.admin_base.scoped import ScopedAdmin, ScopedChecks
from participants.admin_base.search import shared_lookups

MAX_FOUND = 1_000
"""How many rows a search finds. For many more keys, PostgreSQL would not use the index."""

CANDIDATES = 200
"""Of so many rows that a search box finds, the newest are shown. To find the newest of all would need their order."""

LONGEST_TEXT = 8_000
"""A longer text is nothing that a row has."""

ALLOWED_SEARCHES = ("__exact", "__startswith")


class ScalableChecks(ScopedChecks):
    """Check at start that no list reads a whole table."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(admin_obj, **kwargs), *self._search(admin_obj), *self._filters(admin_obj)]

    def _search(self, admin_obj: Any) -> list[checks.CheckMessage]:
        return [
            checks.Error(
                f"search_fields: {field!r} reads every row.",
                hint=f"End it in {' or '.join(ALLOWED_SEARCHES)}, and see that an index serves it.",
                obj=admin_obj.__class__,
                id="participants.E001",
            )
            for field in admin_obj.search_fields
            if not field.endswith(ALLOWED_SEARCHES)
        ]

    def _filters(self, admin_obj: Any) -> list[checks.CheckMessage]:
        fields = {field.name: field for field in admin_obj.model._meta.get_fields()}
        return [
            checks.Error(
                f"list_filter: {name!r} reads every row to find its values.",
                hint="Give the field choices, or write a SimpleListFilter that knows the values.",
                obj=admin_obj.__class__,
                id="participants.E002",
            )
            for name in admin_obj.list_filter
            if isinstance(name, str)
            and isinstance(field := fields.get(name), CharField | TextField)
            and not field.choices
        ]


class Found(NamedTuple):
    """A row that a search found, and the field that matched, in words for staff."""

    row: Any
    field: str


class ScalableAdmin(ScopedAdmin):
    """Base of the admin of a table that may have millions of rows.

    * No full count (see CappedPaginator), and no counts of filter values (facets).
    * Rows are sorted by primary key, the latest first. Users can sort by another column only if `sortable_by` names
      it: name only columns with an index.
    * A search compares the whole text with each of `search_fields`, which end in `__exact` or `__startswith`, and
      by the other conditions of `search_conditions`. Each comparison uses an index and returns MAX_FOUND + 1 rows at
      most.
    * `rows_name` is what the foot of the list calls its rows, if they do not have the list's name.
    """

    checks_class = ScalableChecks
    rows_name = ""
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering: ClassVar[tuple[Any, ...]] = ("-pk",)
    sortable_by: ClassVar[list[Any] | tuple[Any, ...]] = ()
    list_per_page = 50
    list_max_show_all = 0

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions that a row may meet to be found by a text; the most exact ones first.

        An index must serve each of them. A subclass whose rows are found in more ways than `search_fields` say adds
        to them here.
        """
        return [
            FieldCondition(_in_words(field), Q(**{field: text})) for field in self.get_search_fields(request)
        ]

    def all_conditions(self, request: HttpRequest, search_term: str) -> list[FieldCondition]:
        """Return the conditions of this list, and those that apps above add; none for an empty text."""
        text = search_term.strip()
        if not text or "\x00" in text or len(text) > LONGEST_TEXT:
            return []
        added = extensions.searches(self.model)
        with shared_lookups():
            found = [condition for find in added for condition in find(text, self.seen(request))]
            return [*self.search_conditions(request, text), *found]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows of `queryset` that `search_term` finds, each once.

        The keys of the matching rows are read first: with a subquery PostgreSQL would scan the whole table. An export
        has no bound, and uses the subquery. A field that cannot hold `search_term`, such as a number for a word, gives
        no rows. No text holds NUL.
        """
        if not search_term.strip() or not self.get_search_fields(request):
            return queryset, False
        conditions = self.all_conditions(request, search_term)
        if self.is_export(request):
            return _in_subquery(queryset, conditions), False
        keys, request.found_more = matching_by(queryset, conditions, MAX_FOUND)  # type: ignore[attr-defined]
        return queryset.filter(pk__in=list(keys)), False

    def find_keys(self, request: HttpRequest, text: str, limit: int) -> tuple[dict[Any, str], bool]:
        """Return the keys of the rows that `find` finds, with the field that matched, and whether there are more."""
        rows, conditions = self.get_queryset(request), self.all_conditions(request, text)
        keys, more = matching_by(rows, conditions, max(limit, CANDIDATES), newest_first=True)
        return dict(list(keys.items())[:limit]), more or len(keys) > limit

    def find(self, request: HttpRequest, text: str, limit: int) -> tuple[list[Found], bool]:
        """Return the rows in scope that a text finds, and whether there are more.

        The most exact ones come first, and of these the newest.
        """
        keys, more = self.find_keys(request, text, limit)
        found = {row.pk: row for row in self.get_queryset(request).filter(pk__in=list(keys))} if keys else {}
        self.read_beside(request, list(found.values()))
        return [Found(found[key], field) for key, field in keys.items() if key in found], more

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        per_page: int,
        orphans: int = 0,
        allow_empty_first_page: bool = True,
    ) -> CappedPaginator:
        """Return a paginator, which knows whether a search found more rows than it shows."""
        found_more = getattr(request, "found_more", False)
        return CappedPaginator(queryset, per_page, orphans, allow_empty_first_page, found_more=found_more)


def _in_words(path: str) -> str:
    """Return the name of a field to people, from its path with a comparison."""
    name = path.split("__")[-2]
    return "number" if name == "pk" else name.replace("_", " ")


def _in_subquery(rows: QuerySet[Any], conditions: Iterable[FieldCondition]) -> QuerySet[Any]:
    """Return the rows that meet one of `conditions`, however many."""
    branches = []
    for _, condition in conditions:
        with suppress(ValueError, ValidationError):
            branches.append(rows.order_by().select_related(None).filter(condition).values("pk"))
    if not branches:
        return rows.none()
    return rows.filter(pk__in=branches[0].union(*branches[1:]) if len(branches) > 1 else branches[0])


class ReadOnlyAdmin:
    """Mix-in for tables that staff never edit; it must be listed before the ModelAdmin."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
