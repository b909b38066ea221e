"""Logging in with two factors, as a person does: enrolling, coming back, a lost telephone, a lock; staff accounts."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from cro_project.login import two_factor
from participants.models import AuditEntry, Participant
from tests.browser.conftest import LogIn, operator
from tests.browser.support.looking import look
from tests.support.otp_app import Telephone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def telephone(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Telephone:
    """An app for codes; after a wrong one nobody waits, which tests/cro_project/login/test_two_factor.py looks at."""
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    return Telephone(monkeypatch)


def give(page: Page, label: str, value: str, button: str) -> None:
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name=button, exact=True).click()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log in again").click()


def give_password(page: Page, name: str = "ann") -> None:
    page.get_by_label("Username").fill(name)
    give(page, "Password", name, "Log in")


def test_a_person_sets_up_an_app_and_logs_in_with_it(log_in: LogIn, telephone: Telephone) -> None:
    operator("ann")
    page = log_in("ann", "ann")
    page.get_by_role("link", name="Two-factor").click()
    expect(page.get_by_text("Two-factor log-in is off")).to_be_visible()
    look(page, "two-factor-off")
    page.get_by_role("link", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    look(page, "two-factor-set-up")
    telephone.take_over(page.locator(".key-to-type").inner_text())
    page.get_by_label("Your password").fill("ann")
    give(page, "Code", telephone.wrong_code(), "Set up")
    expect(page.get_by_text("This is not the code of this secret")).to_be_visible()
    look(page, "two-factor-set-up-wrong")
    page.get_by_label("Your password").fill("ann")
    give(page, "Code", telephone.code(), "Set up")

    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    look(page, "two-factor-codes")
    page.get_by_role("button", name="I have stored them").click()
    expect(page.get_by_text("Two-factor log-in is on")).to_be_visible()
    look(page, "two-factor-on")

    log_out(page)
    give_password(page)
    expect(page.get_by_text("6 digits from your app, or a recovery code")).to_be_visible()
    look(page, "log-in-code")
    give(page, "Code", telephone.wrong_code(), "Log in")
    expect(page.get_by_text("This code is wrong, or was used before")).to_be_visible()
    look(page, "log-in-code-wrong")
    give(page, "Code", telephone.code(), "Log in")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()

    log_out(page)
    give_password(page)
    give(page, "Code", codes[0], "Log in")
    expect(page.get_by_text("You used a recovery code; 9 are left")).to_be_visible()
    look(page, "log-in-recovered")
    page.get_by_role("link", name="Two-factor").click()
    expect(page.get_by_text("9 of 10 recovery codes are left")).to_be_visible()
    page.get_by_role("link", name="Make recovery codes").click()
    look(page, "two-factor-renew")
    give(page, "Your password", "ann", "Make recovery codes")
    expect(page.locator(".recovery-codes code").first).not_to_have_text(codes[0])
    page.get_by_role("button", name="I have stored them").click()
    page.get_by_role("link", name="Turn off").click()
    look(page, "two-factor-turn-off")
    give(page, "Your password", "ann", "Turn off")
    expect(page.get_by_text("Two-factor log-in is turned off")).to_be_visible()


def test_where_it_is_required_the_first_log_in_sets_it_up(
    log_in: LogIn, telephone: Telephone, settings: Any
) -> None:
    settings.TWO_FACTOR_REQUIRED = True
    operator("ann")
    page = log_in("ann", "ann")
    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    look(page, "log-in-set-up")
    telephone.take_over(page.locator(".key-to-type").inner_text())
    give(page, "Code", telephone.code(), "Set up and log in")

    expect(page.locator(".recovery-codes code")).to_have_count(10)
    page.get_by_role("button", name="I have stored them").click()
    expect(page).to_have_url(re.compile("/admin/$"))
    page.get_by_role("link", name="Two-factor").click()
    expect(page.get_by_text("This CRO requires a second factor")).to_be_visible()
    expect(page.get_by_role("link", name="Turn off")).to_have_count(0)


def test_ten_wrong_codes_lock_the_log_in(
    log_in: LogIn, telephone: Telephone, settings: Any, complaints: list[str]
) -> None:
    settings.AXES_ENABLED = True
    ann = operator("ann")
    secret = two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    two_factor.enrol(ann, secret, telephone.code())
    page = log_in("ann", "ann")
    for _ in range(9):
        give(page, "Code", telephone.wrong_code(), "Log in")
        expect(page.get_by_text("This code is wrong, or was used before")).to_be_visible()
    assert complaints == []
    give(page, "Code", telephone.wrong_code(), "Log in")

    expect(page.get_by_role("heading", name="Locked for now")).to_be_visible()
    look(page, "locked-out")
    complaints.clear()


def test_a_superuser_looks_after_staff_accounts(log_in: LogIn, telephone: Telephone) -> None:
    User.objects.create_superuser("kim", password="kim")
    for number in range(3):
        Participant.objects.create(role="AGR", domain=f"agr{number}.example")
    page = log_in("kim", "kim")
    page.goto(f"{page.url.split('/admin/')[0]}/admin/auth/user/")
    page.get_by_role("link", name="Add user").click()
    page.get_by_label("Username").fill("lee")
    page.get_by_label("First name").fill("Lee")
    page.get_by_label("Last name").fill("Jansen")
    page.get_by_label("CRO participant manager").check()
    choose(page, "acts_for", "agr0")
    choose(page, "sees", "agr1")
    look(page, "user-add")
    give(page, "Reason", "starts on 1 July", "Save")
    expect(page.get_by_role("row", name="lee")).to_contain_text(
        "acts for AGR agr0.example; sees AGR agr1.example"
    )

    lee = User.objects.get(username="lee")
    secret = two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    two_factor.enrol(lee, secret, telephone.code())
    page.reload()
    look(page, "users")
    page.locator("#result_list").get_by_role("link", name="lee", exact=True).click()
    look(page, "user")
    choose(page, "acts_for", "agr2")
    page.get_by_label("Reason").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Reason")).to_have_js_property("validity.valueMissing", True)
    give(page, "Reason", "agr2 too", "Save")
    expect(page.get_by_role("row", name="lee")).to_contain_text("acts for AGR agr0.example, AGR agr2.example")

    page.locator("#result_list").get_by_role("link", name="lee", exact=True).click()
    page.get_by_role("link", name="Reset second factor").click()
    look(page, "user-reset-second-factor")
    give(page, "Reason", "lost the telephone", "Reset the second factor of lee")
    expect(page.get_by_text("The second factor of lee is reset")).to_be_visible()
    page.get_by_role("link", name="Set password").click()
    page.get_by_label("Password:", exact=True).fill("another-long-one-1")
    page.get_by_label("Password confirmation").fill("another-long-one-1")
    look(page, "user-set-password")
    give(page, "Reason", "forgot it", "Set the password of lee")
    expect(page.get_by_text("The password of lee is set")).to_be_visible()
    assert list(AuditEntry.objects.order_by("id").values_list("action", "reason")) == [
        ("added user", "starts on 1 July"),
        ("invited user", "starts on 1 July"),
        ("set up second factor", "own account"),
        ("changed user", "agr2 too"),
        ("reset second factor", "lost the telephone"),
        ("set password", "forgot it"),
    ]


def choose(page: Page, field: str, domain: str) -> None:
    """Choose a participant in a field that searches while one types."""
    page.locator(f".field-{field} .select2-search__field").fill(domain)
    page.get_by_role("option", name=f"{domain}.example").click()
    expect(page.locator(f".field-{field} .select2-selection__choice", has_text=domain)).to_be_visible()
