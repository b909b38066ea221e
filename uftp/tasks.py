"""Background jobs: wake-up calls that carry an id. What there is to do is in the tables of messages."""

import threading

from django.utils import timezone
from procrastinate.contrib.django import app

from uftp.delivery import deliver as delivery
from uftp.delivery.local_dispatch import LocalDispatch
from uftp.processing import drain
from uftp.receiving import refusals
from uftp.wakeups.wakeups import INBOX, OUTBOX, wake_outbox

stopping = threading.Event()
"""Set when this process is asked to stop: jobs end after the message they are at."""


@app.task(name="uftp.drain_inbox", queue=INBOX)
def drain_inbox(sender_id: int) -> None:
    """Handle what waits in one sender's inbox, then deliver the answers."""
    drain.drain(sender_id, stopping=stopping.is_set, wake=dispatch)


@app.task(name="uftp.deliver", queue=OUTBOX)
def deliver(role: str, domain: str) -> None:
    """Deliver what is due for one participant."""
    delivery.deliver_due(role, domain, stopping=stopping.is_set, wake=wake_outbox)


@app.periodic(cron="17 * * * *")
@app.task(name="uftp.forget_refusals", queue=OUTBOX, queueing_lock="refusals")
def forget_refusals(timestamp: int) -> None:
    """Delete old refusals at the door, each hour."""
    refusals.prune(timezone.now())


def _deliver_here(role: str, domain: str) -> None:
    delivery.deliver_due(role, domain, stopping=stopping.is_set, wake=dispatch)


def dispatch(role: str, domain: str) -> None:
    """Have what is due for (role, domain) delivered: by a free thread of this worker, or else by a job."""
    local_dispatch(role, domain)


local_dispatch = LocalDispatch(_deliver_here, wake_outbox)
