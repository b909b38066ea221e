"""The two updates: what an AGR says it represents, and what a DSO says lies behind its congestion points.

Both are applied as sets, by the same statements for one line and for a million.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from participants.models import Participant
from registry.changes import Recorder, Source, under_lock
from registry.market.market import zone_agrees
from registry.market.policies import END, REJECT, Policies, in_force
from registry.models import Market
from registry.periods import list_in_words
from registry.sql import plans
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import copy_lines, prepare
from registry.updates import period_rules, points, standings, statements
from registry.updates.period_rules import Findings
from registry.updates.standings import Verdict
from uftp.handlers import Rejection
from uftp.protocol.reasons import Reason, named
from uftp.protocol.streaming import MembershipLine, PointLine

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

NAMES = f"""
-- The market's zone, and addresses under this CRO's own domain; from here on plans are made as LOOKED_UP says.
SELECT (SELECT time_zone FROM registry_market), ARRAY(
    SELECT address FROM staged_line WHERE address ~* %(own)s
    UNION SELECT address FROM staged_point WHERE address ~* %(own)s
    ORDER BY 1 LIMIT 21
), {plans.LOOKED_UP}
"""

NAMED_DAYS = """
-- Every day that the message names; today for an open end.
SELECT DISTINCT day FROM (
    SELECT first AS day FROM staged_line UNION SELECT coalesce(upper - 1, %(today)s) FROM staged_line
    UNION SELECT first FROM staged_point UNION SELECT coalesce(said_upper - 1, %(today)s) FROM staged_point
) days
"""


@dataclass(frozen=True)
class Report:
    """What came of an accepted update: the change, where anything changed, and what its sender is warned of."""

    change_id: int | None
    warnings: tuple[str, ...]


@transaction.atomic(savepoint=False)
def publish_representations(
    agr: Participant,
    lines: Iterable[tuple[str, date, date | None]],
    *,
    today: date,
    source: Source,
    time_zone: str | None = None,
) -> Report:
    """Apply an AGR's update: for each line (connection, StartPeriod, EndPeriod inclusive or None).

    `today` is the market's day at receipt; `time_zone` the zone that the message names, None where there is none to
    check. Raises uftp.handlers.Rejection with every reason; then the caller's transaction, or savepoint, has to be
    rolled back: there is none of its own within.
    """
    policies = in_force(source.received_at)
    findings = Findings()
    with plans.cursor() as cursor:
        prepare(cursor)
        said = copy_lines(((0, *line) for line in lines), agr.pk)
        plans.plan_anew_unless_few(cursor, said)
        ends_omitted = _ends_omitted(policies, said)
        few = said < plans.FEW and not ends_omitted
        _look_at_names(cursor, findings, time_zone, today, looked_up=few)
        return _apply(
            cursor,
            REPRESENTATION,
            policies,
            findings,
            today=today,
            source=source,
            end_omitted=ends_omitted,
            party=agr,
        )


@transaction.atomic(savepoint=False)
def publish_congestion_points(
    dso: Participant,
    lines: Iterable[PointLine | MembershipLine],
    *,
    today: date,
    source: Source,
    time_zone: str | None = None,
) -> Report:
    """Apply a DSO's update: congestion points, each followed by its connections (days inclusive, None: open-ended).

    `today`, `time_zone` and Rejection as for `publish_representations`.
    """
    policies = in_force(source.received_at)
    findings = Findings()
    with plans.cursor() as cursor:
        prepare(cursor)
        staged_points, said = points.stage_update(cursor, dso.pk, lines, today=today)
        plans.plan_anew_unless_few(cursor, staged_points + said)
        _look_at_names(cursor, findings, time_zone, today)
        return _apply(
            cursor,
            MEMBERSHIP,
            policies,
            findings,
            today=today,
            source=source,
            end_omitted=_ends_omitted(policies, said),
            party=dso,
        )


def _apply(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    findings: Findings,
    *,
    today: date,
    source: Source,
    end_omitted: bool,
    party: Participant,
) -> Report:
    """Judge and write what is staged: the same for both kinds of claims."""
    recorder = Recorder(source)
    judged = judge(
        cursor,
        kind,
        policies,
        findings,
        recorder,
        today=today,
        end_omitted=end_omitted,
        party=party.pk,
    )
    if findings.rejections:
        raise Rejection(findings.rejections)
    write(cursor, kind, policies, judged, recorder, today=today)
    recorder.stamp(None if judged.disputed else [party.pk])
    return Report(recorder.recorded, tuple(findings.warnings))


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be written: whether terms of congestion points change, and claims do.

    `replaces` says whether claims change that had days before, `disputed` whether another party has a claim on any of
    the days.
    """

    terms: bool
    claims: bool
    replaces: bool
    disputed: bool


def judge(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    findings: Findings,
    recorder: Recorder,
    *,
    today: date,
    end_omitted: bool,
    party: int | None,
    all_points: bool = False,
) -> Judged:
    """Find what the staged lines change, and the standing of all of it; file what is strange or held by another.

    With `end_omitted`, what no line is about ends with today: of `party`, or of everybody where that is None;
    with `all_points`, congestion points too.
    """
    terms_change = False
    if kind is MEMBERSHIP:
        terms_change = points.state_points(cursor, policies, today=today, end_omitted=all_points)
        period_rules.look_at_points(cursor, policies, findings, today=today)
        statements.judge_lines(cursor, policies)
    taken = statements.take_together(cursor, judged=kind is MEMBERSHIP)
    under_lock(
        cursor,
        lambda held_only: statements.find_changes(
            cursor,
            kind,
            policies,
            today=today,
            end_omitted=end_omitted,
            party=party,
            held_only=held_only,
            things=taken.things,
        ),
        held=taken.new,
    )
    claims_change, replaces = period_rules.look_at_lines(cursor, kind, policies, findings, today=today)
    verdict = Verdict(disputed=False)
    if claims_change:
        policy = policies[kind.policy]
        verdict = standings.judge(cursor, kind, change=recorder.change_id(), policy=policy, today=today)
        if verdict.contested:
            _file_contested(findings, verdict, rejects=policy == REJECT)
    if kind is MEMBERSHIP:
        findings.warnings.extend(points.warn_of_clipping(cursor))
    return Judged(terms_change, claims_change, replaces, verdict.disputed)


def write(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    judged: Judged,
    recorder: Recorder,
    *,
    today: date,
) -> None:
    """Write what `judge` found into the facts, and the conflicts that follow."""
    if judged.terms:
        points.write(cursor, recorder)
    if judged.claims:
        standings.write(
            cursor,
            kind,
            change=recorder.change_id(),
            policy=policies[kind.policy],
            today=today,
            disputed=judged.disputed,
            replaces=judged.replaces,
        )


def _ends_omitted(policies: Policies, said: int) -> bool:
    """Whether what an update that names `said` connections omits ends (docs/rules.md D7)."""
    return policies["omitted connections"] == END and bool(said)


def _look_at_names(
    cursor: CursorWrapper,
    findings: Findings,
    time_zone: str | None,
    today: date,
    *,
    looked_up: bool = False,
) -> None:
    """File a time zone that is not the market's (docs/rules.md D9)
    and addresses of the CRO's own (docs/rules.md D10).

    `looked_up`: for the statements that follow, see `prepared.LOOKED_UP`.
    """
    cursor.execute(NAMES, {"own": own_addresses(), "looked_up": looked_up})
    if looked_up:
        plans.look_up(cursor)
    zone, addresses, *_ = cursor.fetchone()
    market_zone = zone or Market().time_zone
    if time_zone is not None and time_zone != market_zone:
        cursor.execute(NAMED_DAYS, {"today": today})
        if not zone_agrees(time_zone, market_zone, (day for (day,) in cursor.fetchall())):
            findings.rejections.append(named(Reason.TIME_ZONE, [time_zone[:60]], f"is not {market_zone}"))
    if addresses:
        findings.rejections.append(
            named(Reason.INVALID_MESSAGE, addresses, "lies under this CRO's own domain")
        )


def own_addresses() -> str:
    """PostgreSQL's regular expression of the entity addresses under this CRO's own domain (docs/rules.md D10)."""
    own = r"\.".join(reversed(settings.CRO_DOMAIN.split(".")))
    return rf"^ea1\.\d{{4}}-\d{{2}}\.{own}[.:]"


def _file_contested(findings: Findings, verdict: Verdict, *, rejects: bool) -> None:
    """File newly claimed days that another holds: never who (docs/rules.md C4)."""
    contested, total = verdict.contested, verdict.total
    if rejects:
        names = [
            f"[{c.connection}]" if c.point is None else f"[{c.connection}] at [{c.point}]" for c in contested
        ]
        findings.rejections.append(named(Reason.CONNECTION_CONFLICT, names, total=total))
        return
    names = [
        f"{c.connection} ({list_in_words(c.days)})"
        if c.point is None
        else f"{c.connection} at {c.point} ({list_in_words(c.days)})"
        for c in contested
    ]
    findings.warnings.append(
        named(Reason.CONNECTION_CONFLICT, names, "held by another, contested until settled", total=total)
    )
