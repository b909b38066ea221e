"""Queue the notices of a decision: one for each participant concerned, in the transaction of the decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from participants.models import Contact, Participant
from registry.models import Notice
from uftp.wakeups import wakeups

TASK = "registry.send_notices"

State = Notice.State

NO_MAIL = "This CRO has no mail server (EMAIL_HOST)."
NO_CONTACT = "No contact with an e-mail address is to be told."


def queue_notices(change: int, participants: Iterable[int]) -> None:
    """Have participants told of a decision, once its transaction is committed (docs/rules.md N1).

    Where that is not possible by e-mail, the notice says that staff tell them by hand.

    Args:
        change: The number of the change of the decision.
        participants: The primary keys of the participants concerned.
    """
    notices = []
    for pk in sorted(set(participants)):
        obstacle = why_not_by_mail(pk)
        notices.append(
            Notice(
                change_id=change,
                participant_id=pk,
                state=State.BY_HAND if obstacle else State.WAITING,
                next_try_at=None if obstacle else Now(),
                detail=obstacle,
            )
        )
    Notice.objects.bulk_create(notices)
    if any(notice.state == State.WAITING for notice in notices):
        transaction.on_commit(wake)


def why_not_by_mail(participant: Participant | int) -> str:
    """Return why a participant cannot be told by e-mail; empty when it can."""
    if not settings.EMAIL_HOST:
        return NO_MAIL
    return "" if addresses_of(participant) else NO_CONTACT


def addresses_of(participant: Participant | int) -> list[str]:
    """Return the addresses of the contacts that are told of decisions."""
    told = Contact.objects.filter(participant=participant, is_told=True).exclude(email="")
    return list(dict.fromkeys(told.order_by("pk").values_list("email", flat=True)))


def due(now: datetime | Now) -> QuerySet[Notice]:
    """Return the notices that are to be sent by `now` (in real time), the first one first."""
    return Notice.objects.filter(state=State.WAITING, next_try_at__lte=now).order_by("next_try_at", "pk")


def wake() -> None:
    """Have a worker send what is due."""
    wakeups.wake(wakeups.OUTBOX, TASK, "notices", {})


def wake_due() -> None:
    """Wake a worker if a notice is due: after a pause, or when an earlier wake-up was lost."""
    if is_due():
        wake()


def is_due() -> bool:
    """Return whether a notice is due."""
    return due(Now()).exists()
