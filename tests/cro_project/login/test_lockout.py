"""Wrong passwords: who is locked out by them, for how long, and what the log says."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import F
from django.http import HttpResponse
from django.test import Client, override_settings

pytestmark = pytest.mark.django_db

LIMIT = 10


@pytest.fixture(autouse=True)
def _staff() -> None:
    for name in ("ann", "bob"):
        User.objects.create_superuser(name, password=f"right-{name}")


def log_in(name: str, password: str, address: str = "192.0.2.7") -> HttpResponse:
    with override_settings(AXES_ENABLED=True):
        answer = Client(REMOTE_ADDR=address).post(
            "/admin/login/?next=/admin/", {"username": name, "password": password}
        )
    assert isinstance(answer, HttpResponse)
    return answer


def lock_ann() -> HttpResponse:
    """Give wrong passwords until the last one locks; its answer."""
    for _ in range(LIMIT - 1):
        assert log_in("ann", "wrong-secret").status_code == 200
    return log_in("ann", "wrong-secret")


def test_ten_wrong_passwords_lock_that_user_from_there_only() -> None:
    page = lock_ann()

    assert page.status_code == 429
    assert b"Try again after" in page.content
    assert b"15 minutes" in page.content
    assert b"manage.py axes_reset" in page.content
    assert b"Common Reference Operator" in page.content
    assert log_in("ann", "right-ann").status_code == 429
    assert log_in("bob", "right-bob").status_code == 302
    assert log_in("ann", "right-ann", "192.0.2.8").status_code == 302


def test_the_lock_opens_by_itself_however_often_it_was_tried() -> None:
    lock_ann()
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    assert log_in("ann", "wrong-secret").status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=1, seconds=1))

    assert log_in("ann", "right-ann").status_code == 302


def test_staff_open_it_by_a_command() -> None:
    lock_ann()

    call_command("axes_reset")

    assert log_in("ann", "right-ann").status_code == 302


def test_a_right_password_forgets_the_wrong_ones() -> None:
    for _ in range(LIMIT - 1):
        log_in("ann", "wrong-secret")
    log_in("ann", "right-ann")

    assert log_in("ann", "wrong-secret").status_code == 200


def test_the_log_names_user_and_address_and_never_a_password(caplog: pytest.LogCaptureFixture) -> None:
    lock_ann()

    log_in("ann", "wrong-secret")

    failed = "A log-in failed from 192.0.2.7, for ann."
    lines = [record.getMessage() for record in caplog.records if record.name == "cro_project.login.log"]
    assert sorted(lines) == [failed] * (LIMIT + 1) + ["The log-in from 192.0.2.7, for ann, is locked."]
    assert "wrong-secret" not in caplog.text
    assert "wrong-secret" not in AccessAttempt.objects.get().post_data


def test_the_log_never_has_a_password_that_was_typed_as_user_name(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(LIMIT + 1):
        log_in("right-ann", "ann")

    assert "The log-in from 192.0.2.7, for an unknown user name, is locked." in caplog.text
    assert "right-ann" not in caplog.text


def test_the_admin_has_no_screens_of_attempts(admin_client: Client) -> None:
    assert b"axes" not in admin_client.get("/admin/").content
