"""The order of revisions: an older update never overwrites a newer one (docs/rules.md S1 to S3)."""

from __future__ import annotations

from datetime import datetime

from django.db.models.functions import Now

from participants import journal
from participants.models import Participant
from registry.models import RevisionPlace
from uftp.handling import Rejection
from uftp.reasons import Reason, named


def advance(sender: Participant, update_type: str, *, sequence: int | None, time_stamp: datetime) -> None:
    """Take the place of an update that is being accepted, or raise Rejection where a later one was accepted.

    S1: with a Sequence, the highest accepted Sequence counts. S2: without one, the highest accepted TimeStamp
    (aware). Equal passes. Both places move with every accepted update and never back. To be called in the update's
    transaction: if the update is rejected after all, its place goes with it.
    """
    RevisionPlace.objects.bulk_create(
        [RevisionPlace(sender=sender, update_type=update_type)], ignore_conflicts=True
    )
    place = RevisionPlace.objects.select_for_update().get(sender=sender, update_type=update_type)
    if sequence is not None:
        if place.sequence is not None and sequence < place.sequence:
            raise Rejection(
                [
                    named(
                        Reason.SUBORDINATE_SEQUENCE,
                        [],
                        f"{sequence}, after {place.sequence} was accepted",
                    )
                ]
            )
        place.sequence = sequence
    elif place.time_stamp is not None and time_stamp < place.time_stamp:
        raise Rejection(
            [
                named(
                    Reason.SUBORDINATE_SEQUENCE,
                    [],
                    f"TimeStamp {time_stamp.isoformat()}, after {place.time_stamp.isoformat()} was accepted",
                )
            ]
        )
    place.time_stamp = max(time_stamp, place.time_stamp or time_stamp)
    place.updated_at = Now()
    place.save()


def reset(sender: Participant, update_type: str, *, actor: str, reason: str) -> None:
    """Forget how far a sender's updates have come, so that any passes next; staff only, on the record (S3)."""
    place = RevisionPlace.objects.filter(sender=sender, update_type=update_type).first()
    if place is None:
        return
    before = {"sequence": place.sequence, "time_stamp": str(place.time_stamp or "")}
    place.delete()
    subject = f"{update_type} of {sender}"
    journal.note(actor, "reset revision place", subject, before, None, reason, participants=[sender])
