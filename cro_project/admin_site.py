"""The operator's admin site: Django's own, with its apps and tables in the order in which staff need them."""

from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest

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

NAMES = {
    "auth": "Staff",
    "axes": "Log-in attempts",
    "otp_static": "Recovery codes",
    "otp_totp": "One-time passwords",
    "procrastinate": "Background jobs",
}
"""What staff call the apps of libraries."""


class CROAdminSite(AdminSite):
    enable_nav_sidebar = False
    site_url = None

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        listed = super().get_app_list(request, app_label)
        for app in listed:
            order = ORDER.get(app["app_label"], ())
            app["models"].sort(key=lambda table, order=order: _place(table["object_name"], order))
        return sorted(listed, key=lambda app: _place(app["app_label"], tuple(ORDER)))


class CROAdminConfig(AdminConfig):
    default_site = "cro_project.admin_site.CROAdminSite"

    def ready(self) -> None:
        super().ready()
        for label, name in NAMES.items():
            apps.get_app_config(label).verbose_name = name


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)
