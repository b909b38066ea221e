"""The menu on every page of the console: a few screens out of the admin's many."""

from typing import NamedTuple

from django.apps import apps
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse


class Entry(NamedTuple):
    """`current` is what `aria-current` says: `page` for the screen itself, `true` for a page below it, else empty."""

    text: str
    url: str
    current: str


SCREENS = (
    ("Conflicts", "registry_conflict", ("registry/conflict/",)),
    ("Connections", "registry_connection", ("registry/connection/",)),
    ("Congestion points", "registry_congestionpoint", ("registry/congestionpoint/",)),
    ("Reservations", "reservations_contract", ("reservations/",)),
    ("Participants", "participants_participant", ("participants/participant/",)),
    ("Messages", "uftp_inboundmessage", ("uftp/",)),
    ("Imports", "registry_importrun", ("registry/importrun/",)),
    ("Policies", "registry_policy", ("registry/policy", "registry/market/", "participants/mode/")),
    ("Audit trail", "participants_auditentry", ("participants/auditentry/",)),
    ("Users", "auth_user", ("auth/",)),
)
"""Text, the table whose list it leads to, and the parts of the site that it stands for."""


def entries(request: HttpRequest, site: AdminSite) -> list[Entry]:
    """Return the screens of `site` that the member of staff may look at, the dashboard first."""
    home = reverse("admin:index")
    found = [Entry("Dashboard", home, "page" if request.path == home else "")]
    for text, table, parts in SCREENS:
        app, model = table.split("_")
        if site.get_model_admin(apps.get_model(app, model)).has_view_permission(request):
            url = reverse(f"admin:{table}_changelist")
            below = any(request.path.startswith(f"{home}{part}") for part in parts)
            found.append(Entry(text, url, "page" if request.path == url else "true" if below else ""))
    return found
