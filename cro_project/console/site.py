"""The admin site, with its apps and tables in the order in which staff need them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from common import clock
from common.display import PLACEHOLDER
from cro_project.console import menu
from cro_project.console.this_cro import this_cro_page
from cro_project.login.guarded_site import GuardedSite
from cro_project.search.page import search_page

ORDER: dict[str, tuple[str, ...]] = {
    "participants": ("Participant", "Mode", "AuditEntry"),
    "registry": (
        "Conflict",
        "Connection",
        "CongestionPoint",
        "Representation",
        "CongestionPointConnection",
        "CongestionPointTerms",
        "Change",
        "Notice",
        "ImportRun",
        "RevisionPlace",
        "Policy",
        "PolicySetting",
        "Market",
    ),
    "uftp": (
        "InboundMessage",
        "OutboundMessage",
        "DeliveryAttempt",
        "Refusal",
        "UnknownSender",
        "CircuitBreaker",
        "MessageSearch",
        "Sender",
    ),
    "reservations": ("Contract", "ReservationUpdate"),
    "auth": ("User", "Group"),
}
"""The apps in order, each with its tables in order. Apps and tables that are not named come last, by name."""

HIDDEN = {"uftp": ("Sender",)}
"""The tables that the overview does not list, by app."""


class CROAdminSite(GuardedSite):
    enable_nav_sidebar = False
    site_url = None
    empty_value_display = PLACEHOLDER

    def get_urls(self) -> list[Any]:
        """Return the pages of the site, with those that belong to no table first."""
        return [
            path("search/", self.admin_view(self.search), name="search"),
            path("this-cro/", self.admin_view(self.this_cro), name="this_cro"),
            *super().get_urls(),
        ]

    def search(self, request: HttpRequest) -> HttpResponse:
        """Show what the search box found."""
        return search_page(self, request)

    def this_cro(self, request: HttpRequest) -> HttpResponse:
        """Show what participants need to know of this CRO."""
        return this_cro_page(self, request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of every page, with the menu; before the log-in the menu is empty."""
        entries = menu.entries(request, self) if self.has_permission(request) else []
        return {**super().each_context(request), "menu": entries}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the dashboard, and below it the list of all tables."""
        # Imported here: Django makes the site before it has loaded the models that the dashboard imports.
        from cro_project.console.dashboard import dashboard

        content = dashboard(request.user, clock.now())
        return super().index(request, {"dashboard": content, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        listed = super().get_app_list(request, app_label)
        for app in listed:
            order = ORDER.get(app["app_label"], ())
            app["models"].sort(key=lambda table, order=order: _place(table["object_name"], order))
        if app_label is None:
            listed = [app for app in map(_without_hidden, listed) if app["models"]]
        return sorted(listed, key=lambda app: _place(app["app_label"], tuple(ORDER)))


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)


def _without_hidden(app: dict[str, Any]) -> dict[str, Any]:
    hidden = HIDDEN.get(app["app_label"], ())
    return {**app, "models": [table for table in app["models"] if table["object_name"] not in hidden]}
