"""Authorizing, suspending and barring on the screens."""

import pytest
from django.test import Client

from participants.models import AuditEntry, Participant
from tests.participants.conftest import LIST, AddParticipant, errors, key_text, page_of, text_of

STANDING_CHANGES = {
    "suspended": "Rejected with the reason “Unauthorized”",
    "barred": "Rejected with the reason “Barred Sender”",
    "known": "rejected with “Unauthorized” while it is closed",
}


@pytest.mark.parametrize(("standing", "follows"), STANDING_CHANGES.items())
def test_what_follows_is_said_and_done_with_a_reason(
    staff: Client, add_participant: AddParticipant, standing: str, follows: str
) -> None:
    participant = add_participant()
    url = page_of(participant, "standing", standing)

    assert follows in text_of(staff.get(url).content)
    assert "Say why" in errors(staff.post(url, {"expected": "authorized", "reason": ""}).content)
    assert Participant.objects.get().standing == "authorized"
    done = staff.post(url, {"expected": "authorized", "reason": "fraud"}, follow=True)

    assert f"AGR agr.example is {standing if standing != 'known' else 'set to known'}." in text_of(
        done.content
    )
    assert Participant.objects.get().standing == standing
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.actor, entry.before, entry.after, entry.reason) == (
        "kim",
        {"standing": "authorized"},
        {"standing": standing},
        "fraud",
    )


def test_it_can_be_taken_back(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant(standing="barred")

    staff.post(page_of(participant, "standing", "authorized"), {"expected": "barred", "reason": "an error"})

    assert Participant.objects.get().standing == "authorized"
    assert "by kim" in text_of(staff.get(page_of(participant)).content)


def test_a_decision_about_what_another_has_changed_meanwhile_is_refused(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant(standing="barred")

    answer = staff.post(
        page_of(participant, "standing", "authorized"), {"expected": "suspended", "reason": "audit done"}
    )

    assert "changed this to: barred" in errors(answer.content)
    assert Participant.objects.get().standing == "barred"


def test_what_is_so_already_is_said(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    before = AuditEntry.objects.count()

    response = staff.post(
        page_of(participant, "standing", "authorized"), {"expected": "authorized", "reason": "x"}, follow=True
    )

    assert "AGR agr.example is authorized already." in text_of(response.content)
    assert AuditEntry.objects.count() == before


def test_there_is_no_other_standing(staff: Client, add_participant: AddParticipant) -> None:
    assert staff.get(page_of(add_participant(), "standing", "fine")).status_code == 404
    assert staff.get(f"{LIST}999999/standing/barred/").status_code == 404


def test_many_at_once_with_one_reason(staff: Client, add_participant: AddParticipant) -> None:
    chosen = [
        add_participant(domain=f"agr{number}.example", public_key=key_text(number)) for number in (1, 2, 3)
    ]
    add_participant("DSO", "grid.example", public_key=None)
    action = {"action": "suspend", "_selected_action": [str(each.pk) for each in chosen]}

    response = staff.post(LIST, action)
    assert "Suspend 3 participants" in text_of(response.content)
    assert not Participant.objects.filter(standing="suspended").exists()
    assert "Say why" in errors(staff.post(LIST, action | {"reason": ""}).content)
    hidden = {f"expected_{each.pk}": "authorized" for each in chosen}
    done = staff.post(LIST, action | hidden | {"reason": "audit overdue"}, follow=True)

    assert "3 participants are suspended." in text_of(done.content)
    assert Participant.objects.filter(standing="suspended").count() == 3
    assert AuditEntry.objects.filter(reason="audit overdue", actor="kim").count() == 3


def test_of_many_nothing_is_done_where_another_has_changed_one_meanwhile(
    staff: Client, add_participant: AddParticipant
) -> None:
    chosen = [add_participant(domain=f"agr{n}.example", public_key=key_text(n)) for n in (1, 2)]
    action = {
        "action": "authorize",
        "_selected_action": [str(each.pk) for each in chosen],
        "reason": "audited",
    }
    Participant.objects.filter(pk=chosen[0].pk).update(standing="suspended")
    Participant.objects.filter(pk=chosen[1].pk).update(standing="barred")
    hidden = {f"expected_{each.pk}": "suspended" for each in chosen}

    answer = staff.post(LIST, action | hidden)

    assert "AGR agr2.example: Meanwhile somebody else has changed this to: barred" in errors(answer.content)
    assert set(Participant.objects.values_list("standing", flat=True)) == {"suspended", "barred"}
    assert f'name="expected_{chosen[1].pk}" value="barred"' in answer.content.decode()
