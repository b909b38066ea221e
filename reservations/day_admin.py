"""The pages of what contracts reserve: one of them on a day and in a month, and all of them in a month."""

from __future__ import annotations

import re
from datetime import date

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from participants.scoped_admin import ScopedAdmin
from reservations.models import Contract

RIGHT = "reservations.view_reservationupdate"
"""Whoever looks at what is left of a contract looks at its updates."""


class DayPages(ScopedAdmin):
    """Mix-in of the contracts' admin: a contract's day and month, and the month of all contracts."""

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("overview/", guarded(self.overview_view), name="reservations_contract_overview"),
            path("<int:pk>/day/<str:day>/", guarded(self.day_view), name="reservations_contract_day"),
            path("<int:pk>/month/<str:month>/", guarded(self.month_view), name="reservations_contract_month"),
            *super().get_urls(),
        ]

    def day_view(self, request: HttpRequest, pk: int, day: str) -> HttpResponse:
        """What a contract reserves on a day, and the updates about it."""
        self._contract(request, pk)
        _day(day)
        return HttpResponse()

    def month_view(self, request: HttpRequest, pk: int, month: str) -> HttpResponse:
        """What a contract reserves on each day of a month."""
        self._contract(request, pk)
        _day(f"{month}-01")
        return HttpResponse()

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """What all contracts reserve in a month."""
        self._look(request)
        return HttpResponse()

    def _look(self, request: HttpRequest) -> None:
        """Raises PermissionDenied for those who may not look at contracts and at their updates."""
        if not (self.has_view_permission(request) and request.user.has_perm(RIGHT)):
            raise PermissionDenied

    def _contract(self, request: HttpRequest, pk: int) -> Contract:
        self._look(request)
        found: Contract = self.row_or_404(request, str(pk))
        return found


def _day(text: str) -> date:
    """A day written as YYYY-MM-DD in an address. Raises Http404 for anything else."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise Http404
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Http404 from None


__all__ = ["DayPages"]
