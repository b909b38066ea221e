"""The tasks of the queue: wake-ups for an inbox or an outbox. What there is to do is in the tables of messages."""

import threading

from django.utils import timezone
from procrastinate.contrib.django import app

from common import clock
from uftp import message_search
from uftp.delivery import deliver as delivery
from uftp.delivery.local_dispatch import LocalDispatch
from uftp.processing import drain
from uftp.receiving import refusals, unknown_senders
from uftp.wakeups import long_jobs
from uftp.wakeups.wakeups import INBOX, OUTBOX, wake_outbox

stopping = threading.Event()
"""Set when this process is to stop. Each job ends after its present message."""


@app.task(name="uftp.drain_inbox", queue=INBOX)
def drain_inbox(sender_id: int) -> None:
    """Handle the waiting messages of one sender, and have the responses delivered."""
    drain.drain(sender_id, stopping=stopping.is_set, wake=dispatch)


@app.task(name="uftp.deliver", queue=OUTBOX)
def deliver(role: str, domain: str) -> None:
    """Deliver the due messages to one participant."""
    delivery.deliver_due(role, domain, stopping=stopping.is_set, wake=wake_outbox)


@app.periodic(cron="17 * * * *")
@app.task(name="uftp.forget_refusals", queue=OUTBOX, queueing_lock="refusals")
def forget_refusals(timestamp: int) -> None:
    """Delete old refused requests and unknown senders, once an hour."""
    refusals.prune(timezone.now())
    unknown_senders.prune(timezone.now())


@app.task(name=message_search.TASK, queue=long_jobs.QUEUE)
def search_messages(search_id: int) -> None:
    """Search in the messages of a sender."""
    message_search.run(search_id, now=clock.now, stopping=stopping.is_set)


def _deliver_locally(role: str, domain: str) -> None:
    delivery.deliver_due(role, domain, stopping=stopping.is_set, wake=dispatch)


def dispatch(role: str, domain: str) -> None:
    """Have the due messages to (role, domain) delivered, by a free thread of this worker or else by a job."""
    local_dispatch(role, domain)


local_dispatch = LocalDispatch(_deliver_locally, wake_outbox)
