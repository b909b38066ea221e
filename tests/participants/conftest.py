"""Participants, keys and the moment at which these tests stand."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from nacl.signing import SigningKey

from participants.keys import format_public_key
from participants.models import Mode, Participant
from participants.registration import add_or_update_participant

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

AddParticipant = Callable[..., Participant]


def raw_key(number: int) -> bytes:
    """A sound public key, the same for the same number."""
    return bytes(SigningKey(number.to_bytes(32, "big")).verify_key)


def key_text(number: int) -> str:
    return format_public_key(raw_key(number))


@pytest.fixture
def add_participant(db: None) -> AddParticipant:
    """Add a participant: by default AGR agr.example with key 1."""

    def add(role: str = "AGR", domain: str = "agr.example", **given: object) -> Participant:
        values: dict[str, object] = {"public_key": key_text(1), "actor": "test", "now": NOW} | given
        return add_or_update_participant(role=role, domain=domain, **values)[0]  # type: ignore[arg-type]

    return add


LIST = "/admin/participants/participant/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A member of staff who may do everything."""
    Mode.objects.get_or_create()
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """A member of staff who may look at everything, and change nothing."""
    lee = User.objects.create_user("lee", password="lee", is_staff=True)
    lee.user_permissions.set(Permission.objects.filter(codename__regex="^(view_.*|see_every_participant)$"))
    client = Client()
    client.force_login(lee)
    return client


def page_of(participant: Participant, *below: object) -> str:
    """The page of a participant, or one below it."""
    return f"{LIST}{participant.pk}/" + "".join(f"{part}/" for part in below or ("change",))


def errors(page: bytes) -> str:
    """The errors that a page shows."""
    return " ".join(re.findall(r'class="errorlist[^>]*>(.*?)</ul>', page.decode(), re.DOTALL))


def text_of(page: bytes) -> str:
    """What a page says, without its mark-up."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.decode()).split())
