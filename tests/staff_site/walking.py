"""The URLs of the admin site, how each is made, and what came back from it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from participants.models import AuditEntry, Participant
from registry.models import Change
from tests.staff_site.expected import (
    BY_TABLE,
    OWN,
    PAGES,
    SEEN,
    STRANGER,
    TABLES,
    Page,
)
from tests.staff_site.parties import Party
from uftp.models import InboundMessage, OutboundMessage

WHOSE = (OWN, SEEN, STRANGER)
FOREIGN = re.compile(r"stranger", re.IGNORECASE)


@dataclass
class World:
    parties: dict[str, Party]
    staff: dict[str, User]
    market: dict[str, object]
    mixed: int

    def client(self, who: str) -> Client:
        client = Client(raise_request_exception=True)
        if who != "anonymous":
            client.force_login(self.staff[who], "django.contrib.auth.backends.ModelBackend")
        return client


def registered(patterns: Any = None) -> Iterator[str]:
    """The names of all URLs of the admin site; those without a name only redirect to one that has one."""
    for pattern in patterns if patterns is not None else admin.site.urls[0]:
        if isinstance(pattern, URLResolver):
            yield from registered(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


NAMES = sorted(set(registered()))


def expected(name: str) -> Page | None:
    """What is expected of the URL with this name: from the pages of our own first, then by its table."""
    if name in PAGES:
        return PAGES[name]
    table, _, view = name.rpartition("_")
    kind = BY_TABLE.get(TABLES.get(table, ""), {}).get(view)
    if kind is None:
        return None
    return Page(kind, table if view in ("change", "history", "delete") else "")


def body(response: HttpResponseBase) -> str:
    pieces = response if response.streaming else [getattr(response, "content", b"")]
    text = b"".join(pieces).decode(errors="replace")  # type: ignore[arg-type]
    return f"{text}\n{response.get('Location', '')}\n{response.get('Content-Disposition', '')}"


def url(world: World, name: str, page: Page, whose: str) -> str:
    party = world.parties[whose]
    arguments = {}
    for key, value in page.arguments.items():
        is_row = isinstance(value, str) and value.startswith("{")
        arguments[key] = party.rows[str(value).strip("{}")] if is_row else value
    if not page.table:
        return reverse(f"admin:{name}", kwargs=arguments)
    row = party.rows.get(page.row or page.table) or world.market[page.table]
    if page.in_query:
        return f"{reverse(f'admin:{name}', kwargs=arguments)}?{page.in_query}={row}"
    return reverse(f"admin:{name}", kwargs={**arguments, page.key: row})


def about_rows(page: Page) -> bool:
    return TABLES.get(page.table) == "of participants"


def list_of(table: str) -> str:
    return reverse(f"admin:{table}_changelist")


LISTS = sorted(table for table, whose in TABLES.items() if whose == "of participants")


def assert_nothing_foreign(response: HttpResponseBase, where: str) -> None:
    text = body(response)
    found = FOREIGN.search(text)
    assert not found, f"{where} shows: …{text[max(0, found.start() - 200) : found.end() + 100]}…"


def around(text: str) -> str:
    found = FOREIGN.search(text)
    assert found
    return f"…{text[max(0, found.start() - 300) : found.end() + 100]}…"


def fingerprint() -> list[Any]:
    """What staff could have changed."""
    return [
        AuditEntry.objects.count(),
        Change.objects.count(),
        list(OutboundMessage.objects.order_by("pk").values_list("pk", "state")),
        list(InboundMessage.objects.order_by("pk").values_list("pk", "state")),
        list(Participant.objects.order_by("pk").values_list("pk", "standing")),
    ]
