"""The routes that are the project's own, and what holds for all of them."""

import pytest
from django.test import Client, override_settings

from cro_project.config import hosts


@pytest.mark.django_db
def test_the_front_page_leads_staff_to_the_log_in(client: Client) -> None:
    answer = client.get("/", follow=True)

    assert answer.redirect_chain[-1][0] == "/admin/login/?next=/admin/"
    assert answer.status_code == 200


@pytest.mark.django_db
def test_the_screens_carry_the_name_of_what_they_are_for(client: Client) -> None:
    assert b"Common Reference Operator" in client.get("/admin/login/").content


def test_the_style_of_the_screens_is_served_without_a_step_before(client: Client) -> None:
    answer = client.get("/static/admin/css/base.css")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/shapeshifter/api/v3/message", "/shapeshifter/api/v3/message/", "/health/live"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_messages_and_health_are_never_redirected(client: Client, path: str, method: str) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = getattr(client, method)(path)

    assert not 300 <= answer.status_code < 400


PLAIN = "text/plain; charset=utf-8"
MESSAGES = "/shapeshifter/api/v3/message"


@pytest.mark.parametrize(
    "path",
    [
        "/shapeshifter",
        "/shapeshifter/",
        "/shapeshifter/api/v5/message",
        f"{MESSAGES}/",
        "/health/",
        "/health/live/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_is_no_route_is_not_found_in_one_line(path: str, method: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, path, b"<x/>", content_type="text/xml")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PLAIN)
    assert answer.content == b"there is nothing here: messages go to /shapeshifter/api/v3/message\n"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_only_read(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (405, PLAIN)
    assert (answer.headers["Allow"], answer.content) == ("GET, HEAD", b"GET this\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", MESSAGES), ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/admin/")],
)
@override_settings(ALLOWED_HOSTS=["cro.example"])
def test_another_host_name_is_refused_in_one_line_and_logged_in_one(
    caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    answer = Client(headers={"host": "other.example"}).generic(method, path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PLAIN)
    assert answer.content == b"this is not a host name of this CRO\n"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"Refused {method} {path}: ALLOWED_HOSTS does not name 'other.example'."
    ]
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize(
    ("allowed", "own"),
    [
        (["*"], "127.0.0.1"),
        (["cro.example", "127.0.0.1"], "127.0.0.1"),
        (["cro.example"], "cro.example"),
        ([".example"], "example"),
        (["[::1]"], "[::1]"),
    ],
)
def test_the_cro_asks_itself_under_a_name_that_is_allowed(
    client: Client, allowed: list[str], own: str
) -> None:
    assert hosts.own_host(allowed) == own
    with override_settings(ALLOWED_HOSTS=allowed):
        assert client.get("/health/live", headers={"host": own}).status_code == 200


def test_only_messages_and_health_leave_the_line_in_the_log_to_others(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.get(MESSAGES)
    client.post("/health/live")
    client.get("/nowhere")

    lines = [record.getMessage() for record in caplog.records if record.name == "django.request"]
    assert lines == ["Not Found: /nowhere"]


def test_browsers_find_an_icon(client: Client) -> None:
    answer = client.get("/favicon.ico", follow=True)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")


@pytest.mark.django_db
def test_staff_pages_move_to_https_where_that_is_set(client: Client) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = client.get("/admin/")

    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/admin/")
