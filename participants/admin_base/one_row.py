"""The screen of a table that has one row, such as the mode: the row's page stands for the list."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from participants.admin_base.reasons import ReasonedAdmin


class OneRowAdmin(ReasonedAdmin):
    """The row is neither added nor deleted, and is about no participant."""

    about_participants = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(self._url("change", 1))
