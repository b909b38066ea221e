"""What holds for participants, keys and the audit trail, whoever changes them."""

from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from participants import audit
from participants.admission import current_mode, find_keys
from participants.key_changes import add_key, end_key, rotate_key, withdraw_key
from participants.models import AuditEntry, Participant, PublicKey
from participants.registration import change_participant, error_in_one_line, set_mode, set_standing
from tests.participants.conftest import NOW, AddParticipant, key_text, raw_key

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_change_of_standing_needs_a_reason(add_participant: AddParticipant, reason: str) -> None:
    participant = add_participant()

    with pytest.raises(ValidationError, match="from authorized to barred") as refusal:
        set_standing(participant, "barred", actor="kim", reason=reason)

    assert error_in_one_line(refusal.value).startswith("reason: Say why")
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


def test_a_name_is_kept_without_blanks_around_it(add_participant: AddParticipant) -> None:
    participant = add_participant(name=" Agr ")
    change_participant(participant, {"name": "Agr "}, actor="kim")

    assert Participant.objects.get().name == "Agr"


@pytest.mark.parametrize("inside", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028"])
def test_a_name_is_one_line_of_text(add_participant: AddParticipant, inside: str) -> None:
    participant = add_participant(name="Agr")

    with pytest.raises(ValidationError, match="control character") as refusal:
        change_participant(participant, {"name": f"Agr{inside}Inc"}, actor="kim")

    assert set(refusal.value.message_dict) == {"name"}
    assert Participant.objects.get().name == "Agr"
    assert not AuditEntry.objects.filter(action="changed participant").exists()


def test_what_is_stored_is_not_checked_again(add_participant: AddParticipant) -> None:
    participant = add_participant()
    Participant.objects.update(endpoint="ftp://stored.under.other.settings")

    set_standing(participant, "suspended", actor="kim", reason="audit overdue")

    assert Participant.objects.get().standing == "suspended"


def test_an_unknown_standing_is_refused(add_participant: AddParticipant) -> None:
    with pytest.raises(ValidationError, match="not a valid choice"):
        set_standing(add_participant(), "fine", actor="kim", reason="why not")


def test_an_edit_leaves_what_others_did_meanwhile(add_participant: AddParticipant) -> None:
    add_participant()
    read_before = Participant.objects.get()
    set_standing(Participant.objects.get(), "barred", actor="bob", reason="fraud")
    Participant.objects.update(last_heard_at=NOW)

    change_participant(read_before, {"name": "Agr"}, actor="ann", reason="its name")

    stored = Participant.objects.get()
    assert (stored.name, stored.standing, stored.last_heard_at) == ("Agr", "barred", NOW)
    assert read_before.standing == "barred"
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.before, entry.after) == ({"name": ""}, {"name": "Agr"})


def test_what_another_has_changed_meanwhile_is_not_overwritten(add_participant: AddParticipant) -> None:
    participant = add_participant()
    set_standing(Participant.objects.get(), "barred", actor="bob", reason="fraud")

    with pytest.raises(ValidationError, match="changed this to: barred"):
        set_standing(participant, "known", actor="ann", reason="why not", expected="authorized")

    assert Participant.objects.get().standing == "barred"


def test_keys_are_journaled_as_they_come_and_go(add_participant: AddParticipant) -> None:
    key = add_participant().keys.get()
    withdraw_key(key, actor="kim", now=NOW + timedelta(hours=1), reason="leaked")
    withdraw_key(key, actor="kim", now=NOW + timedelta(hours=2))

    last, first, _ = AuditEntry.objects.all()
    assert (first.action, last.action, last.reason) == ("added public key", "changed public key", "leaked")
    assert first.subject == f"AGR agr.example {key_text(1)}"
    assert (last.before, last.after) == (
        {"valid until": "it is replaced"},
        {"valid until": "2026-03-01T13:00:00+00:00"},
    )


@pytest.mark.parametrize("moment", [NOW - timedelta(days=365), NOW, NOW + timedelta(days=365)])
def test_a_key_without_a_beginning_is_valid_whatever_a_clock_says(
    add_participant: AddParticipant, moment: datetime
) -> None:
    participant = add_participant()

    assert participant.keys.valid_at(moment).count() == 1
    assert find_keys("AGR", "agr.example", moment).keys == (raw_key(1),)


def test_a_key_with_a_beginning_is_not_valid_before_it(add_participant: AddParticipant) -> None:
    participant = add_participant(public_key=None)
    add_key(participant, key_text(1), actor="kim", now=NOW, begins=NOW + HOUR)

    assert find_keys("AGR", "agr.example", NOW).keys == ()
    assert find_keys("AGR", "agr.example", NOW + HOUR).keys == (raw_key(1),)


def test_a_key_that_was_withdrawn_is_valid_again_from_its_return_on(add_participant: AddParticipant) -> None:
    participant = add_participant()
    withdraw_key(participant.keys.get(), actor="kim", now=NOW)
    add_key(participant, key_text(1), actor="kim", now=NOW + HOUR)

    key = participant.keys.get()
    assert (key.valid_from, key.valid_until) == (NOW + HOUR, None)


ROTATIONS = {
    # from when the new key is valid, how long the old one stays: when the old one ends
    "at once, with an overlap": (None, timedelta(days=14), NOW + timedelta(days=14)),
    "at once, without": (None, timedelta(0), NOW),
    "later, with an overlap": (NOW + HOUR, timedelta(days=1), NOW + HOUR + timedelta(days=1)),
    "later, without": (NOW + HOUR, timedelta(0), NOW + HOUR),
}


@pytest.mark.parametrize(("begins", "overlap", "ends"), ROTATIONS.values(), ids=ROTATIONS)
def test_a_new_key_takes_the_place_of_the_others(
    add_participant: AddParticipant, begins: datetime | None, overlap: timedelta, ends: datetime
) -> None:
    participant = add_participant()

    key = rotate_key(
        participant, key_text(2), begins=begins, overlap=overlap, actor="kim", now=NOW, reason="rotation"
    )

    old = participant.keys.exclude(pk=key.pk).get()
    assert (old.valid_from, old.valid_until) == (None, ends)
    assert (key.text, key.valid_from, key.valid_until) == (key_text(2), begins or NOW, None)
    assert {entry.reason for entry in AuditEntry.objects.all()[:2]} == {"rotation"}


def test_a_rotation_lengthens_no_key(add_participant: AddParticipant) -> None:
    participant = add_participant()
    end_key(participant.keys.get(), NOW + HOUR, actor="kim", now=NOW)

    rotate_key(
        participant, key_text(2), begins=None, overlap=timedelta(1), actor="kim", now=NOW, reason="rotation"
    )

    assert participant.keys.get(text=key_text(1)).valid_until == NOW + HOUR


def test_a_rotation_can_be_taken_back(add_participant: AddParticipant) -> None:
    participant = add_participant()
    for number in (2, 1):
        rotate_key(
            participant,
            key_text(number),
            begins=None,
            overlap=timedelta(days=1),
            actor="kim",
            now=NOW,
            reason="rotation",
        )

    ends = {key.text: key.valid_until for key in participant.keys.all()}
    assert ends == {key_text(1): None, key_text(2): NOW + timedelta(days=1)}


def test_a_key_moves_to_another_participant_once_it_has_ended(add_participant: AddParticipant) -> None:
    withdraw_key(add_participant().keys.get(), actor="kim", now=NOW + timedelta(hours=1))
    other = add_participant(domain="other.example", public_key=None)

    with pytest.raises(ValidationError, match=r"the key of another participant"):
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
    audit.record("kim", "did", "something", about=None)

    with (
        pytest.raises(DatabaseError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(do)

    assert AuditEntry.objects.get().actor == "kim"


def test_the_actor_of_a_command_is_whoever_runs_it() -> None:
    assert audit.command_actor().startswith("command line")
