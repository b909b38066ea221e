"""Import files of congestion points and of representations: an operator's statements for many participants.

The lines are handled like the lines of messages, as one change (docs/operating.md, CSV files). Here are the rules I1,
I2 and I4 of docs/rules.md; I3 is in `common.csv.importing`, I5 in `registry.imports.column_checks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import IO, TYPE_CHECKING, ClassVar

from django.db import connection, transaction

from common.csv.importing import ImportRequest, Plan, refuse_shrinking
from common.csv.reader import Fault, Row
from common.csv.rejects import RejectRow
from common.previews import ConsequencesChanged
from participants import audit
from registry.changes import Recorder, Source
from registry.imports import line_rules, line_staging
from registry.imports.column_checks import MEMBERSHIPS, REPRESENTATIONS, Layout
from registry.market.market import market, today_at
from registry.market.policies import in_force
from registry.models import Change
from registry.previews import effects
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import prepare
from registry.updates import addresses, apply, period_rules

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CONNECTION_COLUMNS = REPRESENTATIONS.columns
CONGESTION_POINT_COLUMNS = MEMBERSHIPS.columns

STATED = """
-- How many claims change: those that the file states, the new ones, and those that it does not state. Then, how many
-- claims it states.
SELECT count(s.party_id), count(s.party_id) FILTER (WHERE w.old = '{}'), count(*) - count(s.party_id),
    (SELECT count(*) FROM statement)
FROM claim_change w
LEFT JOIN statement s ON s.point_id = w.point_id AND s.party_id = w.party_id AND s.connection_id = w.connection_id
"""

REGISTERED = """
-- How many claims there are for days after today.
SELECT count(*) FROM (
    SELECT DISTINCT c.connection_id, c.{party}, {point} FROM {claims} c
    WHERE c.superseded_by_id IS NULL AND c.period && daterange(%(tomorrow)s, NULL)
) there
"""

POINTS_REGISTERED = """
SELECT count(DISTINCT congestion_point_id) FROM registry_congestionpointterms
WHERE superseded_by_id IS NULL AND period && daterange(%(tomorrow)s, NULL)
"""

POINTS = """
-- How many congestion points are new, have other days or terms, and end because the file does not state them; and how
-- many there are in all.
SELECT count(*) FILTER (WHERE d.before = '{}' AND d.after <> '{}'),
    count(*) FILTER (WHERE d.before <> '{}' AND NOT s.omitted AND (
        d.before <> d.after OR EXISTS (
            SELECT FROM registry_congestionpointterms t
            WHERE t.congestion_point_id = d.point_id AND t.superseded_by_id IS NULL AND NOT EXISTS (
                SELECT FROM wanted_terms w
                WHERE w.point_id = d.point_id AND w.period = t.period AND w.mutex = t.mutex_offers_supported
                    AND w.day_ahead = t.day_ahead_redispatch_by
                    AND w.intraday IS NOT DISTINCT FROM t.intraday_redispatch_by
            )
        )
    )),
    count(*) FILTER (WHERE s.omitted),
    count(*)
FROM point_days d JOIN point_statement s USING (point_id)
"""


@dataclass
class RegistryImporter:
    """Import the lines of a file as one change, judged by the policies that are in force now.

    The file is read with the columns of its layout.
    """

    kind: ClaimKind
    layout: Layout
    request: ImportRequest
    can_skip: bool = field(default=True, init=False)
    changed: ClassVar[str] = "The registry has"

    def __post_init__(self) -> None:
        self.policies = in_force()
        self.today = today_at(self.request.now, market().time_zone)

    def read(self, rows: Iterable[Row | Fault]) -> int:
        """Copy the lines into a temporary table, and return how many there are."""
        with connection.cursor() as cursor:
            prepare(cursor)
            line_staging.prepare(cursor, self.layout)
            self.lines = line_staging.copy(cursor, self.layout, rows)
        return self.lines

    def check(self) -> None:
        """Check each line by itself, and stage the good lines."""
        with connection.cursor() as cursor:
            self.all_good = (
                line_staging.stage(cursor, self.layout, own=addresses.own_addresses()) == self.lines
            )

    def compare(self) -> Iterable[RejectRow]:
        """Judge the good lines. If some are bad after all, judge the others again, until no line is bad.

        If bad lines are not skipped, one round finds all of them.
        """
        with connection.cursor() as cursor:
            while bad_lines := self._judge(cursor):
                self.all_good = False
                with bad_lines:
                    line_rules.remove_bad_lines(cursor, self.layout, bad_lines)
                line_staging.restage(cursor, self.layout)
                if not self.request.options.skip_bad_lines:
                    break
        return line_staging.rejects()

    def plan(self) -> Plan:
        """Return what changes. Its fingerprint is known only after writing."""
        with connection.cursor() as cursor:
            self.counts = self._count(cursor)
            warnings = [
                *line_staging.withdrawal_warning(cursor, self.layout),
                *self.findings.warnings,
                *line_staging.near_duplicate_warning(cursor),
                *addresses.check_digit_warnings(cursor, self.policies),
            ]
        return Plan(counts=self.counts, warnings=warnings)

    def write(self) -> int | None:
        """Write the facts, check the fingerprint of their effects, and record one audit entry."""
        with connection.cursor() as cursor:
            apply.write(cursor, self.kind, self.policies, self.judged, self.recorder, today=self.today)
        change, request = self.recorder.recorded, self.request
        if change is None:
            if request.expected:
                raise ConsequencesChanged(self.changed)
            return None
        effects.require_same(change, request.expected)
        after = {**{label: f"{count:,}" for label, count in self.counts.items()}, "change": change}
        action = f"import {self.kind.conflict.label.lower()}s"
        about = Change(pk=change)
        audit.record(request.actor, action, request.file_name, None, after, request.reason, about=about)
        return change

    def finish(self) -> None:
        """Stamp the change."""
        self.recorder.stamp()

    @property
    def _ends_unnamed(self) -> bool:
        """Whether what the file does not name ends."""
        return self.request.options.full and self.all_good

    def _judge(self, cursor: CursorWrapper) -> IO[bytes] | None:
        """Judge the good lines; return the lines that are bad after all, or None if none is."""
        self.findings = period_rules.Findings()
        self.recorder = Recorder(
            Source.of_import(self.request.file_name, self.request.actor, self.request.reason)
        )
        with transaction.atomic():
            self.judged = apply.judge(
                cursor,
                self.kind,
                self.policies,
                self.findings,
                self.recorder,
                today=self.today,
                end_omitted=self._ends_unnamed,
                party=None,
                all_points=self._ends_unnamed,
            )
            if not self.findings.rejections:
                return None
            if not line_rules.find_bad_lines(cursor, self.kind, self.policies, today=self.today):
                raise AssertionError(f"no line is to blame: {'; '.join(self.findings.rejections)}")
            bad_lines = line_rules.save_bad_lines(cursor)
            transaction.set_rollback(True)
        return bad_lines

    def _count(self, cursor: CursorWrapper) -> dict[str, int]:
        """Count what the file changes. Raises Shrunk if a full file ends too much."""
        parameters = {"tomorrow": self.today + timedelta(days=1)}
        counts = {}
        if self.kind is MEMBERSHIP:
            cursor.execute(POINTS)
            new, changed, ended, stated = cursor.fetchone()
            counts = {
                "congestion points new": new,
                "congestion points changed": changed,
                "congestion points ended": ended,
                "congestion points unchanged": stated - ended - new - changed,
            }
            if self._ends_unnamed:
                cursor.execute(POINTS_REGISTERED, parameters)
                refuse_shrinking(self.request.options, ended, cursor.fetchone()[0], "congestion points")
        claims = "memberships" if self.kind is MEMBERSHIP else "representations"
        cursor.execute(STATED)
        changing, new, omitted, stated = cursor.fetchone()
        if self._ends_unnamed:
            cursor.execute(self.kind.sql(REGISTERED), parameters)
            refuse_shrinking(self.request.options, omitted, cursor.fetchone()[0], claims)
        return counts | {
            f"{claims} new": new,
            f"{claims} changed": changing - new,
            f"{claims} ended": omitted,
            f"{claims} unchanged": stated - changing,
        }


ConnectionImporter = partial(RegistryImporter, REPRESENTATION, REPRESENTATIONS)
"""For a file of CONNECTION_COLUMNS: a line states what an AGR's update would."""

CongestionPointImporter = partial(RegistryImporter, MEMBERSHIP, MEMBERSHIPS)
"""For a file of CONGESTION_POINT_COLUMNS, with a line for each connection of a congestion point.

A line states what a DSO's update would, but its last day is the last day (docs/rules.md I5).
"""
