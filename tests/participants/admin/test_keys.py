"""Rotating, ending and changing public keys on the screens."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from participants.key_changes import end_key
from participants.models import AuditEntry, PublicKey
from tests.participants.conftest import NOW, AddParticipant, errors, key_text, page_of, text_of

MARKET = ZoneInfo("Europe/Amsterdam")
"""The zone in which staff see and enter times, unless another is set."""
NEW = {"public_key": key_text(2), "begins": "", "overlap_days": "14", "reason": "rotation"}

ALWAYS = "always – it is replaced"
"""What the page of a key says that has neither a beginning nor an end."""


@pytest.fixture(autouse=True)
def _clock(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


def test_a_new_key_is_valid_at_once_and_the_old_one_a_fortnight_more(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()

    done = staff.post(page_of(participant, "keys", "rotate"), NEW, follow=True)

    text = text_of(done.content)
    assert f"{key_text(2)} is valid." in text
    assert "2 valid" in text
    assert "valid for another 14 days" in text
    old, new = participant.keys.all()
    assert (new.text, new.valid_until) == (key_text(2), None)
    assert (new.valid_from, old.valid_until) == (NOW, NOW + timedelta(days=14))
    assert {(entry.actor, entry.reason) for entry in AuditEntry.objects.all()[:2]} == {("kim", "rotation")}


def test_no_overlap_ends_the_old_key_at_once(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    done = staff.post(page_of(participant, "keys", "rotate"), NEW | {"overlap_days": "0"}, follow=True)

    assert "ended" in text_of(done.content)
    assert [key.text for key in participant.keys.valid_at(NOW)] == [key_text(2)]


def test_a_new_key_may_begin_later_in_the_markets_time(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    begins = (NOW + timedelta(days=3)).astimezone(MARKET)

    done = staff.post(
        page_of(participant, "keys", "rotate"),
        NEW | {"begins": f"{begins:%Y-%m-%dT%H:%M:%S}", "overlap_days": "2"},
        follow=True,
    )

    assert "not valid yet; from" in text_of(done.content)
    old, new = participant.keys.all()
    assert (new.valid_from, old.valid_until) == (begins, begins + timedelta(days=2))


REFUSED = {
    "no reason": ({"reason": ""}, "Say why"),
    "no key": ({"public_key": ""}, "Paste the key"),
    "something else": ({"public_key": "secret"}, "Base64"),
    "another's key": ({"public_key": key_text(9)}, "the key of another participant"),
    "a negative overlap": ({"overlap_days": "-1"}, "greater than or equal to 0"),
    "no overlap given": ({"overlap_days": ""}, "0 ends the old keys"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_clear_message(
    staff: Client, add_participant: AddParticipant, values: dict[str, str], message: str
) -> None:
    participant = add_participant()
    add_participant("DSO", "grid.example", public_key=key_text(9))

    answer = staff.post(page_of(participant, "keys", "rotate"), NEW | values)

    assert message in errors(answer.content)
    assert [key.valid_until for key in participant.keys.all()] == [None]


def test_a_preview_shows_the_keys_as_they_would_be_and_changes_nothing(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    before = AuditEntry.objects.count()
    url = page_of(participant, "keys", "rotate", "preview")

    text = text_of(staff.post(url, NEW | {"reason": ""}).content)
    assert key_text(2) in text
    assert "valid for another 14 days" in text
    assert "Base64" in text_of(staff.post(url, NEW | {"public_key": "secret"}).content)
    assert staff.post(url, {}).content == b""

    assert (PublicKey.objects.count(), AuditEntry.objects.count()) == (1, before)


def test_a_key_is_ended_at_once(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    key = participant.keys.get()
    url = page_of(participant, "keys", key.pk)

    assert "This is its only valid key." in text_of(staff.get(url).content)
    assert "Say why" in errors(staff.post(url, {"end": "yes", "reason": ""}).content)
    done = staff.post(url, {"end": "yes", "reason": "leaked"}, follow=True)

    assert "none valid" in text_of(done.content)
    assert not participant.keys.valid_at(NOW).exists()
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.actor, entry.action, entry.reason) == ("kim", "changed public key", "leaked")


def test_the_moments_of_a_key_are_the_markets(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    key = participant.keys.get()
    url = page_of(participant, "keys", key.pk)

    answer = staff.post(
        url,
        {
            "valid_from": "",
            "valid_until": "2031-07-01T12:00:00",
            "reason": "end of contract",
            "expected": ALWAYS,
        },
    )

    assert answer.status_code == 302, errors(answer.content)
    key.refresh_from_db()
    assert key.valid_until.astimezone(MARKET).isoformat() == "2031-07-01T12:00:00+02:00"
    assert 'value="2031-07-01T12:00:00"' in staff.get(url).content.decode()


def test_a_key_cannot_end_before_it_begins(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    url = page_of(participant, "keys", participant.keys.get().pk)

    answer = staff.post(
        url,
        {
            "valid_from": "2031-07-01T12:00",
            "valid_until": "2031-06-01T12:00",
            "reason": "odd",
            "expected": ALWAYS,
        },
    )

    assert "cannot end before it begins" in errors(answer.content)


def test_a_key_belongs_to_its_participant(staff: Client, add_participant: AddParticipant) -> None:
    key = add_participant().keys.get()
    other = add_participant("DSO", "grid.example", public_key=None)

    assert staff.get(page_of(other, "keys", key.pk)).status_code == 404


def test_the_moments_of_a_key_that_another_has_ended_meanwhile_are_kept(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    key = participant.keys.get()
    end_key(key, NOW, actor="bob", now=NOW, reason="stolen")

    answer = staff.post(
        page_of(participant, "keys", key.pk),
        {"valid_from": "", "valid_until": "", "reason": "it goes on", "expected": ALWAYS},
    )

    assert "Meanwhile somebody else has changed when this key is valid" in errors(answer.content)
    assert participant.keys.get().valid_until == NOW


def test_what_is_wrong_with_a_key_begins_like_a_sentence(
    staff: Client, add_participant: AddParticipant
) -> None:
    page = page_of(add_participant(), "keys", "rotate")

    assert "A public key is cs1. and Base64" in errors(staff.post(page, NEW | {"public_key": "no"}).content)
