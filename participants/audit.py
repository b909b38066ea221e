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
    """The entry of the audit trail that `actor` did `action` to `subject`, not stored.

    Args:
        before: what differs, as values that JSON can hold; None where there was nothing. Never a secret.
        after: the same; None where there is nothing.
        subject: what the object is called at this moment.
        about: the object's row. Only its primary key is read. None where no row stands for it.
        participants: those that it is about, rows or primary keys. Staff who are limited to one of them read the
            entry; an entry about none is read by staff who are not limited.
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
