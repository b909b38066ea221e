"""Count what happened on each day, for the trends on the dashboard: a table of DAYS days, counted ahead.

Apps say how they count (`ScreenExtension.daily_counts`). A day that is over is counted once more after its end, and
never again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from common import locks
from participants.models import DailyCount, Participant
from participants.scope import Scope

DAYS = 90
"""So many days are kept, today included."""

EVERY_MINUTES = 10
"""Minutes of the hour from one run to the next."""

MAX_DAYS_A_RUN = 10
"""At most this many days are counted in one run, so that the first runs do not take long."""

COUNTED = "counted"
"""The measure of a row that says that a day was counted: 1 after the end of the day, 0 before."""

Key = tuple[str, int | None]
"""A measure and a participant, or None for the number in all."""

CountDay = Callable[[datetime, datetime], Iterable[tuple[Key, int]]]
"""Count what happened from the first moment on, before the second."""


def update_daily_counts(counters: Sequence[CountDay], *, now: datetime, zone: ZoneInfo) -> list[date]:
    """Count today, and the latest days that were not counted after their end. Return the days that were counted.

    Do nothing while another process counts.
    """
    today = now.astimezone(zone).date()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.DAILY_COUNTS])
        if cursor.fetchone() != (True,):
            return []
        first = today - timedelta(days=DAYS - 1)
        DailyCount.objects.filter(day__lt=first).delete()
        over = set(_counts(None, [COUNTED]).filter(number=1).values_list("day", flat=True))
        days = [day for day in (today - timedelta(days=ago) for ago in range(DAYS)) if day not in over]
        for day in days[:MAX_DAYS_A_RUN]:
            _count(counters, day, zone, is_over=day < today)
    return days[:MAX_DAYS_A_RUN]


def next_run(now: datetime) -> datetime:
    """Return when the worker counts next after `now`."""
    begun = now.replace(minute=now.minute - now.minute % EVERY_MINUTES, second=0, microsecond=0)
    return begun + timedelta(minutes=EVERY_MINUTES)


def trend(scope: Scope, measures: Sequence[str]) -> dict[date, dict[str, int]]:
    """Return the numbers of each measure on each day that was counted, the earliest first.

    For a scope of some participants they are the sums of what concerns each of these.
    """
    counted = _counts(None, [COUNTED]).order_by("day").values_list("day", flat=True)
    found: dict[date, dict[str, int]] = {day: dict.fromkeys(measures, 0) for day in counted}
    rows = _counts(None if scope.everyone else sorted(scope.ids), measures)
    for day, measure, number in rows.values_list("day", "measure").annotate(total=Sum("number")):
        if day in found:
            found[day][measure] = number
    return found


def _counts(participants: list[int] | None, measures: Sequence[str]) -> QuerySet[DailyCount]:
    """Return the rows of all (None) or of some participants."""
    rows = DailyCount.objects.filter(measure__in=measures).order_by()
    if participants is None:
        return rows.filter(participant=None)
    return rows.filter(participant__in=participants)


def _count(counters: Sequence[CountDay], day: date, zone: ZoneInfo, *, is_over: bool) -> None:
    begin = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    totals = Counter[Key]()
    for count in counters:
        for key, number in count(begin, end):
            totals[key] += number
    known = set(Participant.objects.values_list("pk", flat=True))
    DailyCount.objects.filter(day=day).delete()
    rows = [
        DailyCount(day=day, measure=measure, participant_id=participant, number=number)
        for (measure, participant), number in totals.items()
        if participant is None or participant in known
    ]
    state = DailyCount(day=day, measure=COUNTED, participant=None, number=int(is_over))
    DailyCount.objects.bulk_create([*rows, state])
