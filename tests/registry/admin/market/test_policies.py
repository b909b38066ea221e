"""Policies on the screens."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from participants.models import AuditEntry
from registry.admin.market.policy_texts import POLICY_TEXTS, policy_text
from registry.market import policies
from registry.models import PolicySetting
from tests.registry.admin.pages import visible_text

POLICIES = "/admin/registry/policy/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def test_every_policy_has_words_for_each_of_its_values() -> None:
    named = [name for group in POLICY_TEXTS.values() for name in group]

    assert sorted(named) == sorted(policies.POLICIES)
    for name, choice in policies.POLICIES.items():
        assert tuple(policy_text(name).choices) == choice.values, name


def test_one_screen_says_what_each_policy_does_and_which_choice_holds(staff: Client) -> None:
    page_words = visible_text(staff.get(POLICIES))

    for name in policies.POLICIES:
        text = policy_text(name)
        for part in (text.title, text.about, text.example):
            assert part in page_words, name
        for value, (general, example) in text.choices.items():
            holds = (
                f"{value} in force default {general}" if value == policies.POLICIES[name].default else value
            )
            assert holds in page_words, (name, value)
            assert f"In the example: {example}" in page_words, (name, value)
    assert "From the start: nobody has set it." in page_words
    assert "30 days in force" in page_words


def test_a_policy_is_set_for_a_reason(staff: Client) -> None:
    page = f"{POLICIES}P3/change/"
    assert "It applies to messages received from this moment on." in visible_text(staff.get(page))

    refused = visible_text(staff.post(page, {"value": "reject", "expected": "adjust", "reason": ""}))
    assert "Say why" in refused
    assert policies.in_force()["P3"] == "adjust"

    done = staff.post(page, {"value": "reject", "expected": "adjust", "reason": "as agreed"}, follow=True)
    assert "applies to messages received from this moment on" in visible_text(done)
    assert "set by kim: as agreed" in visible_text(done)
    assert policies.in_force()["P3"] == "reject"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject) == ("kim", "set policy", "P3")
    assert (entry.before, entry.after, entry.reason) == (
        {"value": "adjust"},
        {"value": "reject"},
        "as agreed",
    )


WRONG = {
    "no such value": ("P3", {"value": "perhaps"}, "perhaps"),
    "no number": ("P2 days", {"value": "many"}, "whole number"),
    "a negative number": ("P2 days", {"value": "-1"}, "whole number"),
    "nothing chosen": ("P3", {"value": ""}, "required"),
    "what holds already": ("P3", {"value": "adjust"}, "This is what holds at present"),
    "set by another meanwhile": ("P3", {"value": "reject", "expected": "accept"}, "Meanwhile somebody else"),
}


@pytest.mark.parametrize(("name", "values", "said"), WRONG.values(), ids=WRONG)
def test_refused_with_a_clear_message(staff: Client, name: str, values: dict[str, str], said: str) -> None:
    present = policies.POLICIES[name].default

    answer = staff.post(f"{POLICIES}{name}/change/", {"expected": present, "reason": "why not"} | values)

    found = re.findall(r'class="errorlist[^>]*>(.*?)</ul>', answer.content.decode(), re.DOTALL)
    assert said in unescape(" ".join(found))
    assert policies.in_force()[name] == present


def test_a_number_of_days_is_set(staff: Client) -> None:
    staff.post(f"{POLICIES}P2 days/change/", {"value": "60", "expected": "30", "reason": "as agreed"})

    assert policies.in_force().long_past_days == 60


def test_names_with_spaces_have_pages(staff: Client) -> None:
    page = staff.get(POLICIES).content.decode()

    pages = re.findall(rf'href="({POLICIES}[^"]*/change/)"', page)
    assert len(pages) == len(policies.POLICIES)
    for url in pages:
        assert staff.get(url).status_code == 200, url


def test_policies_are_neither_added_nor_deleted(staff: Client) -> None:
    assert staff.get(f"{POLICIES}add/").status_code == 403
    assert staff.post(f"{POLICIES}P3/delete/", {"post": "yes"}).status_code == 403
    assert staff.get(f"{POLICIES}P99/change/").status_code == 404


def test_who_may_only_look_sees_what_holds_and_no_form(client: Client, db: None) -> None:
    lee = User.objects.create_user("lee", is_staff=True)
    lee.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(lee)

    assert "Change …" not in visible_text(client.get(POLICIES))
    assert "in force" in visible_text(client.get(f"{POLICIES}P3/change/"))
    assert 'name="reason"' not in client.get(f"{POLICIES}P3/change/").content.decode()
    answer = client.post(f"{POLICIES}P3/change/", {"value": "reject", "expected": "adjust", "reason": "fun"})
    assert answer.status_code == 403
    assert policies.in_force()["P3"] == "adjust"


def test_the_screen_reads_the_same_number_of_queries_after_many_settings(staff: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(POLICIES).status_code == 200
        return len(captured)

    staff.get(POLICIES)
    few = queries()
    for number, name in enumerate(policies.POLICIES):
        for value in policies.POLICIES[name].values or (str(number),):
            PolicySetting.objects.create(name=name, value=value)

    assert queries() == few


def test_policies_are_had_as_csv(staff: Client) -> None:
    answer = staff.get(f"{POLICIES}export/")

    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert len(text.splitlines()) == 1 + len(policies.POLICIES)
    assert "P3,adjust," in text
