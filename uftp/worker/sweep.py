"""The sweep: everything that waits gets a wake-up, even if an earlier wake-up was lost."""

from datetime import datetime

from django.db.models import QuerySet

from uftp.delivery import circuits
from uftp.models import InboundMessage, OutboundMessage
from uftp.wakeups import long_jobs, wakeups

INTERVAL = 10.0
"""Seconds between sweeps of one worker process."""


def sweep(now: datetime) -> None:
    """Wake each inbox with a waiting message, each outbox with a due message, and the long jobs.

    Work under way is not disturbed: a worker that finds an inbox locked returns, and leased messages are left out.

    Args:
        now: The present moment, in real time.
    """
    for sender_id in _waiting().values_list("sender_id", flat=True).order_by().distinct():
        wakeups.wake_inbox(sender_id)
    unleased = _due(now).exclude(claimed_until__gt=now)
    for role, domain in unleased.values_list("recipient_role", "recipient_domain").order_by().distinct():
        wakeups.wake_outbox(role, domain)
    long_jobs.wake()


def idle(now: datetime) -> bool:
    """Return whether there is nothing to do: no waiting message, no delivery due or under way, and no long job.

    Args:
        now: The present moment, in real time.
    """
    return not _waiting().exists() and not _due(now).exists() and not long_jobs.is_waiting()


def _waiting() -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(state=InboundMessage.State.RECEIVED)


def _due(now: datetime) -> QuerySet[OutboundMessage]:
    due = OutboundMessage.objects.filter(next_attempt_at__lte=now, state=OutboundMessage.State.WAITING)
    return circuits.without_paused(due, now)
