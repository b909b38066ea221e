"""The order of revisions: an older update never overwrites a newer one (docs/rules.md S1 to S3)."""

from __future__ import annotations

from datetime import datetime

from common import sql
from participants import audit
from participants.models import Participant
from registry.models import RevisionPlace
from uftp.handlers import Rejection
from uftp.protocol.reasons import Reason, named

_ADVANCE = """
-- The sender's place, moved to this update and held to the end of the transaction; no row where a later one was there.
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
    """Take the place of an update that is being accepted, or raise Rejection where a later one was accepted.

    S1: with a Sequence, the highest accepted Sequence counts. S2: without one, the highest accepted TimeStamp
    (aware). Equal passes. Both places move with every accepted update and never back. To be called in the update's
    transaction: if the update is rejected after all, its place goes with it.
    """
    said = {"sender": sender.pk, "update_type": update_type, "sequence": sequence, "time_stamp": time_stamp}
    if sql.fetch(_ADVANCE, said) is not None:
        return
    place = RevisionPlace.objects.get(sender=sender, update_type=update_type)
    said_first = f"{sequence}, after {place.sequence}"
    if sequence is None:
        assert place.time_stamp is not None
        said_first = f"TimeStamp {time_stamp.isoformat()}, after {place.time_stamp.isoformat()}"
    raise Rejection([named(Reason.SUBORDINATE_SEQUENCE, [], f"{said_first} was accepted")])


def reset(sender: Participant, update_type: str, *, actor: str, reason: str) -> None:
    """Forget how far a sender's updates have come, so that any passes next; staff only, on the record (S3)."""
    place = RevisionPlace.objects.filter(sender=sender, update_type=update_type).first()
    if place is None:
        return
    before = {"sequence": place.sequence, "time_stamp": str(place.time_stamp or "")}
    place.delete()
    subject = f"{update_type} of {sender}"
    audit.note(actor, "reset revision place", subject, before, None, reason, participants=[sender])
