"""A new colleague chooses their password by a one-time link; nobody else ever knows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from cro_project.login import invitations
from cro_project.models import Invitation
from cro_project.staff import accounts
from cro_project.staff.groups import OPERATOR
from participants.models import AuditEntry

StopClock = Callable[[datetime], None]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHOSEN = {"password1": "a-long-one-1", "password2": "a-long-one-1"}


@pytest.fixture
def kim(db: None, client: Client, stop_clock: StopClock) -> Client:
    """A superuser, who is logged in."""
    stop_clock(NOW)
    client.force_login(User.objects.create_superuser("kim", password="right-kim"))
    return client


def token_on(page: Any) -> str:
    (link,) = re.findall(
        r"<code>(http://testserver/admin/invitation/([\w-]+)/)</code>", page.content.decode()
    )
    return str(link[1])


def invite(kim: Client, name: str = "lee") -> str:
    """Add an account through the screens; gives the token of its link."""
    said = {
        "username": name,
        "is_active": "on",
        "groups": [Group.objects.get(name=OPERATOR).pk],
        "reason": "starts",
    }
    return token_on(kim.post("/admin/auth/user/add/", said, follow=True))


def open_link(token: str) -> tuple[Client, Any]:
    browser = Client()
    return browser, browser.get(f"/admin/invitation/{token}/", follow=True)


def words(page: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.content.decode()).split())


def may_log_in(name: str, password: str) -> bool:
    answer = Client().post("/admin/login/?next=/admin/", {"username": name, "password": password})
    return bool(answer.status_code == 302)


def test_who_is_invited_chooses_the_password_and_logs_in(kim: Client) -> None:
    token = invite(kim)
    assert not may_log_in("lee", "a-long-one-1")
    browser, page = open_link(token)
    assert "You log in as lee" in words(page)
    assert token not in page.request["PATH_INFO"], "no page after the first has the token in its URL"
    assert page["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"

    done = browser.post("/admin/invitation/", CHOSEN, follow=True)

    assert "Your password is set. Log in as lee." in words(done)
    assert may_log_in("lee", "a-long-one-1")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.subject) == ("lee", "accepted invitation", "user lee")
    assert AuditEntry.objects.filter(actor="kim", action="invited user", reason="starts").exists()


def test_the_link_works_once(kim: Client) -> None:
    token = invite(kim)
    first, _ = open_link(token)
    second, _ = open_link(token)
    first.post("/admin/invitation/", CHOSEN)
    other = {"password1": "another-one-1", "password2": "another-one-1"}
    assert "This invitation is not valid" in words(second.post("/admin/invitation/", other))
    assert "This invitation is not valid" in words(open_link(token)[1])
    assert may_log_in("lee", "a-long-one-1")


def test_the_link_works_for_24_hours(kim: Client, stop_clock: StopClock) -> None:
    token = invite(kim)
    stop_clock(NOW + timedelta(hours=24) - timedelta(seconds=1))
    browser, page = open_link(token)
    assert "Choose your password" in words(page)
    stop_clock(NOW + timedelta(hours=24))
    assert "This invitation is not valid" in words(browser.post("/admin/invitation/", CHOSEN))
    assert "This invitation is not valid" in words(open_link(token)[1])
    assert not may_log_in("lee", "a-long-one-1")


def test_the_token_is_stored_hashed_alone(kim: Client) -> None:
    token = invite(kim)
    stored = Invitation.objects.get()
    assert bytes(stored.token_hash) == sha256(token.encode()).digest()
    assert len(token) >= 43
    with connection.cursor() as cursor:
        cursor.execute("SELECT i::text FROM cro_project_invitation i")
        assert token not in cursor.fetchone()[0]
    open_link(token)
    assert not any(token in str(session.get_decoded()) for session in Session.objects.all())
    assert not any(
        token in f"{entry.before}{entry.after}{entry.reason}" for entry in AuditEntry.objects.all()
    )
    assert token not in words(kim.get("/admin/")), "it is shown once"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({**CHOSEN, "password2": "another-long-one"}, "didn’t match"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "lee-lee-lee", "password2": "lee-lee-le"}, "didn’t match"),
    ],
)
def test_a_weak_password_is_refused_and_the_link_stays(
    kim: Client, given: dict[str, str], complaint: str
) -> None:
    browser, _ = open_link(invite(kim))
    assert complaint in words(browser.post("/admin/invitation/", given))
    assert browser.post("/admin/invitation/", CHOSEN).status_code == 302


def test_a_newer_invitation_replaces_the_older_one(kim: Client) -> None:
    first = invite(kim)
    lee = User.objects.get(username="lee")
    second = token_on(kim.post(f"/admin/auth/user/{lee.pk}/invitation/", {"reason": "lost it"}, follow=True))
    assert "This invitation is not valid" in words(open_link(first)[1])
    browser, _ = open_link(second)
    browser.post("/admin/invitation/", CHOSEN)
    assert may_log_in("lee", "a-long-one-1")


def test_a_link_ends_when_the_password_is_set_in_another_way(kim: Client) -> None:
    """Otherwise a link that somebody found would take the account over, though its password was set since."""
    token = invite(kim)
    lee = User.objects.get(username="lee")
    accounts.set_password(lee, "a-safe-one-1", actor=User.objects.get(username="kim"), reason="came by")
    assert "This invitation is not valid" in words(open_link(token)[1])

    token = token_on(kim.post(f"/admin/auth/user/{lee.pk}/invitation/", {"reason": "lost it"}, follow=True))
    browser = Client()
    browser.force_login(lee, "django.contrib.auth.backends.ModelBackend")
    own = {"old_password": "a-safe-one-1", "new_password1": "a-safe-one-2", "new_password2": "a-safe-one-2"}
    assert browser.post("/admin/password_change/", own).status_code == 302
    assert "This invitation is not valid" in words(open_link(token)[1])
    assert may_log_in("lee", "a-safe-one-2")


def test_a_deactivated_account_is_not_invited(kim: Client) -> None:
    token = invite(kim)
    User.objects.filter(username="lee").update(is_active=False)
    assert "This invitation is not valid" in words(open_link(token)[1])


def test_a_stranger_s_guesses_leave_nothing_behind(db: None) -> None:
    before = Session.objects.count()
    for number in range(5):
        browser, page = open_link(f"guess-{number}")
        assert "This invitation is not valid" in words(page)
        assert "This invitation is not valid" in words(browser.post("/admin/invitation/", CHOSEN))
    assert Session.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_two_who_use_the_link_at_once_set_one_password() -> None:
    user = User.objects.create_user("lee", is_staff=True)
    now = datetime.now(UTC)
    token_hash, accepted = invitations.hashed(invitations.make(user, now=now)), []

    def accept(password: str) -> None:
        try:
            accepted.append(invitations.accept(token_hash, password, now=now))
        finally:
            connection.close()

    threads = [Thread(target=accept, args=[f"a-long-one-{number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each is None for each in accepted) == [False, True, True, True]
