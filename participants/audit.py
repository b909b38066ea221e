"""The audit trail: who changed what, from which values to which, and why. Entries are only added, never edited."""

import getpass
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from participants.models import AuditEntry, Participant

Values = Mapping[str, Any]


def record(
    actor: str,
    action: str,
    subject: str,
    before: Values | None = None,
    after: Values | None = None,
    reason: str = "",
    *,
    about: Model | None,
    participants: Iterable[Participant | int] = (),
) -> AuditEntry:
    """Add an entry to the audit trail, in the caller's transaction. The arguments are those of `build_entry`."""
    noted = build_entry(actor, action, subject, before, after, reason, about=about, participants=participants)
    noted.save()
    return noted


def build_entry(
    actor: str,
    action: str,
    subject: str,
    before: Values | None = None,
    after: Values | None = None,
    reason: str = "",
    *,
    about: Model | None,
    participants: Iterable[Participant | int] = (),
) -> AuditEntry:
    """Build an entry of the audit trail, without storing it: `actor` did `action` to `subject`.

    Args:
        actor: Who did it: the name of a member of staff, or of a command.
        action: What was done, such as `changed participant`.
        subject: What the object is called at this moment.
        before: The former values that differ, as JSON; None if there were none. Never a secret.
        after: The new values that differ, as JSON; None if there are none.
        reason: Why, in the words of the actor.
        about: The object's row, of which only the primary key is used; None if the object has no row.
        participants: The participants concerned, rows or primary keys. Staff limited to one of them see the entry. An
            entry about no participant is visible only to staff who are not limited.
    """
    return AuditEntry(
        actor=actor[:150],
        action=action,
        subject=subject,
        before=before,
        after=after,
        reason=reason,
        content_type=ContentType.objects.get_for_model(about) if about is not None else None,
        object_pk=str(about.pk) if about is not None else "",
        participants=sorted({row.pk if isinstance(row, Participant) else row for row in participants}),
    )


def command_actor() -> str:
    """Return the actor of a command: the user of the operating system who runs it."""
    try:
        return f"command line: {getpass.getuser()}"
    except (OSError, KeyError):
        return "command line"
