"""The figures of the dashboard. Each links to the list of what it counts.

A figure counts the rows that its list has for the same viewer: those in their scope, and only if they may view the
list. Each figure takes one statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.db.models import Case, Count, Model, When
from django.utils.safestring import SafeString

from cro_project.console import charts, trends
from cro_project.console.charts import Bar
from cro_project.console.trends import Trend
from participants.admin_base.extensions import figures
from participants.admin_base.figures import Figure, by_urgency, counted, list_url
from participants.admission import current_mode
from participants.models import Mode, Participant
from participants.scope import Scope, seen_by
from registry.market.market import market, today_at
from registry.models import Conflict, CongestionPoint
from registry.queries import coverage
from uftp.delivery.forwarding import IS_PASSED_ON
from uftp.models import InboundMessage, OutboundMessage

MAX_PARTIES = 8
"""How many parties of open conflicts, and recipients of waiting messages, are named. The lists have the others."""

RESULTS = (
    ("Accepted", "Accepted", "ok"),
    ("Rejected", "Rejected", "bad"),
    ("passed on", "Passed on", "other"),
    ("", "No result", "warn"),
)
"""Results of received messages: the value of the list's filter, the text, and the CSS class of the colour."""


MAX_COUNTED = 100_000
"""How many open conflicts are counted at most. The figures then say `at least`."""

OPEN_CONFLICTS = """
-- The open conflicts in scope, counted by the domains of both parties and by age. The age is the number of the
-- moments in `begins` (in order) at or after which the conflict opened.
SELECT holder.domain, claimant.domain, width_bucket(opened.moment, %(begins)s::timestamptz[]), sum(conflicts)::bigint
FROM (
    SELECT holder_id, claimant_id, opened_by_id, count(*) AS conflicts
    FROM (
        SELECT holder_id, claimant_id, opened_by_id FROM registry_conflict
        WHERE closed_by_id IS NULL
            AND (%(everyone)s OR holder_id = ANY(%(ids)s::bigint[]) OR claimant_id = ANY(%(ids)s::bigint[]))
        LIMIT %(max_counted)s
    ) counted
    GROUP BY 1, 2, 3
) grouped
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
    """The content of the dashboard. A part is None or empty if the viewer may not view it."""

    begin: bool
    """Whether there is no participant in the scope of the viewer."""

    limited: bool
    mode: str | None
    conflicts: Figure | None
    ages: list[Figure]
    parties: list[Figure]
    messages: Figure | None
    chart: SafeString
    types: list[tuple[str, list[Cell]]]
    waiting: list[Figure]
    """The figures that the apps register (`ScreenExtension.figures`) and that are not zero: the most urgent first."""

    recipients: list[Figure]
    """The recipients for whom most deliveries wait."""

    quiet: list[Figure]
    """What waits for nobody: figures that are zero."""

    trends: list[Trend]
    trends_state: str
    """Which days of the trends are counted, and when the next ones are."""

    coverage: list[Figure]
    coverage_at: datetime | None


def dashboard(user: User | AnonymousUser, now: datetime) -> Dashboard:
    """Return the content of the dashboard for `user` at `now` (aware)."""
    scope = seen_by(user)
    zone = ZoneInfo(market().time_zone)

    def may(model: type[Model]) -> bool:
        return user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")

    today = today_at(now, zone.key)
    conflicts, ages, parties = _conflicts(scope, today, zone) if may(Conflict) else (None, [], [])
    messages, types = _messages(scope, now) if may(InboundMessage) else (None, {})
    bands = coverage.bands(scope) if may(CongestionPoint) else []
    points = list_url(CongestionPoint)
    waiting = by_urgency([*figures(scope, now, may), *([_silent(scope)] if may(Participant) else [])])
    drawn, state = _trends(scope, may, now, today)
    maximum = max((count for _, count, _ in bands), default=0)
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
        waiting=[figure for figure in waiting if not figure.is_zero],
        quiet=[figure for figure in waiting if figure.is_zero],
        recipients=_recipients(scope) if may(OutboundMessage) else [],
        trends=drawn,
        trends_state=state,
        coverage=[
            Figure(label, f"{count:,}", f"{points}?{query}", charts.share(count, maximum))
            for label, count, query in bands
        ],
        coverage_at=coverage.counted_at() if bands else None,
    )


def _trends(
    scope: Scope, may: Callable[[type[Model]], bool], now: datetime, today: date
) -> tuple[list[Trend], str]:
    """Return the trends of the last days that the member of staff may see, and which days are counted."""
    makers = (
        (Conflict, trends.conflicts),
        (InboundMessage, trends.rejections),
        (OutboundMessage, trends.deliveries),
    )
    if not any(may(model) for model, _ in makers):
        return [], ""
    days = trends.counted(scope)
    shown = [trend for model, make in makers if may(model) and (trend := make(days, today))]
    return shown, trends.state(days, now)


def _conflicts(scope: Scope, today: date, zone: ZoneInfo) -> tuple[Figure, list[Figure], list[Figure]]:
    """Count the open conflicts: all, by the market's day on which they opened, and by the parties that have most."""
    ages = _ages(today)
    begins = [datetime.combine(first, time(), zone) for _, first, _ in reversed(ages) if first]
    by_age, by_party = Counter[int](), Counter[str]()
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN_CONFLICTS,
            {
                "begins": begins,
                "everyone": scope.everyone,
                "ids": sorted(scope.ids),
                "max_counted": MAX_COUNTED,
            },
        )
        for holder, claimant, age, count in cursor.fetchall():
            by_age[age] += count
            for domain in {holder, claimant}:
                by_party[domain] += count
    total = by_age.total()
    at_least = "at least " if total == MAX_COUNTED else ""

    def figure(text: str, count: int, **query: str) -> Figure:
        return Figure(text, f"{at_least}{count:,}" if count else "0", list_url(Conflict, **query))

    top_parties = sorted(by_party.items(), key=lambda party: (-party[1], party[0]))[:MAX_PARTIES]
    return (
        figure("open", total),
        [
            figure(text, by_age[len(begins) - place], **_day_range("opened_by__moment", first, last))
            for place, (text, first, last) in enumerate(ages)
        ],
        [figure(domain, count, domain=domain) for domain, count in top_parties],
    )


def _ages(today: date) -> list[tuple[str, date | None, date | None]]:
    """Return the ages of conflicts, the youngest first: text, and first and last day of opening (None: no bound)."""

    def ago(days: int) -> date:
        return today - timedelta(days=days)

    return [
        ("Opened today", today, None),
        ("1 to 7 days ago", ago(7), ago(1)),
        ("8 to 30 days ago", ago(30), ago(8)),
        ("More than 30 days ago", None, ago(31)),
    ]


def _day_range(field: str, first: date | None, last: date | None) -> dict[str, str]:
    """Return the parameters of a list's URL that filter `field` from `first` to `last`, both inclusive."""
    days = {f"{field}_from": first, f"{field}_to": last}
    return {name: day.isoformat() for name, day in days.items() if day}


def _messages(scope: Scope, now: datetime) -> tuple[Figure, dict[str, Counter[str]]]:
    """Count the messages of the 24 hours before `now`, by type and result, the most frequent first."""
    recent = InboundMessage.objects.filter(received_at__gte=now - timedelta(days=1))
    rows = scope.restrict_named(recent, "sender__role", "sender__domain").order_by()
    types: dict[str, Counter[str]] = {}
    passed_on = Case(When(IS_PASSED_ON, then=True), default=False)
    counts = rows.values("message_type", "result", passed_on=passed_on).annotate(count=Count("pk"))
    for name, result, is_passed_on, count in counts.values_list(
        "message_type", "result", "passed_on", "count"
    ):
        known = "passed on" if is_passed_on else result if result in ("Accepted", "Rejected") else ""
        types.setdefault(name, Counter())[known] += count
    total = sum(results.total() for results in types.values())
    ordered = dict(sorted(types.items(), key=lambda item: (-item[1].total(), item[0])))
    return Figure("received", f"{total:,}", list_url(InboundMessage, received_at_recent="24h")), ordered


def _cells(name: str, results: Counter[str]) -> list[Cell]:
    """Return how many messages of the type `name` had each result, with links to the lists."""
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
        "Messages received in the last 24 hours, by type and result; the table beside it has the numbers",
        rows,
        [(kind, text) for _, text, kind in RESULTS],
    )


def _recipients(scope: Scope) -> list[Figure]:
    """Count the waiting messages of the recipients that have most."""
    waiting = OutboundMessage.objects.filter(state=OutboundMessage.State.WAITING)
    rows = scope.restrict_named(waiting, "recipient_role", "recipient_domain").order_by()
    counts = (
        rows.values_list("recipient_domain")
        .annotate(count=Count("pk"))
        .order_by("-count", "recipient_domain")
    )
    return [
        Figure(
            domain,
            f"{count:,}",
            list_url(OutboundMessage, state__exact=OutboundMessage.State.WAITING, domain=domain),
        )
        for domain, count in counts[:MAX_PARTIES]
    ]


def _silent(scope: Scope) -> Figure:
    """Count the participants that have never sent a message."""
    rows = scope.restrict(Participant.objects.filter(last_heard_at=None), "pk")
    return counted("Participants never heard from", rows, heard="never")
