"""Add, change and remove the contacts of a participant.

The audit trail is never erased, so its entries name the purpose of a contact alone, not the person.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from participants import audit
from participants.models import Contact, Participant

MAX_CONTACTS = 50
"""At most this many contacts of one participant."""


@transaction.atomic
def save(contact: Contact, *, actor: str) -> None:
    """Store a contact, new or changed.

    Raises:
        ValidationError: A value is not allowed, or the participant has MAX_CONTACTS already.
    """
    new = contact.pk is None
    Participant.objects.select_for_update(no_key=True).get(pk=contact.participant_id)
    contact.full_clean()
    if new and contact.participant.contacts.count() >= MAX_CONTACTS:
        raise ValidationError(f"A participant has at most {MAX_CONTACTS} contacts: remove one first.")
    contact.save()
    _record("added contact" if new else "changed contact", contact, actor)


@transaction.atomic
def remove(contact: Contact, *, actor: str) -> None:
    """Delete a contact."""
    _record("removed contact", contact, actor)
    contact.delete()


def _record(action: str, contact: Contact, actor: str) -> None:
    audit.record(
        actor,
        action,
        str(contact.participant),
        after={"purpose": contact.purpose},
        about=contact.participant,
        participants=[contact.participant_id],
    )
