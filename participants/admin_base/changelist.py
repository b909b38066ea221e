"""Restrict what a list's URL may ask for: filters, search, sorting, and the lookups that our pages link with."""

from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from participants.admin_base.paginator import MAX_COUNT, CappedCount


def _one_of(ways: list[str]) -> str:
    """Return ways in one sentence: `a search, the filter by state or the filter by kind`."""
    return " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))


class StrictChangeList(ChangeList):
    """A list that accepts only the lookups and sortings that it offers.

    Django accepts any lookup on a field of the model, also through related tables. The result of such a lookup can
    disclose whether a row exists that the viewer may not see. Django also sorts by columns that offer no sorting.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        """Return Django's filters, and besides them only the lookups in `linked_lookups`.

        Raises:
            IncorrectLookupParameters: Another lookup, or a value that PostgreSQL cannot hold as text.
        """
        if any("\x00" in text for texts in self.filter_params.values() for text in texts):
            raise IncorrectLookupParameters("NUL")
        try:
            found = super().get_filters(request)
        except DisallowedModelAdminLookup as error:
            raise IncorrectLookupParameters(error) from error
        remaining: dict[str, Any] = found[2]
        admin: Any = self.model_admin
        if unknown := set(remaining) - set(admin.linked_lookups):
            raise IncorrectLookupParameters(", ".join(sorted(unknown)))
        return found

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        if ORDER_VAR in self.params:
            wanted = [column for column in self.params[ORDER_VAR].split(".") if self._sorts(column)]
            self.params[ORDER_VAR] = ".".join(wanted)
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        """Read the page's rows, and give each the viewer's scope, so that it links to nothing outside it."""
        super().get_results(request)
        admin: Any = self.model_admin
        if not admin.is_export(request):
            for row in self.result_list:
                row.viewer_scope = admin.seen(request)

    @property
    def end_in_words(self) -> str:
        """Return where the list ends and how to reach what comes after; empty where it is shown to its end."""
        count = self.result_count
        if not isinstance(count, CappedCount):
            return ""
        paginator: Any = self.paginator
        shown = min(int(count), MAX_COUNT) if not paginator.found_more else int(count)
        ways = ["a search"] if self.search_fields and not self.query else []
        ways += ["more of what you search for"] if self.query else []
        ways += [f"the filter by {spec.title}" for spec in self.filter_specs]
        reach = f" Narrow it by {_one_of(ways)}." if ways else ""
        pages = f", on {self.paginator.num_pages:,} pages" if self.paginator.num_pages > 1 else ""
        return f"The list ends after {shown:,} rows{pages}; there are more.{reach}"

    def _sorts(self, column: str) -> bool:
        """Return whether the list can be sorted by `column`, such as `3`; `-3` is the opposite order."""
        number = column.removeprefix("-")
        if not number.isdecimal() or int(number) >= len(self.list_display):
            return False
        return self.list_display[int(number)] in (self.sortable_by or ())
