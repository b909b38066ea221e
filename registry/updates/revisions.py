"""Keep the order of revisions: an older update never overwrites a newer one (docs/rules.md S1 to S3)."""

from __future__ import annotations

from datetime import datetime

from common import sql
from participants import audit
from participants.models import Participant
from registry.models import RevisionPlace
from uftp.handlers import Rejection
from uftp.protocol.reasons import Reason, named

_ADVANCE = """
-- Move the sender's revision place to this update, and lock it until the transaction ends. No row if a later update was
-- accepted.
INSERT INTO registry_revisionplace AS place (sender_id, update_type, sequence, time_stamp, updated_at)
VALUES (%(sender)s, %(update_type)s, %(sequence)s, %(time_stamp)s, statement_timestamp())
ON CONFLICT (sender_id, update_type) DO UPDATE
SET sequence = coalesce(excluded.sequence, place.sequence),
    time_stamp = greatest(excluded.time_stamp, place.time_stamp),
    updated_at = excluded.updated_at
WHERE CASE
    WHEN excluded.sequence IS NOT NULL THEN place.sequence IS NULL OR place.sequence <= excluded.sequence
    ELSE place.time_stamp IS NULL OR place.time_stamp <= excluded.time_stamp
END
RETURNING id
"""


def advance(sender: Participant, update_type: str, *, sequence: int | None, time_stamp: datetime) -> None:
    """Move the sender's revision place to an update that is being accepted.

    With a Sequence, the highest accepted Sequence counts (docs/rules.md S1). Without one, the highest accepted
    TimeStamp counts (S2). An equal value passes. Neither value ever decreases.

    Call this in the transaction of the update: if the update is rejected later, the rollback moves the place back.

    Args:
        sender: The sender of the update.
        update_type: The type of the message.
        sequence: The Sequence of the update, or None if it has none.
        time_stamp: The TimeStamp of the update (aware).

    Raises:
        Rejection: A later update was accepted.
    """
    values = {"sender": sender.pk, "update_type": update_type, "sequence": sequence, "time_stamp": time_stamp}
    if sql.fetch(_ADVANCE, values) is not None:
        return
    place = RevisionPlace.objects.get(sender=sender, update_type=update_type)
    detail = f"{sequence}, after {place.sequence}"
    if sequence is None:
        assert place.time_stamp is not None
        detail = f"TimeStamp {time_stamp.isoformat()}, after {place.time_stamp.isoformat()}"
    raise Rejection([named(Reason.SUBORDINATE_SEQUENCE, [], f"{detail} was accepted")])


def reset(sender: Participant, update_type: str, *, actor: str, reason: str) -> None:
    """Delete a revision place, so that any update of the sender passes next (docs/rules.md S3).

    Only staff do this. It makes an audit entry. Without a revision place nothing happens.

    Args:
        sender: The sender of the updates.
        update_type: The type of the messages.
        actor: The member of staff.
        reason: Why, for the audit entry.
    """
    place = RevisionPlace.objects.filter(sender=sender, update_type=update_type).first()
    if place is None:
        return
    before = {"sequence": place.sequence, "time_stamp": str(place.time_stamp or "")}
    place.delete()
    subject = f"{update_type} of {sender}"
    # The place is gone: the entry is about whose it was.
    audit.record(
        actor, "reset revision place", subject, before, None, reason, about=sender, participants=[sender]
    )
