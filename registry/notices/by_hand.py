"""Record that staff told a participant, or have a notice sent once more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from participants import audit
from registry.models import Notice
from registry.notices.queue import State, wake, why_not_by_mail


@transaction.atomic
def record_told(notices: Iterable[Notice], *, by: str, how: str, now: datetime) -> None:
    """Record that staff told the participants of the notices: of all of them, or of none.

    Raises:
        ValidationError: It is not said how, or one of the notices is not one to be told by hand.
    """
    if not how.strip():
        raise ValidationError("Say how they were told: this is recorded.")
    # In one order, so that two who record the same notices at once do not wait for each other.
    for notice in sorted(notices, key=lambda each: each.pk):
        changed = Notice.objects.filter(pk=notice.pk, state=State.BY_HAND).update(
            state=State.TOLD, finished_at=now, detail=how.strip()[:500]
        )
        if not changed:
            raise ValidationError(
                f"{notice.participant} was told of {notice.reference} already, or is about to be."
            )
        _record("told by hand", notice, by, how)


@transaction.atomic
def send_again(notice: Notice, *, by: str, why: str, now: datetime) -> None:
    """Have a notice sent that was to be told by hand, to the addresses that do not have it yet.

    Raises:
        ValidationError: There is no mail server or no address, no reason, or the notice is not one to be told by hand.
    """
    if not why.strip():
        raise ValidationError("Say why: this is recorded with its reason.")
    if obstacle := why_not_by_mail(notice.participant):
        raise ValidationError(obstacle)
    changed = Notice.objects.filter(pk=notice.pk, state=State.BY_HAND).update(
        state=State.WAITING, created_at=now, next_try_at=now, tries=0, finished_at=None, detail="", refused=[]
    )
    if not changed:
        raise ValidationError("This participant was told already, or is about to be.")
    _record("send notice", notice, by, why)
    transaction.on_commit(wake)


def _record(action: str, notice: Notice, by: str, reason: str) -> None:
    audit.record(
        by,
        action,
        f"notice {notice.pk} to {notice.participant}",
        after={"change": notice.change_id},
        reason=reason.strip(),
        about=notice,
        participants=[notice.participant_id],
    )
