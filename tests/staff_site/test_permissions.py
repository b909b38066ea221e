"""Every URL that the admin site registers, as each kind of staff: what they get, and what they cannot do."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.http import HttpResponseBase

from participants.models import AuditEntry
from registry.models import Change
from tests.staff_site.expected import (
    ABSENT,
    AUDITOR,
    DENIED,
    KINDS,
    LIMITED,
    LOG_IN,
    OK,
    OPERATOR,
    OWN,
    PAGES,
    SEEN,
    STRANGER,
    SUPERUSER,
    TABLES,
)
from tests.staff_site.walking import (
    LISTS,
    NAMES,
    WHOSE,
    World,
    about_rows,
    assert_nothing_foreign,
    expected,
    fingerprint,
    list_of,
    url,
)
from uftp.models import OutboundMessage

WHO = ("anonymous", AUDITOR, LIMITED, OPERATOR, SUPERUSER)


def outcome(response: HttpResponseBase, table: str) -> str:
    """What came; a list that the address chooses rows of leads back to itself where they are not there."""
    location = response.get("Location", "")
    if response.status_code == 403:
        return DENIED
    if location.startswith("/admin/login/"):
        return LOG_IN
    if response.status_code == 404 or (table and location == list_of(table)):
        return ABSENT
    assert response.status_code < 500
    return OK


@pytest.mark.parametrize("name", NAMES)
def test_a_url_is_expected(name: str) -> None:
    assert expected(name) is not None, (
        f"{name}: say in tests/staff_site/expected.py whom this page is for (a line in PAGES, or its table in TABLES)"
    )


def test_what_is_expected_is_there() -> None:
    assert set(PAGES) <= set(NAMES)
    assert {f"{table}_changelist" for table in TABLES} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if expected(name)])
def test_each_gets_what_is_theirs(world: World, name: str) -> None:
    for who in WHO:
        gets_what_is_theirs(world, name, who)


def gets_what_is_theirs(world: World, name: str, who: str) -> None:
    page = expected(name)
    assert page
    client = world.client(who)
    written = AuditEntry.objects.count(), Change.objects.count(), OutboundMessage.objects.count()
    rows = WHOSE if who == LIMITED else (STRANGER,)
    for whose in rows if about_rows(page) else (OWN,):
        address = url(world, name, page, whose)
        wanted = KINDS[page.kind].outcome(who, whose)
        check(client.get(address), wanted, page.table, f"{who}, GET {address} ({whose})")
        wanted = KINDS[page.post or page.kind].outcome(who, whose)
        if wanted != OK:
            answer = client.post(address, {"reason": "because", "post": "yes"})
            check(answer, wanted, page.table, f"{who}, POST {address} ({whose})")
    if page.kind not in ("everybody", "public"):
        assert written == (
            AuditEntry.objects.count(),
            Change.objects.count(),
            OutboundMessage.objects.count(),
        )


def check(response: HttpResponseBase, wanted: str, table: str, what: str) -> None:
    got = outcome(response, table)
    elsewhere = wanted in (DENIED, ABSENT) and response.status_code == 302 and ", GET " in what
    as_good = elsewhere or response.status_code == 405 or {got, wanted} == {DENIED, ABSENT}
    assert got == wanted or as_good, f"{what}: {got}, expected {wanted}"
    if what.startswith(LIMITED):
        assert_nothing_foreign(response, what)


@pytest.mark.parametrize("table", LISTS)
def test_no_action_is_done_for_whom_one_does_not_act(world: World, table: str) -> None:
    client = world.client(LIMITED)
    model_admin = admin.site.get_model_admin(apps.get_model(*table.split("_")))
    chosen = [str(world.parties[whose].rows[table]) for whose in (SEEN, STRANGER)]
    before = fingerprint()
    for _, name, _ in model_admin._get_base_actions():
        data = {"action": name, "_selected_action": chosen, "index": "0", "reason": "because", "known": "all"}
        answer = client.post(list_of(table), data)
        assert_nothing_foreign(answer, f"{name} of {table}")
    assert fingerprint() == before
