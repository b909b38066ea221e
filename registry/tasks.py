"""Background tasks of the registry: periodic ones, and one that imports an upload."""

from zoneinfo import ZoneInfo

from django.utils import timezone
from procrastinate.contrib.django import app

from common import clock
from participants.admin_base import extensions
from participants.daily_counts import EVERY_MINUTES, update_daily_counts
from registry.imports import upload_jobs, uploads
from registry.market.market import market, today_at
from registry.notices import send
from registry.notices.queue import TASK as SEND_NOTICES
from registry.queries import coverage
from uftp.tasks import stopping
from uftp.wakeups import long_jobs
from uftp.wakeups.wakeups import INBOX, OUTBOX


@app.periodic(cron="* * * * *")
@app.task(name="registry.count_coverage", queue=INBOX, queueing_lock="coverage")
def count_coverage(timestamp: int) -> None:
    """Update the coverage of congestion points each minute."""
    now = clock.now()
    coverage.update_coverage(today=today_at(now, market().time_zone), now=now)


@app.periodic(cron=f"*/{EVERY_MINUTES} * * * *")
@app.task(name="registry.count_days", queue=INBOX, queueing_lock="days")
def count_days(timestamp: int) -> None:
    """Count what happened today, and on days that are over, for the dashboard's trends."""
    zone = ZoneInfo(market().time_zone)
    update_daily_counts(extensions.daily_counts(), now=clock.now(), zone=zone)


@app.task(name=uploads.TASK, queue=long_jobs.QUEUE)
def run_import(run_id: int) -> None:
    """Preview an upload or apply it."""
    upload_jobs.run_upload(run_id, now=clock.now(), stopping=stopping.is_set)


@app.periodic(cron="43 * * * *")
@app.task(name="registry.forget_uploads", queue=INBOX, queueing_lock="uploads")
def forget_uploads(timestamp: int) -> None:
    """Delete the files of old uploads, each hour; a preview that nobody approved is discarded."""
    uploads.delete_old_uploads(timezone.now())


@app.task(name=SEND_NOTICES, queue=OUTBOX)
def send_notices() -> None:
    """Send the notices that are due, by e-mail."""
    send.send_due(now=timezone.now, stopping=stopping.is_set)
