"""The routes that are the project's own, and what holds for all of them."""

import re

import pytest
from django.test import Client, override_settings


@pytest.mark.django_db
def test_the_front_page_leads_staff_to_the_log_in(client: Client) -> None:
    answer = client.get("/", follow=True)

    assert answer.redirect_chain[-1][0] == "/admin/login/?next=/admin/"
    assert answer.status_code == 200


@pytest.mark.django_db
def test_pages_run_no_script_and_load_nothing_from_elsewhere(admin_client: Client) -> None:
    answer = admin_client.get("/admin/")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(rb"<script(?![^>]*(src=|nonce=|application/json))", answer.content)


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


@pytest.mark.django_db
def test_staff_pages_move_to_https_where_that_is_set(client: Client) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = client.get("/admin/")

    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/admin/")
