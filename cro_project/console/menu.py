"""The menu on every page of the admin: the lists that staff use most."""

from typing import NamedTuple

from django.apps import apps
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse


class Entry(NamedTuple):
    """An entry of the menu.

    `current` is the value of `aria-current`: `page` on the list itself, `true` on a page below it, otherwise empty.
    """

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
"""For each entry: its text, the table whose list it links to, and the paths below which it is the current one."""


def entries(request: HttpRequest, site: AdminSite) -> list[Entry]:
    """Return the entries for the lists that the user may view, the dashboard first."""
    home = reverse("admin:index")
    found = [Entry("Dashboard", home, "page" if request.path == home else "")]
    for text, table, parts in SCREENS:
        app, model = table.split("_")
        if site.get_model_admin(apps.get_model(app, model)).has_view_permission(request):
            url = reverse(f"admin:{table}_changelist")
            below = any(request.path.startswith(f"{home}{part}") for part in parts)
            found.append(Entry(text, url, "page" if request.path == url else "true" if below else ""))
    return found
