"""The second factor: who must give it, what is taken for one, and how it is set up, replaced and taken away."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.models import F
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import get_resolver
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from cro_project.login import two_factor
from cro_project.login.views import PENDING
from participants.models import AuditEntry
from tests.support.otp_app import Telephone

pytestmark = pytest.mark.django_db

PASSWORD = "right-ann"
PAGE = "/admin/participants/participant/"


@pytest.fixture
def telephone(monkeypatch: pytest.MonkeyPatch) -> Telephone:
    return Telephone(monkeypatch)


@pytest.fixture
def ann() -> User:
    return User.objects.create_superuser("ann", password=PASSWORD)


@pytest.fixture
def codes(ann: User, telephone: Telephone) -> list[str]:
    """The recovery codes of ann, who is enrolled."""
    secret = two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    return two_factor.enrol(ann, secret, telephone.code())[1]


def give_password(client: Client, password: str = PASSWORD, after: str = PAGE, name: str = "ann") -> Any:
    return client.post(f"/admin/login/?next={after}", {"username": name, "password": password, "next": after})


def give_code(client: Client, code: str) -> Any:
    return client.post("/admin/login/code/", {"code": code})


def is_logged_in(client: Client) -> bool:
    answer = client.get(PAGE)
    assert answer.status_code in (200, 302)
    return answer.status_code == 200


def end_waits() -> None:
    """Let the waits after wrong codes be over."""
    for kind in (TOTPDevice, StaticDevice):
        kind.objects.update(
            throttling_failure_timestamp=F("throttling_failure_timestamp") - timedelta(days=1)
        )


def shown_codes(page: HttpResponse) -> list[str]:
    return re.findall(r"\b\d{4}-\d{4}-\d{4}\b", page.content.decode())


def entries() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action", "subject"))


def test_the_password_alone_is_enough_where_nobody_asks_for_more(ann: User, client: Client) -> None:
    answer = give_password(client)

    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert is_logged_in(client)


def test_staff_set_up_an_app_by_themselves(ann: User, client: Client, telephone: Telephone) -> None:
    give_password(client)
    assert b"Two-factor log-in is <strong>off</strong>" in client.get("/admin/two_factor/").content
    page = client.get("/admin/two_factor/set_up/").content.decode()
    telephone.take_over(page)

    assert page.count('<svg role="img"') == 1
    wrong = client.post(
        "/admin/two_factor/set_up/", {"code": telephone.wrong_code(), "password": PASSWORD}
    ).content
    assert b"This is not the code of this secret" in wrong
    wrong = client.post("/admin/two_factor/set_up/", {"code": telephone.code(), "password": "guess"}).content
    assert b"This is not your password" in wrong
    assert not two_factor.is_enrolled(ann)
    answer = client.post(
        "/admin/two_factor/set_up/", {"code": telephone.code(), "password": PASSWORD}, follow=True
    )

    codes = shown_codes(answer)
    assert len(set(codes)) == 10
    answer = client.post("/admin/two_factor/codes/", follow=True)
    assert answer.redirect_chain == [("/admin/two_factor/", 302)]
    assert b"Two-factor log-in is <strong>on</strong> since" in answer.content
    assert client.get("/admin/two_factor/codes/")["Location"] == "/admin/two_factor/"
    assert entries() == [("ann", "set up second factor", "user ann")]
    assert AuditEntry.objects.get().reason == "own account"


def test_nobody_sets_up_an_app_without_having_been_shown_a_secret(
    ann: User, client: Client, telephone: Telephone
) -> None:
    give_password(client)

    page = client.post("/admin/two_factor/set_up/", {"code": telephone.code(), "password": PASSWORD})

    assert b"The QR code that you used is no longer valid" in page.content
    assert not two_factor.is_enrolled(ann)


def test_what_apps_read_names_the_cro_and_the_user(ann: User) -> None:
    address = TOTPDevice(user=ann, key=two_factor.make_secret()).config_url

    assert address.startswith("otpauth://totp/cro.example%3Aann?secret=")
    assert "issuer=cro.example" in address


def test_who_is_enrolled_gives_a_code_after_the_password(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    answer = give_password(client)

    assert answer["Location"] == "/admin/login/code/"
    assert not is_logged_in(client)
    assert "_auth_user_id" not in client.session
    assert b"6 digits from your app, or a recovery code" in client.get("/admin/login/code/").content
    before = client.session.session_key
    answer = give_code(client, telephone.code())
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert is_logged_in(client)
    assert client.session.session_key != before


def test_a_code_counts_once(codes: list[str], client: Client, telephone: Telephone) -> None:
    code = telephone.code()
    give_password(client)
    give_code(client, code)
    other = Client()
    give_password(other)

    page = give_code(other, code)

    assert b"This code is wrong, or was used before" in page.content
    assert not is_logged_in(other)


def test_a_recovery_code_counts_once_in_place_of_the_app(codes: list[str], client: Client) -> None:
    give_password(client)

    answer = client.post("/admin/login/code/", {"code": codes[3].replace("-", " ")}, follow=True)

    assert b"You used a recovery code; 9 are left" in answer.content
    assert is_logged_in(client)
    assert entries()[-1] == ("ann", "used recovery code", "user ann")
    other = Client()
    give_password(other)
    assert b"This code is wrong, or was used before" in give_code(other, codes[3]).content


def test_nobody_reads_recovery_codes_in_the_database(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    give_password(client)
    give_code(client, telephone.code())
    client.post("/admin/two_factor/renew_codes/", {"password": PASSWORD})
    made = client.cookies["two_factor_codes"].value

    database = str(
        [*StaticToken.objects.values_list("token", flat=True)]
        + [each.get_decoded() for each in Session.objects.all()]
    )
    on_page = shown_codes(client.get("/admin/two_factor/codes/"))
    assert len(on_page) == 10
    for code in (*codes, *on_page):
        for text in (code, code.replace("-", "")):
            assert text not in database
            assert text not in made
            assert text not in str(base64.b64decode(made))


def test_recovery_codes_are_shown_once(codes: list[str], client: Client, telephone: Telephone) -> None:
    give_password(client)
    give_code(client, telephone.code())
    made = client.post("/admin/two_factor/renew_codes/", {"password": PASSWORD}).cookies

    page = client.get("/admin/two_factor/codes/")
    assert len(shown_codes(page)) == 10
    assert page.cookies["two_factor_codes"].value == ""
    client.cookies["two_factor_codes"] = made["two_factor_codes"].value
    again = client.get("/admin/two_factor/codes/")
    assert shown_codes(again) == []
    assert b"Your recovery codes were shown once, and are not shown again" in again.content
    assert client.post("/admin/two_factor/codes/")["Location"] == "/admin/two_factor/"


@pytest.mark.parametrize("cookie", ["", "é", "QUJD", "QUJD" * 20])
def test_codes_of_another_cookie_are_not_shown(
    codes: list[str], client: Client, telephone: Telephone, cookie: str
) -> None:
    give_password(client)
    give_code(client, telephone.code())
    client.post("/admin/two_factor/renew_codes/", {"password": PASSWORD})
    client.cookies["two_factor_codes"] = cookie

    assert b"are not shown again" in client.get("/admin/two_factor/codes/").content


@override_settings(SECRET_KEY="another-key-of-thirty-two-characters")
def test_with_another_secret_key_there_are_no_recovery_codes_and_the_app_goes_on(
    ann: User, telephone: Telephone
) -> None:
    secret = two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    with override_settings(SECRET_KEY="the-key-before-of-thirty-two-characters"):
        codes = two_factor.enrol(ann, secret, telephone.code())[1]
    client = Client()
    give_password(client)

    assert b"This code is wrong" in give_code(client, codes[0]).content
    end_waits()
    assert give_code(client, telephone.code())["Location"] == PAGE


@pytest.mark.parametrize("text", ["12345", "1234567", "abcdef", "", "12345٦"])
def test_what_can_be_no_code_is_not_tried(codes: list[str], client: Client, text: str) -> None:
    give_password(client)

    assert b"errorlist" in give_code(client, text).content
    assert TOTPDevice.objects.get().throttling_failure_count == 0


def test_after_a_wrong_code_the_next_one_waits(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    give_password(client)
    for _ in range(3):
        end_waits()
        give_code(client, telephone.wrong_code())

    assert b"Too many wrong codes. Wait until" in give_code(client, telephone.code()).content
    assert not is_logged_in(client)
    end_waits()
    assert give_code(client, telephone.code())["Location"] == PAGE


def test_wrong_codes_lock_the_log_in_like_wrong_passwords(
    codes: list[str], client: Client, telephone: Telephone, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(AXES_ENABLED=True):
        for _ in range(4):
            assert give_password(Client(), "wrong").status_code == 200
        give_password(client)
        for _ in range(5):
            end_waits()
            assert give_code(client, telephone.wrong_code()).status_code == 200
        end_waits()
        page = give_code(client, telephone.wrong_code())

        assert page.status_code == 429
        assert b"Try again after" in page.content
        end_waits()
        assert give_code(client, telephone.code()).status_code == 429
        assert give_password(Client()).status_code == 429
        assert not is_logged_in(client)
        call_command("axes_reset")
        end_waits()
        assert give_code(client, telephone.code()).status_code == 302
    assert AccessAttempt.objects.count() == 0
    assert telephone.wrong_code() not in caplog.text


def test_a_right_password_forgets_no_wrong_codes(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    with override_settings(AXES_ENABLED=True):
        for _ in range(9):
            give_password(client)
            end_waits()
            give_code(client, telephone.wrong_code())
        assert AccessAttempt.objects.get().failures_since_start == 9
        assert telephone.wrong_code() not in AccessAttempt.objects.get().post_data
        end_waits()
        give_password(client)
        give_code(client, telephone.code())

    assert AccessAttempt.objects.count() == 0


def test_a_wrong_password_says_the_same_whether_or_not_there_is_a_second_factor(
    codes: list[str], client: Client
) -> None:
    User.objects.create_superuser("bob", password="right-bob")

    def error(name: str) -> list[str]:
        return re.findall(
            r'errornote">(.*?)</p>', give_password(client, "wrong", name=name).content.decode(), re.S
        )

    assert error("ann") == error("bob") == error("nobody")
    assert error("ann")


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_after_the_log_in(
    codes: list[str], client: Client, telephone: Telephone, after: str
) -> None:
    give_password(client, after=after)

    assert give_code(client, telephone.code())["Location"] == "/admin/"


def test_without_a_password_there_is_no_second_step(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    for page in ("/admin/login/code/", "/admin/login/set_up/"):
        assert client.get(page)["Location"] == "/admin/login/"
    assert give_code(client, telephone.code())["Location"] == "/admin/login/"
    assert not is_logged_in(client)


@pytest.mark.parametrize("why", ["late", "password changed", "deactivated"])
def test_a_log_in_that_has_begun_does_not_last(
    ann: User, codes: list[str], client: Client, telephone: Telephone, why: str
) -> None:
    give_password(client)
    if why == "late":
        session = client.session
        session[PENDING] = {**session[PENDING], "until": 0}
        session.save()
    elif why == "password changed":
        ann.set_password("another")
        ann.save()
    else:
        ann.is_active = False
        ann.save()

    answer = client.post("/admin/login/code/", {"code": telephone.code()}, follow=True)

    assert answer.redirect_chain == [("/admin/login/", 302)]
    assert b"Give your password again" in answer.content
    assert not is_logged_in(client)


def test_a_session_without_the_second_factor_opens_no_page(codes: list[str], ann: User) -> None:
    def pages(patterns: Any, before: str) -> list[str]:
        found = []
        for pattern in patterns:
            here = before + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                found += pages(pattern.url_patterns, here)
            elif "<" not in here and "(" not in here:
                found.append(f"/{here}")
        return found

    found = pages(get_resolver().url_patterns, "")
    # An invitation is for who cannot log in yet. Without its link it shows that it is not valid.
    public = ("/admin/login/", "/admin/invitation/")
    guarded = [page for page in found if page.startswith("/admin/") and not page.startswith(public)]
    assert len(guarded) > 20
    for page in guarded:
        client = Client()
        client.force_login(ann)
        answer = client.get(page)
        assert answer.status_code == 302, page
        assert answer["Location"].split("?")[0] in ("/admin/login/", "/admin/"), page


def test_setting_up_an_app_ends_the_other_sessions(ann: User, client: Client, telephone: Telephone) -> None:
    give_password(client)
    other = Client()
    give_password(other)
    telephone.take_over(client.get("/admin/two_factor/set_up/").content.decode())
    client.post("/admin/two_factor/set_up/", {"code": telephone.code(), "password": PASSWORD})

    assert is_logged_in(client)
    assert not is_logged_in(other)
    two_factor.turn_off(ann, actor="bob", reason="lost")
    assert not is_logged_in(client)
    assert not is_logged_in(other)


@override_settings(TWO_FACTOR_REQUIRED=True)
def test_where_one_is_required_who_has_none_sets_one_up_first(
    ann: User, client: Client, telephone: Telephone
) -> None:
    assert give_password(client)["Location"] == "/admin/login/set_up/"
    assert not is_logged_in(client)
    assert client.get("/admin/login/code/")["Location"] == "/admin/login/set_up/"
    assert client.get("/admin/two_factor/").status_code == 302
    telephone.take_over(client.get("/admin/login/set_up/").content.decode())
    wrong = client.post("/admin/login/set_up/", {"code": telephone.wrong_code()})
    assert b"This is not the code of this secret" in wrong.content
    assert not is_logged_in(client)

    answer = client.post("/admin/login/set_up/", {"code": telephone.code()})

    assert answer["Location"] == "/admin/two_factor/codes/"
    assert len(shown_codes(client.get("/admin/two_factor/codes/"))) == 10
    assert client.post("/admin/two_factor/codes/")["Location"] == PAGE
    assert is_logged_in(client)
    other = Client()
    assert give_password(other)["Location"] == "/admin/login/code/"
    assert other.get("/admin/login/set_up/")["Location"] == "/admin/login/code/"
    assert give_code(other, telephone.code())["Location"] == PAGE


def test_requiring_one_ends_sessions_that_were_opened_without(ann: User, client: Client) -> None:
    give_password(client)
    with override_settings(TWO_FACTOR_REQUIRED=True):
        answer = client.get(PAGE, follow=True)

        assert b"Log in again: your log-in needs a second step" in answer.content
        assert "_auth_user_id" not in client.session


def test_one_that_is_required_is_not_turned_off(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    give_password(client)
    give_code(client, telephone.code())
    with override_settings(TWO_FACTOR_REQUIRED=True):
        assert b"Turn off" not in client.get("/admin/two_factor/").content
        answer = client.post("/admin/two_factor/turn_off/", {"password": PASSWORD})

    assert answer.status_code == 403
    assert TOTPDevice.objects.count() == 1


def test_staff_turn_theirs_off_with_the_password(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    give_password(client)
    give_code(client, telephone.code())

    assert (
        b"This is not your password"
        in client.post("/admin/two_factor/turn_off/", {"password": "guess"}).content
    )
    answer = client.post("/admin/two_factor/turn_off/", {"password": PASSWORD}, follow=True)

    assert b"Two-factor log-in is <strong>off</strong>" in answer.content
    assert TOTPDevice.objects.count() == StaticDevice.objects.count() == 0
    assert entries()[-1] == ("ann", "turned off second factor", "user ann")
    assert is_logged_in(client)
    assert give_password(Client())["Location"] == PAGE


def test_other_recovery_codes_replace_the_earlier_ones(
    codes: list[str], client: Client, telephone: Telephone
) -> None:
    give_password(client)
    give_code(client, telephone.code())

    page = client.post("/admin/two_factor/renew_codes/", {"password": PASSWORD}, follow=True)

    made = shown_codes(page)
    assert len(made) == 10
    assert not set(made) & set(codes)
    assert entries()[-1] == ("ann", "made recovery codes", "user ann")
    other = Client()
    give_password(other)
    assert give_code(other, codes[0]).status_code == 200
    end_waits()
    assert give_code(other, made[0]).status_code == 302


def test_another_app_replaces_the_earlier_one(
    codes: list[str], client: Client, telephone: Telephone, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_password(client)
    give_code(client, telephone.code())
    bought = Telephone(monkeypatch)
    bought.now = telephone.now
    bought.take_over(client.get("/admin/two_factor/set_up/").content.decode())

    client.post("/admin/two_factor/set_up/", {"code": bought.code(), "password": PASSWORD})

    assert is_logged_in(client)
    assert TOTPDevice.objects.get().bin_key == bought.secret
    assert entries()[-1] == ("ann", "replaced second factor", "user ann")
    other = Client()
    give_password(other)
    telephone.now = bought.now
    assert give_code(other, telephone.code()).status_code == 200
    end_waits()
    assert give_code(other, codes[0]).status_code == 200


def test_a_command_resets_it_with_a_reason(ann: User, codes: list[str], client: Client) -> None:
    with pytest.raises(CommandError, match="there is no user 'nobody'"):
        call_command("reset_two_factor", "nobody", reason="lost")
    with pytest.raises(CommandError, match="Say why"):
        call_command("reset_two_factor", "ann", reason=" ")

    call_command("reset_two_factor", "ann", reason="telephone fell into a canal")

    entry = AuditEntry.objects.latest("id")
    assert entry.actor.startswith("command line")
    assert (entry.action, entry.subject, entry.reason) == (
        "reset second factor",
        "user ann",
        "telephone fell into a canal",
    )
    assert give_password(client)["Location"] == PAGE
    with pytest.raises(CommandError, match="ann has no second factor"):
        call_command("reset_two_factor", "ann", reason="again")


def test_one_s_own_change_of_password_is_on_record(ann: User, client: Client) -> None:
    give_password(client)

    client.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": "quite-another-1", "new_password2": "quite-another-1"},
    )

    assert entries() == [("ann", "changed own password", "user ann")]
    assert is_logged_in(client)


def test_the_admin_has_no_screens_of_secrets(ann: User, client: Client) -> None:
    client.force_login(ann)

    assert b"otp_" not in client.get("/admin/").content
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert client.get("/admin/otp_static/staticdevice/").status_code == 404
