"""The sweep: what waits and has no wake-up gets one, whatever became of the one it had."""

from datetime import datetime

from django.db.models import QuerySet

from uftp.models import InboundMessage, OutboundMessage
from uftp.wakeups import long_jobs, wakeups

EVERY = 10.0
"""Seconds between sweeps of one worker process."""


def sweep(now: datetime) -> None:
    """Wake every inbox with a waiting message, every participant with a delivery due at `now` (real time), long jobs.

    What is at work already loses nothing by it: a drained inbox and a claimed message are left alone.
    """
    for sender_id in _waiting().values_list("sender_id", flat=True).order_by().distinct():
        wakeups.wake_inbox(sender_id)
    unclaimed = _due(now).exclude(claimed_until__gt=now)
    for role, domain in unclaimed.values_list("recipient_role", "recipient_domain").order_by().distinct():
        wakeups.wake_outbox(role, domain)
    long_jobs.wake()


def idle(now: datetime) -> bool:
    """Whether no inbox has a waiting message, no delivery is due or under way at `now` (real time), and no long job."""
    return not _waiting().exists() and not _due(now).exists() and not long_jobs.waits()


def _waiting() -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(state=InboundMessage.State.RECEIVED)


def _due(now: datetime) -> QuerySet[OutboundMessage]:
    return OutboundMessage.objects.filter(next_attempt_at__lte=now, state=OutboundMessage.State.WAITING)
