"""Apply staged lines, of a message or of a file: judge them by the rules, then write what changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from registry.changes import Recorder, lock_changed_connections
from registry.market.policies import REJECT, Policies
from registry.periods import list_in_words
from registry.sql.claim_kinds import MEMBERSHIP, ClaimKind
from registry.updates import claims, clipping, period_rules, points, standings, statements
from registry.updates.period_rules import Findings
from registry.updates.standings import Verdict
from uftp.protocol.reasons import Reason, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


@dataclass(frozen=True, slots=True)
class Judged:
    """What an update changes, as `judge` found.

    Attributes:
        terms: Terms of congestion points change, or an ending at once is to be remembered.
        claims: Claimed days change.
        any_replaced: Claims change that had days before.
        disputed: Another party has a claim on some of the days.
    """

    terms: bool
    claims: bool
    any_replaced: bool
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
    """Find what the staged lines change, and judge the standings of the claims that change.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        kind: The kind of the claims.
        policies: The policies in force.
        findings: Receives rejections and warnings about irregular periods and contested days.
        recorder: The recorder of the change.
        today: The market's day of receipt.
        end_omitted: Claims that no line is about end with today.
        party: The primary key of the party whose omitted claims end; None for all parties, which a file is about.
        all_points: With a full file: congestion points that no line is about end with today too.
    """
    terms_change, of_file = False, party is None
    if kind is MEMBERSHIP:
        terms_change, any_ended = points.apply_point_statements(
            cursor, policies, today=today, end_omitted=all_points
        )
        period_rules.check_points(
            cursor, policies, findings, today=today, any_ended=any_ended, of_file=of_file
        )
        statements.judge_lines(cursor, policies)
        if of_file:
            statements.accept_registered_lines(cursor)
    counts = statements.build_statements(cursor, judged=kind is MEMBERSHIP)
    lock_changed_connections(
        cursor,
        lambda locked_only: statements.find_changes(
            cursor,
            kind,
            policies,
            today=today,
            end_omitted=end_omitted,
            party=party,
            locked_only=locked_only,
            items=counts.items,
        ),
        locked=counts.new_connections,
    )
    claims_change, any_replaced = period_rules.check_lines(
        cursor, kind, policies, findings, today=today, of_file=of_file
    )
    verdict = Verdict(disputed=False)
    if claims_change:
        policy = policies[kind.policy]
        verdict = standings.judge(cursor, kind, change=recorder.change_id(), policy=policy, today=today)
        if verdict.contested:
            _add_contested(findings, verdict, rejects=policy == REJECT)
    if kind is MEMBERSHIP:
        findings.warnings.extend(clipping.clipping_warnings(cursor))
    return Judged(terms_change, claims_change, any_replaced, verdict.disputed)


def write(
    cursor: CursorWrapper,
    kind: ClaimKind,
    policies: Policies,
    judged: Judged,
    recorder: Recorder,
    *,
    today: date,
) -> None:
    """Write what `judge` found to the facts, and refresh the conflicts."""
    if judged.terms:
        points.write(cursor, recorder, today=today)
    if judged.claims:
        claims.write(
            cursor,
            kind,
            change=recorder.change_id(),
            policy=policies[kind.policy],
            today=today,
            disputed=judged.disputed,
            any_replaced=judged.any_replaced,
        )


def _add_contested(findings: Findings, verdict: Verdict, *, rejects: bool) -> None:
    """Add newly claimed days that another party holds to the findings, without naming it (docs/rules.md C4)."""
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
