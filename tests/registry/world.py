"""The registry behind the same few verbs as the time model, in the tests' own names and day numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet

from participants.models import Participant
from registry.changes import Source
from registry.decisions.settle import settle
from registry.market.policies import set_policy
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    CongestionPointEnding,
    CongestionPointTerms,
    Representation,
)
from registry.updates.publish import publish_congestion_points, publish_representations
from tests.registry.model_days import (
    EFFECTIVE,
    FOREVER,
    Day,
    Line,
    ModelConflict,
    Point,
    Run,
    Terms,
    View,
    covered,
    runs,
)
from tests.support.eans import ean
from uftp.handlers import Rejection
from uftp.models import InboundMessage, Sender
from uftp.protocol.parsing import MembershipLine, PointLine

Thing = TypeVar("Thing")

BASE = date(2030, 6, 12)
AGRS = ("agr-1", "agr-2", "agr-3")
DSOS = ("dso-1", "dso-2", "dso-3")
POINTS = ("point-1", "point-2")
CONNECTIONS = ("home-1", "home-2", "home-3", "home-4")
ADDRESSES = {
    name: ean(f"8716{number:013d}") for number, name in enumerate((*POINTS, *CONNECTIONS), start=590_000_000)
}
NAMES = {address: name for name, address in ADDRESSES.items()}

CLEAR = """
-- Everything that verbs write; participants and messages stay.
DELETE FROM registry_congestionpointcoverage;
DELETE FROM registry_coveragestate;
DELETE FROM registry_notice;
DELETE FROM registry_conflict;
DELETE FROM registry_representation;
DELETE FROM registry_congestionpointconnection;
DELETE FROM registry_congestionpointterms;
DELETE FROM registry_congestionpointending;
DELETE FROM registry_congestionpoint;
DELETE FROM registry_connection;
DELETE FROM registry_change;
DELETE FROM registry_policy;
DELETE FROM registry_policysetting
"""


@dataclass(frozen=True)
class Reply:
    """What a verb made of an update: why it was rejected, or the warnings it was accepted with."""

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.reasons

    @property
    def text(self) -> str:
        return "; ".join((*self.reasons, *self.warnings))


def as_date(day: Day) -> date:
    return BASE + timedelta(days=day)


def last_date(day: Day | None) -> date | None:
    return None if day is None else as_date(day)


def as_day(of: date) -> Day:
    return (of - BASE).days


def name_of(participant: Participant) -> str:
    return participant.domain.removesuffix(".example")


@dataclass
class World:
    """The registry in PostgreSQL, with the participants and things named above; tests move `today`."""

    today: Day = 0
    participants: dict[str, Participant] = field(default_factory=dict)
    messages: dict[str, InboundMessage] = field(default_factory=dict)

    @classmethod
    def start(cls) -> World:
        """An empty registry that knows the participants."""
        world = cls()
        for name in (*AGRS, *DSOS):
            world.add(name)
        return world

    def add(self, name: str) -> None:
        """One more participant, whose role is the beginning of its name."""
        role, domain = name[:3].upper(), f"{name}.example"
        participant, _ = Participant.objects.get_or_create(role=role, domain=domain)
        sender, _ = Sender.objects.get_or_create(role=role, domain=domain)
        message, _ = InboundMessage.objects.get_or_create(
            sender=sender,
            message_type=f"{role}PortfolioUpdate",
            defaults={
                "version": "3.1.0",
                "major": 3,
                "content_hash": b"0" * 32,
                "sealed": b"",
                "size": 0,
                "received_at": datetime(2030, 6, 12, tzinfo=UTC),
            },
        )
        self.participants[name], self.messages[name] = participant, message

    def clear(self) -> None:
        """Forget all facts, changes and policies."""
        with connection.cursor() as cursor:
            cursor.execute(CLEAR)

    def source(self, name: str) -> Source:
        return Source.of_message(self.messages[name])

    def publish_representations(self, agr: str, lines: Iterable[Line]) -> Reply:
        found = [(ADDRESSES[line.connection], as_date(line.first), last_date(line.last)) for line in lines]
        try:
            with transaction.atomic():
                report = publish_representations(
                    self.participants[agr], found, today=as_date(self.today), source=self.source(agr)
                )
        except Rejection as rejection:
            return Reply(reasons=tuple(rejection.reasons))
        return Reply(warnings=tuple(report.warnings))

    def publish_congestion_points(self, dso: str, points: Iterable[Point]) -> Reply:
        lines: list[PointLine | MembershipLine] = []
        for number, point in enumerate(points):
            lines.append(
                PointLine(
                    number,
                    ADDRESSES[point.point],
                    as_date(point.first),
                    last_date(point.last),
                    *point.terms,
                )
            )
            lines += [
                MembershipLine(number, ADDRESSES[line.connection], as_date(line.first), last_date(line.last))
                for line in point.connections
            ]
        try:
            with transaction.atomic():
                report = publish_congestion_points(
                    self.participants[dso], lines, today=as_date(self.today), source=self.source(dso)
                )
        except Rejection as rejection:
            return Reply(reasons=tuple(rejection.reasons))
        return Reply(warnings=tuple(report.warnings))

    def settle(self, model_conflict: ModelConflict, decision: str, at: Day | None = None) -> None:
        """Settle the open conflict that `model_conflict` describes."""
        with transaction.atomic():
            settle(
                self.conflict(model_conflict).pk,
                decision,
                at=last_date(at),
                source=Source.of_staff("clerk", "so decided"),
                today=as_date(self.today),
            )

    def conflict(self, model_conflict: ModelConflict) -> Conflict:
        found = [row for row in open_conflicts() if as_model_conflict(row) == model_conflict]
        if len(found) != 1:
            raise LookupError(f"{model_conflict} is not an open conflict")
        return found[0]

    def set_policy(self, name: str, value: str) -> None:
        set_policy(name, value, actor="clerk")

    def view(self) -> View:
        return view()


def open_conflicts() -> QuerySet[Conflict]:
    return Conflict.objects.filter(closed_by=None).select_related("connection", "holder", "claimant")


def as_model_conflict(row: Conflict) -> ModelConflict:
    first, last = days_of(row.period)
    return ModelConflict(
        row.kind, NAMES[row.connection.address], name_of(row.holder), name_of(row.claimant), first, last
    )


def days_of(period: Any) -> tuple[Day, Day | None]:
    return as_day(period.lower), None if period.upper is None else as_day(period.upper) - 1


def all_days(period: Any) -> frozenset[Day]:
    first, last = days_of(period)
    assert last is None or last < FOREVER, f"{period} is beyond the days that tests name"
    return covered(first, last)


def view() -> View:
    """What the registry holds for true, in the form that the time model gives it."""
    terms: dict[tuple[str, str], dict[Day, object]] = {}
    memberships: dict[tuple[str, str, str], dict[Day, object]] = {}
    representations: dict[tuple[str, str], dict[Day, object]] = {}
    queues: dict[tuple[str, str], dict[Day, dict[str, tuple[int, int]]]] = {}
    for row in CongestionPointTerms.objects.current().select_related("congestion_point__dso"):
        point = row.congestion_point
        said = Terms(row.mutex_offers_supported, row.day_ahead_redispatch_by, row.intraday_redispatch_by)
        note(terms, (name_of(point.dso), NAMES[point.address]), all_days(row.period), said)
    for row in CongestionPointConnection.objects.current().select_related(
        "congestion_point__dso", "dso", "connection"
    ):
        point, home = row.congestion_point, NAMES[row.connection.address]
        assert point.dso == row.dso, row
        note(memberships, (name_of(row.dso), NAMES[point.address], home), all_days(row.period), row.standing)
        wait(queues, ("membership", home), row, row.dso)
    for row in Representation.objects.current().select_related("agr", "connection"):
        home = NAMES[row.connection.address]
        note(representations, (name_of(row.agr), home), all_days(row.period), row.standing)
        wait(queues, ("representation", home), row, row.agr)
    return View(
        terms=in_runs(terms),
        memberships=in_runs(memberships),
        representations=in_runs(representations),
        waiting=in_runs(
            {
                thing: {day: tuple(sorted(queue, key=queue.__getitem__)) for day, queue in days.items()}
                for thing, days in queues.items()
            }
        ),
        conflicts=frozenset(as_model_conflict(row) for row in open_conflicts()),
    )


def note(found: dict[Thing, dict[Day, object]], thing: Thing, days: Iterable[Day], what: object) -> None:
    """Add that `what` is true of `thing` on `days`, on none of which anything was."""
    known = found.setdefault(thing, {})
    twice = known.keys() & set(days)
    assert not twice, f"{thing} has two rows on {sorted(twice)}"
    known.update(dict.fromkeys(days, what))


def wait(queues: dict[Any, Any], thing: tuple[str, str], row: Any, party: Participant) -> None:
    if row.standing == EFFECTIVE:
        return
    for day in all_days(row.period):
        queue = queues.setdefault(thing, {}).setdefault(day, {})
        since = (row.waiting_since_id, party.pk)
        queue[name_of(party)] = min(queue.get(name_of(party), since), since)


def in_runs(found: dict[Thing, dict[Day, object]]) -> dict[Thing, tuple[Run, ...]]:
    return {thing: runs(days) for thing, days in found.items()}


def known_at(moment: datetime) -> dict[str, frozenset[tuple[Any, ...]]]:
    """The rows that the registry knew at `moment`, and the conflicts that were open."""
    facts = {
        model.__name__: frozenset(model.objects.known_at(moment).values_list(*columns))
        for model, columns in (
            (
                CongestionPointTerms,
                ("id", "congestion_point", "period", "mutex_offers_supported", "day_ahead_redispatch_by"),
            ),
            (
                CongestionPointConnection,
                ("id", "congestion_point", "connection", "period", "standing", "given_to", "waiting_since"),
            ),
            (Representation, ("id", "agr", "connection", "period", "standing", "given_to", "waiting_since")),
            (CongestionPointEnding, ("id", "congestion_point", "day")),
        )
    }
    conflicts = Conflict.objects.filter(opened_by__moment__lte=moment).exclude(closed_by__moment__lte=moment)
    facts["Conflict"] = frozenset(conflicts.values_list("kind", "connection", "holder", "claimant", "period"))
    return facts


def latest_moment() -> datetime | None:
    """The moment of the latest change."""
    return Change.objects.order_by("-moment").values_list("moment", flat=True).first()


UNHELD = """
-- Days that somebody claims and nobody holds.
WITH claimed AS (
    SELECT 'representation' AS kind, connection_id, period, standing
    FROM registry_representation WHERE superseded_by_id IS NULL
    UNION ALL
    SELECT 'membership', connection_id, period, standing
    FROM registry_congestionpointconnection WHERE superseded_by_id IS NULL
)
SELECT kind, connection_id, range_agg(period) FILTER (WHERE standing <> 'effective')
       - coalesce(range_agg(period) FILTER (WHERE standing = 'effective'), '{}'::datemultirange) AS days
FROM claimed
GROUP BY kind, connection_id
HAVING NOT isempty(
    coalesce(range_agg(period) FILTER (WHERE standing <> 'effective'), '{}'::datemultirange)
    - coalesce(range_agg(period) FILTER (WHERE standing = 'effective'), '{}'::datemultirange)
)
"""

UNSTAMPED = "SELECT count(*) FROM registry_change WHERE moment IS NULL"


def assert_sound() -> None:
    """What must be true of the tables whatever was said: no day is waited for that nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(UNHELD)
        assert cursor.fetchall() == [], "days are claimed that nobody holds"
        cursor.execute(UNSTAMPED)
        assert cursor.fetchone() == (0,), "a change has no moment"
