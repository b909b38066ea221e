"""Staff look at contracts, enter and change them, with no JavaScript: over HTTP, by every button."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from participants.models import Participant
from reservations.models import Contract
from tests.reservations.conftest import At
from tests.reservations.filling import Filled
from tests.reservations.saying import POINT

LIST = "/admin/reservations/contract/"
ADD = f"{LIST}add/"


def member(name: str, group: str = "CRO operator") -> User:
    user = User.objects.create_user(name, password=name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def staff(client: Client, at: At, db: None) -> Client:
    """An operator, kim, with two DSOs and two AGRs on record."""
    for role, domain in (
        ("DSO", "net.example"),
        ("DSO", "grid.example"),
        ("AGR", "flex.example"),
        ("AGR", "sun.example"),
    ):
        Participant.objects.create(role=role, domain=domain)
    client.force_login(member("kim"))
    return client


def entering(client: Client, contract_id: str = "C-1", **said: str) -> Filled:
    """The form of a new contract with everything but its profile."""
    terms = {
        "dso": "net.example",
        "agr": "flex.example",
        "contract_id": contract_id,
        "congestion_point": POINT,
        "first": "2026-03-01",
        "last": "2026-12-31",
        "deadline-kind": "days",
        "deadline-days": "1",
        "deadline-at": "10:00",
    }
    return Filled(client, ADD).write(**{**terms, **said})


def test_a_contract_is_entered(staff: Client) -> None:
    form = entering(staff)
    form.write(**{"from": "07:00", "to": "22:00", "power": "1000"})
    form = form.press("fill")
    assert form.rows("every") == [("29", "88", "1000")]
    assert "Every day: ISPs 29-88, 07:00–22:00, have 1,000 W. Not saved yet." in form.text
    page = form.press("save")
    assert "Contract C-1 is entered." in page.text, page.text
    assert Contract.objects.get().versions.get().state == "draft"
