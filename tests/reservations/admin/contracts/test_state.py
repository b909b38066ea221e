"""Staff take back on the screen that a contract is in force, as long as no update is about it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from reservations.models import Contract, ContractVersion
from tests.reservations.dsl import Parties, send, update_xml

BUTTON = "Make a draft again"


@pytest.fixture
def staff(client: Client, parties: Parties) -> Client:
    user = User.objects.create_user("kim", password="kim", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client.force_login(user)
    return client


def page() -> str:
    return f"/admin/reservations/contract/{Contract.objects.get().pk}/"


def seen(client: Client, what: str) -> str:
    return text(client.get(f"{page()}{what}/", follow=True))


def sent(client: Client, what: str, **values: str) -> str:
    return text(client.post(f"{page()}{what}/", {"expected": "1", **values}, follow=True))


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


def test_a_contract_without_updates_is_made_a_draft_again(staff: Client) -> None:
    assert BUTTON in seen(staff, "change")
    assert "updates about it are rejected until it is put in force" in seen(staff, "draft")
    assert "Say why" in sent(staff, "draft", reason="")
    after = sent(staff, "draft", reason="never agreed")
    assert "is a draft again" in after
    assert BUTTON not in after
    assert ContractVersion.objects.current().get().state == "draft"
    assert "is a draft already" in seen(staff, "draft")


def test_one_with_updates_is_not(staff: Client, parties: Parties) -> None:
    send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    assert BUTTON not in seen(staff, "change")
    assert "cannot become a draft again. End it instead" in seen(staff, "draft")
    assert "cannot become a draft again. End it instead" in sent(staff, "draft", reason="never agreed")
    assert ContractVersion.objects.current().get().state == "in force"


def test_one_that_somebody_else_changed_meanwhile_is_not(staff: Client) -> None:
    assert "Meanwhile the contract was changed" in sent(staff, "draft", expected="7", reason="never agreed")
    assert ContractVersion.objects.current().get().state == "in force"


def test_the_page_on_which_it_ends_says_what_to_do_instead(staff: Client) -> None:
    said = sent(staff, "end", last="2025-12-31", seen="2025-12-31", reason="over")
    assert "it cannot end before. If it never was in force, make it a draft again." in said
