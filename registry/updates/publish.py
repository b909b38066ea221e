"""The verbs for the two updates: an AGR's representations, and a DSO's congestion points with their connections.

Both are applied as sets: the same SQL works for one line and for a million lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.db import transaction

from participants.models import Participant
from registry.changes import Recorder, Source
from registry.market.market import zone_agrees
from registry.market.policies import END, Policies, in_force
from registry.models import Market
from registry.sql import plans
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import copy_lines, prepare
from registry.updates import addresses, apply, points
from registry.updates.period_rules import Findings
from uftp.handlers import Rejection
from uftp.protocol.reasons import Reason, named
from uftp.protocol.streaming import MembershipLine, PointLine

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

NAMED_DAYS = """
-- Every day that the message states; today for an open end.
SELECT DISTINCT day FROM (
    SELECT first AS day FROM staged_line UNION SELECT coalesce(upper - 1, %(today)s) FROM staged_line
    UNION SELECT first FROM staged_point UNION SELECT coalesce(stated_upper - 1, %(today)s) FROM staged_point
) days
"""


@dataclass(frozen=True)
class UpdateResult:
    """The result of an accepted update.

    Attributes:
        change_id: The id of the change, or None if nothing changed.
        warnings: The warnings for the sender.
    """

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
) -> UpdateResult:
    """Apply an AGR's update.

    Args:
        agr: The sender.
        lines: For each line the connection, the StartPeriod, and the EndPeriod, inclusive, or None for an open end.
        today: The market's day at receipt.
        source: The source of the change.
        time_zone: The time zone that the message states, or None if there is none to check.

    Raises:
        uftp.handlers.Rejection: The update is rejected; it has every reason. The caller must roll back its transaction
            or savepoint, since this function has no savepoint of its own.
    """
    policies = in_force(source.received_at)
    findings = Findings()
    with plans.keeping_cursor() as cursor:
        prepare(cursor)
        connections = copy_lines(((0, *line) for line in lines), agr.pk)
        plans.keep_for_few(cursor, connections)
        end_omitted = _ends_omitted(policies, connections)
        if connections < plans.FEW and not end_omitted:
            plans.by_index(cursor)
        _check_names(cursor, policies, findings, time_zone, today)
        return _apply(
            cursor,
            REPRESENTATION,
            policies,
            findings,
            today=today,
            source=source,
            end_omitted=end_omitted,
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
) -> UpdateResult:
    """Apply a DSO's update.

    Args:
        dso: The sender.
        lines: Congestion points, each followed by its connections. Last days are inclusive, None means open-ended.
        today: The market's day at receipt.
        source: The source of the change.
        time_zone: The time zone that the message states, or None if there is none to check.

    Raises:
        uftp.handlers.Rejection: As for `publish_representations`.
    """
    policies = in_force(source.received_at)
    findings = Findings()
    with plans.keeping_cursor() as cursor:
        prepare(cursor)
        staged_points, connections = points.stage_update(cursor, dso.pk, lines, today=today)
        plans.keep_for_few(cursor, staged_points + connections)
        _check_names(cursor, policies, findings, time_zone, today)
        return _apply(
            cursor,
            MEMBERSHIP,
            policies,
            findings,
            today=today,
            source=source,
            end_omitted=_ends_omitted(policies, connections),
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
) -> UpdateResult:
    """Judge and write the staged lines of either kind of claims."""
    recorder = Recorder(source)
    judged = apply.judge(
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
    apply.write(cursor, kind, policies, judged, recorder, today=today)
    recorder.stamp(None if judged.disputed else [party.pk])
    return UpdateResult(recorder.recorded, tuple(findings.warnings))


def _ends_omitted(policies: Policies, named_count: int) -> bool:
    """Return whether connections that an update omits end; an empty update ends nothing (docs/rules.md D7)."""
    return policies["omitted connections"] == END and bool(named_count)


def _check_names(
    cursor: CursorWrapper,
    policies: Policies,
    findings: Findings,
    time_zone: str | None,
    today: date,
) -> None:
    """Check the addresses, and that the time zone agrees with the market's (docs/rules.md D9, D10, E1, E2)."""
    market_zone = addresses.check_addresses(cursor, policies, findings) or Market().time_zone
    if time_zone is not None and time_zone != market_zone:
        cursor.execute(NAMED_DAYS, {"today": today})
        if not zone_agrees(time_zone, market_zone, (day for (day,) in cursor.fetchall())):
            findings.rejections.append(named(Reason.TIME_ZONE, [time_zone[:60]], f"is not {market_zone}"))
