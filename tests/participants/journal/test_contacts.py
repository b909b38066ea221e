"""The contacts of a participant: name, purpose, e-mail and telephone, for staff in scope."""

from __future__ import annotations

import pytest
from django.test import Client

from participants.journal.contacts import MAX_CONTACTS
from participants.models import AuditEntry, Contact
from tests.participants.conftest import AddParticipant, errors, page_of, text_of

ANN = {
    "name": "Ann Example",
    "purpose": "conflicts",
    "email": "ann@agr.example",
    "telephone": "+31 20 123 45 67",
    "is_told": "on",
}


def test_a_contact_is_added_changed_and_removed(staff: Client, add_participant: AddParticipant) -> None:
    agr = add_participant()
    answer = staff.post(page_of(agr, "contacts", "add"), ANN)
    assert answer.status_code == 302
    shown = text_of(staff.get(page_of(agr)).content)
    assert "Ann Example conflicts ann@agr.example +31 20 123 45 67 yes" in shown
    contact = Contact.objects.get()

    staff.post(page_of(agr, "contacts", contact.pk), {**ANN, "telephone": "", "is_told": ""})
    contact.refresh_from_db()
    assert (contact.telephone, contact.is_told) == ("", False)

    staff.post(page_of(agr, "contacts", contact.pk), {"remove": "yes"})
    assert not Contact.objects.exists()
    said = AuditEntry.objects.filter(action__endswith="contact").order_by("pk")
    assert [(entry.action, entry.actor, entry.after) for entry in said] == [
        ("added contact", "kim", {"purpose": "conflicts"}),
        ("changed contact", "kim", {"purpose": "conflicts"}),
        ("removed contact", "kim", {"purpose": "conflicts"}),
    ], "the audit trail is never erased: it has no name, address or number of a person"
    assert all(entry.participants == [agr.pk] for entry in said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"email": "", "telephone": ""}, "Give an e-mail address or a telephone number."),
        ({"email": "ann"}, "Enter a valid email address."),
        ({"name": ""}, "This field is required."),
        ({"purpose": ""}, "This field is required."),
    ],
)
def test_a_contact_that_cannot_be_reached_is_refused(
    staff: Client, add_participant: AddParticipant, given: dict[str, str], said: str
) -> None:
    answer = staff.post(page_of(add_participant(), "contacts", "add"), {**ANN, **given})
    assert said in errors(answer.content)
    assert not Contact.objects.exists()


def test_a_participant_has_a_bounded_number_of_contacts(
    staff: Client, add_participant: AddParticipant
) -> None:
    agr = add_participant()
    Contact.objects.bulk_create(
        Contact(participant=agr, name=f"N{number}", purpose="p", telephone="1")
        for number in range(MAX_CONTACTS)
    )
    answer = staff.post(page_of(agr, "contacts", "add"), ANN)
    assert f"at most {MAX_CONTACTS} contacts" in errors(answer.content)


def test_who_only_looks_changes_no_contact(viewer: Client, add_participant: AddParticipant) -> None:
    agr = add_participant()
    contact = Contact.objects.create(participant=agr, name="Ann", purpose="p", telephone="1")
    assert "Ann" in text_of(viewer.get(page_of(agr)).content)
    assert viewer.post(page_of(agr, "contacts", "add"), ANN).status_code == 403
    assert viewer.post(page_of(agr, "contacts", contact.pk), {"remove": "yes"}).status_code == 403
    assert viewer.get(page_of(agr, "contacts", contact.pk)).status_code == 403


def test_an_address_with_a_control_character_is_refused(
    staff: Client, add_participant: AddParticipant
) -> None:
    """Python's e-mail would begin a new line of the header there."""
    given = {"email": '"a\x0bBcc:x@evil.example"@agr.example'}
    answer = staff.post(page_of(add_participant(), "contacts", "add"), {**ANN, **given})
    assert "control character" in errors(answer.content)
    assert not Contact.objects.exists()
