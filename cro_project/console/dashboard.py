"""The dashboard's figures: what goes on, and what waits for staff. Each leads to the list behind it.

A figure counts what its list shows to the same member of staff: within their scope, and only where they may look at
the list. Every figure is one statement, whatever there is to count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.db.models import Case, Count, Model, When
from django.utils.safestring import SafeString

from cro_project.console import charts
from cro_project.console.charts import Bar
from participants.admin_base.extensions import figures
from participants.admin_base.figures import Figure, counted, list_url
from participants.admission import current_mode
from participants.models import Mode, Participant
from participants.scope import Scope, seen_by
from registry.market.market import market, today_at
from registry.models import Conflict, CongestionPoint
from registry.queries import coverage
from uftp.delivery.forwarding import IS_PASSED_ON
from uftp.models import InboundMessage, OutboundMessage

PARTIES = 8
"""Parties of open conflicts and recipients of waiting messages that are named; the rest is in the lists."""

RESULTS = (
    ("Accepted", "Accepted", "ok"),
    ("Rejected", "Rejected", "bad"),
    ("passed on", "Passed on", "other"),
    ("", "No result", "warn"),
)
"""Results of received messages: as their list is filtered by, in words, and the class that colours them."""


MOST = 100_000
"""Open conflicts that are counted; beyond, a figure says `at least`."""

OPEN_CONFLICTS = """
-- The open conflicts in scope, by the domains of both parties, and by how many of the moments `begins`, in order,
-- they opened at or after.
SELECT holder.domain, claimant.domain, width_bucket(opened.moment, %(begins)s::timestamptz[]), sum(many)::bigint
FROM (
    SELECT holder_id, claimant_id, opened_by_id, count(*) AS many
    FROM (
        SELECT holder_id, claimant_id, opened_by_id FROM registry_conflict
        WHERE closed_by_id IS NULL
            AND (%(everyone)s OR holder_id = ANY(%(ids)s::bigint[]) OR claimant_id = ANY(%(ids)s::bigint[]))
        LIMIT %(most)s
    ) one
    GROUP BY 1, 2, 3
) alike
JOIN registry_change opened ON opened.id = opened_by_id
JOIN participants_participant holder ON holder.id = holder_id
JOIN participants_participant claimant ON claimant.id = claimant_id
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Cell:
    number: str
    url: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the dashboard shows; None and empty where this member of staff may not look at it."""

    begin: bool
    """There is no participant yet in what this member of staff sees."""

    limited: bool
    mode: str | None
    conflicts: Figure | None
    ages: list[Figure]
    parties: list[Figure]
    messages: Figure | None
    chart: SafeString
    types: list[tuple[str, list[Cell]]]
    waiting: list[Figure]
    """What waits for staff, or for a participant, as the apps register it: messages, imports, contracts, updates."""

    recipients: list[Figure]
    """For whom deliveries wait."""

    silent: Figure | None
    coverage: list[Figure]
    coverage_at: datetime | None


def dashboard(user: User | AnonymousUser, now: datetime) -> Dashboard:
    """Return the figures that `user` may see, at `now` (aware)."""
    scope = seen_by(user)
    zone = ZoneInfo(market().time_zone)

    def may(model: type[Model]) -> bool:
        return user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")

    today = today_at(now, zone.key)
    conflicts, ages, parties = _conflicts(scope, today, zone) if may(Conflict) else (None, [], [])
    messages, types = _messages(scope, now) if may(InboundMessage) else (None, {})
    bands = coverage.bands(scope) if may(CongestionPoint) else []
    points = list_url(CongestionPoint)
    most = max((many for _, many, _ in bands), default=0)
    return Dashboard(
        begin=not scope.restrict(Participant.objects.all(), "pk").exists(),
        limited=not scope.everyone,
        mode=Mode(value=current_mode()).get_value_display() if may(Mode) else None,
        conflicts=conflicts,
        ages=ages,
        parties=parties,
        messages=messages,
        chart=_chart(types),
        types=[(name, _cells(name, types[name])) for name in types],
        waiting=list(figures(scope, now, may)),
        recipients=_recipients(scope) if may(OutboundMessage) else [],
        silent=_silent(scope) if may(Participant) else None,
        coverage=[
            Figure(label, f"{many:,}", f"{points}?{query}", charts.share(many, most))
            for label, many, query in bands
        ],
        coverage_at=coverage.counted_at() if bands else None,
    )


def _conflicts(scope: Scope, today: date, zone: ZoneInfo) -> tuple[Figure, list[Figure], list[Figure]]:
    """Count the open conflicts, by the market's day on which they opened, and by the parties with most of them."""
    ages = _ages(today)
    begins = [datetime.combine(first, time(), zone) for _, first, _ in reversed(ages) if first]
    by_age, by_party = Counter[int](), Counter[str]()
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN_CONFLICTS,
            {"begins": begins, "everyone": scope.everyone, "ids": sorted(scope.ids), "most": MOST},
        )
        for holder, claimant, age, many in cursor.fetchall():
            by_age[age] += many
            for domain in {holder, claimant}:
                by_party[domain] += many
    total = by_age.total()
    at_least = "at least " if total == MOST else ""

    def figure(text: str, many: int, **query: str) -> Figure:
        return Figure(text, f"{at_least}{many:,}" if many else "0", list_url(Conflict, **query))

    most = sorted(by_party.items(), key=lambda party: (-party[1], party[0]))[:PARTIES]
    return (
        figure("open", total),
        [
            figure(text, by_age[len(begins) - place], **_day_range("opened_by__moment", first, last))
            for place, (text, first, last) in enumerate(ages)
        ],
        [figure(domain, many, domain=domain) for domain, many in most],
    )


def _ages(today: date) -> list[tuple[str, date | None, date | None]]:
    """In words, first day and last day on which conflicts of that age opened, the youngest first; None: unbounded."""

    def ago(days: int) -> date:
        return today - timedelta(days=days)

    return [
        ("Opened today", today, None),
        ("1 to 7 days ago", ago(7), ago(1)),
        ("8 to 30 days ago", ago(30), ago(8)),
        ("More than 30 days ago", None, ago(31)),
    ]


def _day_range(field: str, first: date | None, last: date | None) -> dict[str, str]:
    """Return the parameters for these days of the list's filter."""
    days = {f"{field}_from": first, f"{field}_to": last}
    return {name: day.isoformat() for name, day in days.items() if day}


def _messages(scope: Scope, now: datetime) -> tuple[Figure, dict[str, Counter[str]]]:
    """Count the messages of the 24 hours before `now`, by type and result, the most frequent first."""
    recent = InboundMessage.objects.filter(received_at__gte=now - timedelta(days=1))
    rows = scope.restrict_named(recent, "sender__role", "sender__domain").order_by()
    types: dict[str, Counter[str]] = {}
    passed_on = Case(When(IS_PASSED_ON, then=True), default=False)
    counts = rows.values("message_type", "result", passed_on=passed_on).annotate(many=Count("pk"))
    for name, result, is_passed_on, many in counts.values_list("message_type", "result", "passed_on", "many"):
        known = "passed on" if is_passed_on else result if result in ("Accepted", "Rejected") else ""
        types.setdefault(name, Counter())[known] += many
    total = sum(results.total() for results in types.values())
    ordered = dict(sorted(types.items(), key=lambda item: (-item[1].total(), item[0])))
    return Figure("received", f"{total:,}", list_url(InboundMessage, received_at_recent="24h")), ordered


def _cells(name: str, results: Counter[str]) -> list[Cell]:
    """How many messages of this type had each result, with their lists."""
    return [
        Cell(
            f"{results[result]:,}",
            list_url(InboundMessage, received_at_recent="24h", type=name, result=result or "none"),
        )
        for result, _, _ in RESULTS
    ]


def _chart(types: dict[str, Counter[str]]) -> SafeString:
    rows = [
        Bar(name, tuple((kind, results[result]) for result, _, kind in RESULTS))
        for name, results in types.items()
    ]
    return charts.bars(
        "messages",
        "Messages received in the last 24 hours, by type and result; the table beside it says the same",
        rows,
        [(kind, text) for _, text, kind in RESULTS],
    )


def _recipients(scope: Scope) -> list[Figure]:
    """For whom most messages wait to be delivered."""
    waiting = OutboundMessage.objects.filter(state=OutboundMessage.State.WAITING)
    rows = scope.restrict_named(waiting, "recipient_role", "recipient_domain").order_by()
    most = (
        rows.values_list("recipient_domain").annotate(many=Count("pk")).order_by("-many", "recipient_domain")
    )
    return [
        Figure(
            domain,
            f"{many:,}",
            list_url(OutboundMessage, state__exact=OutboundMessage.State.WAITING, domain=domain),
        )
        for domain, many in most[:PARTIES]
    ]


def _silent(scope: Scope) -> Figure:
    """Participants that have never sent a message."""
    rows = scope.restrict(Participant.objects.filter(last_heard_at=None), "pk")
    return counted("Participants never heard from", rows, heard="never")
