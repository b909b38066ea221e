"""Background jobs of the registry, by the clock."""

from procrastinate.contrib.django import app

from participants import clock
from registry import coverage
from registry.market import market, today_at
from uftp.tasks import INBOX


@app.periodic(cron="* * * * *")
@app.task(name="registry.count_coverage", queue=INBOX, queueing_lock="coverage")
def count_coverage(timestamp: int) -> None:
    """Count what AGRs represent, each minute."""
    now = clock.now()
    coverage.count(today=today_at(now, market().time_zone), now=now)
