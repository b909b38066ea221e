"""Export lists of the admin as CSV: all rows that match the filters and the search, a value in each column."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.text import capfirst, slugify

from common.csv import writer as csv_writer
from participants.admin_base.audited import AuditedAdmin
from participants.admin_base.changelist import StrictChangeList

CHECKBOX = "action_checkbox"

Column = str | tuple[str, str | Callable[[Any], object]]
"""A column of a file: a column of the list, or a heading with a path of attributes (`opened_by.moment`), or a heading
with a function of the row. A path is empty if one of its attributes is None."""


class ExportableChangeList(StrictChangeList):
    """A list with the URL of its CSV export."""

    def export_url(self) -> str:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")
        return page + self.get_query_string(remove=[PAGE_VAR, ERROR_FLAG, "_popup"])


class ExportingAdmin(AuditedAdmin):
    """Add a CSV export to the list of a table."""

    export_display: ClassVar[Sequence[Column]] = ()
    """The columns of the file, if they are not those of the list."""

    linked_lookups: ClassVar[Sequence[str]] = ()
    """The lookups, besides those of filters, with which our pages link to this list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ExportableChangeList]:
        return ExportableChangeList

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list, whose rows have what their columns need from other tables."""
        page = super().changelist_view(request, extra_context)
        if changelist := (getattr(page, "context_data", None) or {}).get("cl"):
            self.read_beside(request, changelist.result_list)
        return page

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return all rows of the list as CSV, with the same filters, search, order and scope."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        request.GET = query  # type: ignore[assignment]
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            )
        columns: Sequence[Any] = self.export_display or [
            name for name in changelist.list_display if name != CHECKBOX
        ]
        return csv_writer.csv_response(
            f"{slugify(str(self.opts.verbose_name_plural))}.csv",
            [self._heading(column) for column in columns],
            (
                [self._cell(column, row) for column in columns]
                for row in self._streamed(request, changelist.queryset)
            ),
        )

    def read_beside(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Add to rows what their columns need from other tables, with one query for all of them.

        It is called for the rows of a page, for those that the search box shows, and for each piece of an export.
        """

    def _streamed(self, request: HttpRequest, found: QuerySet[Any]) -> Iterator[Any]:
        """Yield the rows of an export, each with what its columns need from other tables."""
        rows = csv_writer.stream_rows(found)
        while piece := list(islice(rows, csv_writer.BATCH_SIZE)):
            self.read_beside(request, piece)
            yield from piece

    def is_export(self, request: HttpRequest) -> bool:
        """Return whether the request is for all rows, not for a page of them."""
        match = request.resolver_match
        return match is not None and (match.url_name or "").endswith("_export")

    def _heading(self, column: Any) -> str:
        if isinstance(column, tuple):
            return str(column[0])
        return capfirst(str(label_for_field(column, self.model, model_admin=self)))

    def _cell(self, column: Any, row: Any) -> object:
        """Return the value of `row` in a column of the file."""
        try:
            if isinstance(column, tuple):
                of = column[1]
                return of(row) if callable(of) else _value_at(row, of)
            field, _, value = lookup_field(column, row, self)
        except ObjectDoesNotExist:
            return None
        choices = getattr(field, "flatchoices", None)
        return dict(choices).get(value, value) if choices else value


def _value_at(row: Any, path: str) -> object:
    """Return the value at the attribute path `path` of `row`."""
    value = row
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value
