"""Participants, keys and the moment at which these tests stand."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from nacl.signing import SigningKey

from participants.keys import format_public_key
from participants.models import Participant
from participants.registering import add_or_update_participant

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
