"""The operator's admin site: Django's own, with its apps and tables in the order in which staff need them."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from cro_project import menu
from cro_project.guarded_site import GuardedSite
from participants.admin_html import NOTHING, count_in_words, list_link

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
        "RevisionPlace",
        "Policy",
        "PolicySetting",
        "Market",
    ),
    "uftp": ("InboundMessage", "OutboundMessage", "DeliveryAttempt", "Sender"),
    "reservations": (),
    "auth": ("User", "Group"),
}
"""App to its tables, each in order; what is not named follows, by name."""

HIDDEN = {"procrastinate": None, "uftp": ("Sender",)}
"""App to the tables that staff have no use for, None for all of them: not in the overview."""


class CROAdminSite(GuardedSite):
    enable_nav_sidebar = False
    site_url = None
    empty_value_display = NOTHING

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Every page carries the menu; before the log-in there is none."""
        shown = menu.entries(request) if self.has_permission(request) else []
        return {**super().each_context(request), "menu": shown}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The overview begins with what waits for staff."""
        return super().index(request, {"waiting": list(_waiting(request)), **(extra_context or {})})

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
    shown = [] if hidden is None else [table for table in app["models"] if table["object_name"] not in hidden]
    return {**app, "models": shown}


def _waiting(request: HttpRequest) -> Iterator[str]:
    """Links to what waits for staff, each with a count; only to what this member of staff may look at."""
    from registry.models import Conflict
    from uftp.models import InboundMessage, OutboundMessage

    aside, failed = InboundMessage.State.SET_ASIDE, OutboundMessage.State.FAILED
    kinds: list[tuple[QuerySet[Any], tuple[str, str], dict[str, str]]] = [
        (Conflict.objects.filter(closed_by=None), ("open conflict", "open conflicts"), {}),
        (
            InboundMessage.objects.filter(state=aside),
            ("message set aside", "messages set aside"),
            {"state__exact": aside},
        ),
        (
            OutboundMessage.objects.filter(state=failed),
            ("failed delivery", "failed deliveries"),
            {"state__exact": failed},
        ),
    ]
    for rows, (one, several), query in kinds:
        table = rows.model._meta
        if request.user.has_perm(f"{table.app_label}.view_{table.model_name}"):
            many = count_in_words(rows)
            yield list_link(rows.model, f"{many} {one if many == '1' else several}", **query)
