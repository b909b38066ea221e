"""What holds for participants, keys and the audit trail, whoever changes them."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from participants import journal
from participants.admission import current_mode
from participants.models import AuditEntry, Participant, PublicKey
from participants.registering import (
    add_key,
    explain,
    save_participant,
    set_mode,
    set_standing,
    withdraw_key,
)
from tests.participants.conftest import NOW, AddParticipant, key_text


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_change_of_standing_needs_a_reason(add_participant: AddParticipant, reason: str) -> None:
    participant = add_participant()

    with pytest.raises(ValidationError, match="from authorized to barred") as refusal:
        set_standing(participant, "barred", actor="kim", reason=reason)

    assert explain(refusal.value).startswith("reason: Say why")
    assert Participant.objects.get().standing == "authorized"


def test_a_change_of_mode_needs_a_reason(db: None) -> None:
    with pytest.raises(ValidationError, match="from open to closed"):
        set_mode("closed", actor="kim", reason="")

    assert current_mode() == "open"


def test_standing_is_journaled(add_participant: AddParticipant) -> None:
    set_standing(add_participant(), "barred", actor="kim", reason="fraud")

    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.actor, entry.subject, entry.before, entry.after, entry.reason) == (
        "kim",
        "AGR agr.example",
        {"standing": "authorized"},
        {"standing": "barred"},
        "fraud",
    )


def test_an_unknown_standing_is_refused(add_participant: AddParticipant) -> None:
    with pytest.raises(ValidationError, match="not a valid choice"):
        set_standing(add_participant(), "fine", actor="kim", reason="why not")


def test_saving_touches_only_what_changed(add_participant: AddParticipant) -> None:
    participant = add_participant()
    Participant.objects.update(last_heard_at=NOW)
    participant.name = "Agr"

    save_participant(participant, actor="kim")

    participant.refresh_from_db()
    assert (participant.name, participant.last_heard_at) == ("Agr", NOW)


def test_keys_are_journaled_as_they_come_and_go(add_participant: AddParticipant) -> None:
    key = add_participant().keys.get()
    withdraw_key(key, actor="kim", now=NOW + timedelta(hours=1), reason="leaked")
    withdraw_key(key, actor="kim", now=NOW + timedelta(hours=2))

    last, first, _ = AuditEntry.objects.all()
    assert (first.action, last.action, last.reason) == ("added public key", "changed public key", "leaked")
    assert first.subject == f"AGR agr.example {key_text(1)}"
    assert (last.before, last.after) == (
        {"valid from": "2026-03-01T12:00:00+00:00", "valid until": None},
        {"valid from": "2026-03-01T12:00:00+00:00", "valid until": "2026-03-01T13:00:00+00:00"},
    )


def test_a_key_moves_to_another_participant_once_it_has_ended(add_participant: AddParticipant) -> None:
    withdraw_key(add_participant().keys.get(), actor="kim", now=NOW + timedelta(hours=1))
    other = add_participant(domain="other.example", public_key=None)

    with pytest.raises(ValidationError, match=r"the key of AGR agr\.example"):
        add_key(other, key_text(1), actor="kim", now=NOW)
    add_key(other, key_text(1), actor="kim", now=NOW + timedelta(hours=1))

    assert other.keys.count() == 1


def test_the_database_itself_keeps_a_key_to_one_participant(add_participant: AddParticipant) -> None:
    add_participant()
    other = add_participant(domain="other.example", public_key=None)

    with pytest.raises(IntegrityError, match="public_key_of_one_participant_at_a_time"):
        PublicKey.objects.create(participant=other, text=key_text(1), valid_from=NOW)


@pytest.mark.parametrize("domain", ["agr", "Agr.example", "agr..example", "-agr.example", "agr.e"])
def test_the_database_itself_keeps_to_the_form_of_domains(db: None, domain: str) -> None:
    with pytest.raises(IntegrityError, match="participant_domain_form"):
        Participant.objects.create(role="AGR", domain=domain)


@pytest.mark.parametrize(
    "do", ["UPDATE participants_auditentry SET actor = ''", "DELETE FROM participants_auditentry"]
)
def test_audit_entries_are_never_changed(db: None, do: str) -> None:
    journal.note("kim", "did", "something")

    with (
        pytest.raises(DatabaseError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(do)

    assert AuditEntry.objects.get().actor == "kim"


def test_the_actor_of_a_command_is_whoever_runs_it() -> None:
    assert journal.command_line().startswith("command line")
