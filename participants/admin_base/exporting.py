"""Lists of the admin that can be had as CSV: all rows of what is filtered and searched for, a value in each column."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.text import capfirst, slugify

from common.csv import writer as csv_writer
from participants.admin_base.audited import AuditedAdmin
from participants.admin_base.changelist import StrictChangeList

CHECKBOX = "action_checkbox"

Column = str | tuple[str, str | Callable[[Any], object]]
"""A column of a file: one that the list has, or a heading with the path of the attributes that lead to the value
(`opened_by.moment`; nothing where one of them is None), or with what makes the value of a row."""


class ExportableChangeList(StrictChangeList):
    """A list that knows where its rows are as CSV."""

    def export_url(self) -> str:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")
        return page + self.get_query_string(remove=[PAGE_VAR, ERROR_FLAG, "_popup"])


class ExportingAdmin(AuditedAdmin):
    """The list of each table leads to its rows as CSV."""

    export_display: ClassVar[Sequence[Column]] = ()
    """The columns of the file, where those of the list say several things at once, or say them in words."""

    linked_lookups: ClassVar[Sequence[str]] = ()
    """The lookups beside those of filters with which pages of ours link to this list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ExportableChangeList]:
        return ExportableChangeList

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The rows of the list with the same filters, search, order and scope: not its page, all of them."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        request.GET = query  # type: ignore[assignment]
        try:
            shown = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            )
        columns: Sequence[Any] = self.export_display or [
            name for name in shown.list_display if name != CHECKBOX
        ]
        return csv_writer.csv_response(
            f"{slugify(str(self.opts.verbose_name_plural))}.csv",
            [self._heading(column) for column in columns],
            (
                [self._cell(column, row) for column in columns]
                for row in csv_writer.stream_rows(shown.queryset)
            ),
        )

    def is_export(self, request: HttpRequest) -> bool:
        """Whether all rows are asked for, and not a page of them."""
        asked = request.resolver_match
        return asked is not None and (asked.url_name or "").endswith("_export")

    def _heading(self, column: Any) -> str:
        if isinstance(column, tuple):
            return str(column[0])
        return capfirst(str(label_for_field(column, self.model, model_admin=self)))

    def _cell(self, column: Any, row: Any) -> object:
        """What the file says of `row` in a column."""
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
    """What the attributes of `path` lead to from `row`."""
    value = row
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value
