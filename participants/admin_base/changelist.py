"""What the address of a list may ask: its filters, its search, its columns' order, and what our own pages link to."""

from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest


class StrictChangeList(ChangeList):
    """A list that answers no other question.

    Django's takes any lookup on a field of the model: one on a row that belongs to others, or to a table that points
    here, tells by what it finds whether that row exists. It sorts by columns that offer no sorting, too.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        """What Django makes of the filters, the lookups that `linked_lookups` names among what remains.

        Raises IncorrectLookupParameters for any other lookup, and for what no text of PostgreSQL holds.
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
            wanted = [asked for asked in self.params[ORDER_VAR].split(".") if self._sorts(asked)]
            self.params[ORDER_VAR] = ".".join(wanted)
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows

    def _sorts(self, asked: str) -> bool:
        """Whether the column that `asked` names (`3`, or `-3` for the other way) is one to sort by."""
        number = asked.removeprefix("-")
        if not number.isdecimal() or int(number) >= len(self.list_display):
            return False
        return self.list_display[int(number)] in (self.sortable_by or ())
