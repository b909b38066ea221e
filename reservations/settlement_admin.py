"""The page from which the settlement of reservations is downloaded."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from participants.scoped_admin import ScopedAdmin

RIGHT = "reservations.view_reservationupdate"


class SettlementPage(ScopedAdmin):
    """Mix-in of the contracts' admin: what `manage.py export_reservations` writes, of the contracts in scope."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.settlement_view)
        return [path("settlement/", view, name="reservations_contract_settlement"), *super().get_urls()]

    def settlement_view(self, request: HttpRequest) -> HttpResponseBase:
        """The form, or the file that it asks for."""
        if not (self.has_view_permission(request) and request.user.has_perm(RIGHT)):
            raise PermissionDenied
        return HttpResponse()
