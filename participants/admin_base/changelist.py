"""Restrict what a list's URL may ask for: filters, search, sorting, and the lookups that our pages link with."""

from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest


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

    def _sorts(self, column: str) -> bool:
        """Return whether the list can be sorted by `column`, such as `3`; `-3` is the opposite order."""
        number = column.removeprefix("-")
        if not number.isdecimal() or int(number) >= len(self.list_display):
            return False
        return self.list_display[int(number)] in (self.sortable_by or ())
