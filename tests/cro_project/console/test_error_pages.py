"""Pages that cannot be shown say why in the look of the console; machines get one line, and so does the log."""

import io
import logging

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from cro_project.console import error_pages

pytestmark = pytest.mark.django_db

NOT_FOR_YOU = "There is no such page, or you may not see it."


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may look at nothing."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("kim", is_staff=True))
    return client


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_a_page_that_is_not_there_leads_back(superuser: Client) -> None:
    answer = superuser.get("/admin/nowhere/")

    text = answer.content.decode()
    assert answer.status_code == 404
    assert NOT_FOR_YOU in text
    assert 'id="menu"' in text
    assert "Back to the dashboard" in text


@pytest.mark.parametrize("page", ["change", "history"])
@pytest.mark.parametrize(
    "table", ["participants_participant", "uftp_inboundmessage", "registry_conflict", "auth_user"]
)
def test_what_is_not_there_is_a_page_that_is_not_there(superuser: Client, table: str, page: str) -> None:
    answer = superuser.get(reverse(f"admin:{table}_{page}", args=[123_456]))

    assert answer.status_code == 404
    assert NOT_FOR_YOU in answer.content.decode()


def test_who_is_not_allowed_reads_so_and_gets_back(clerk: Client) -> None:
    answer = clerk.get(reverse("admin:participants_participant_changelist"))

    text = answer.content.decode()
    assert answer.status_code == 403
    assert "Your account may not see this page, or may not do this." in text
    assert "A superuser can change what you may do." in text
    assert 'id="menu"' in text
    assert "Back to the dashboard" in text


def test_a_reason_to_refuse_is_told() -> None:
    request = Client().get("/admin/login/").wsgi_request

    answer = error_pages.permission_denied(request, PermissionDenied("Only on <weekdays>."))

    assert "Only on &lt;weekdays&gt;." in answer.content.decode()


def test_a_form_from_before_the_log_in_says_to_load_the_page_again() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "kim"})

    text = answer.content.decode()
    assert answer.status_code == 403
    assert "load the page again" in text
    assert 'href="/admin/login/"' in text


@override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=1)
def test_what_is_not_understood_has_a_page(superuser: Client) -> None:
    answer = superuser.post("/admin/password_change/", {"a": 1, "b": 2})

    assert answer.status_code == 400
    assert "does not understand the request of your browser" in answer.content.decode()


def test_a_failure_of_this_cro_has_a_page_that_asks_no_database(superuser: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE registry_conflict RENAME TO elsewhere")

    answer = superuser.get("/admin/")

    text = answer.content.decode()
    assert answer.status_code == 500
    assert "It is not your fault" in text
    assert "registry_conflict" not in text
    assert "/static/admin/css/base.css" in text


def test_who_is_logged_out_finds_the_log_in() -> None:
    answer = Client().get("/nowhere")

    text = answer.content.decode()
    assert answer.status_code == 404
    assert 'href="/admin/login/"' in text
    assert 'id="menu"' not in text


@pytest.mark.parametrize("path", ["/static/nothing.css", "/shapeshifter", "/health/nothing"])
def test_machines_get_one_line(path: str) -> None:
    answer = Client().get(path)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.content.count(b"\n") == 1


def test_a_request_that_is_refused_is_one_line_of_the_log(clerk: Client) -> None:
    log = io.StringIO()
    console = next(
        handler
        for handler in logging.getLogger().handlers
        if type(handler) is logging.StreamHandler
        and handler.formatter
        and "%(name)s" in handler.formatter._fmt  # type: ignore[operator]
    )
    before = console.setStream(log)
    try:
        clerk.get(reverse("admin:participants_participant_changelist"))
        clerk.get("/admin/nowhere/")
    finally:
        console.setStream(before)  # type: ignore[arg-type]

    lines = log.getvalue().splitlines()
    assert len(lines) == 2
    assert "Forbidden" in lines[0]
    assert "Not Found" in lines[1]


def test_who_logs_out_reads_so(superuser: Client) -> None:
    answer = superuser.post("/admin/logout/")

    text = answer.content.decode()
    assert "You are logged out." in text
    assert "quality time" not in text
    assert 'href="/admin/login/"' in text
