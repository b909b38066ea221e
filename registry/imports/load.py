"""Files of congestion points and of representations: an operator's statements for many participants at once.

They go through the statements of messages, as one change (docs/operating.md, CSV files).

docs/rules.md I1, I2 and I4 are kept here, I3 in `common.csv.importing`, I5 in `import_lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db import connection, transaction

from common.csv.importing import Imported, ImportRefused, Options, Step, guard, quiet
from common.csv.reader import Fault, Row
from common.csv.rejects import Rejects
from common.previews import ConsequencesChanged
from participants import audit
from registry.changes import Recorder, Source
from registry.imports import line_rules
from registry.imports import lines as import_lines
from registry.imports.layouts import MEMBERSHIPS, REPRESENTATIONS, Layout
from registry.market.policies import Policies, in_force
from registry.models import Change
from registry.previews import effects
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import prepare
from registry.updates import period_rules, publish
from registry.updates.publish import Judged

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CONNECTION_COLUMNS = REPRESENTATIONS.columns
CONGESTION_POINT_COLUMNS = MEMBERSHIPS.columns

STATED = """
-- Of what changes: what the file names, that which is new, and that which it does not name; and all that it names.
SELECT count(s.party_id), count(s.party_id) FILTER (WHERE w.old = '{}'), count(*) - count(s.party_id),
    (SELECT count(*) FROM statement)
FROM claim_change w
LEFT JOIN statement s ON s.point_id = w.point_id AND s.party_id = w.party_id AND s.connection_id = w.connection_id
"""

THERE = """
-- What is claimed for days after today.
SELECT count(*) FROM (
    SELECT DISTINCT c.connection_id, c.{party}, {point} FROM {claims} c
    WHERE c.superseded_by_id IS NULL AND c.period && daterange(%(tomorrow)s, NULL)
) there
"""

POINTS_THERE = """
SELECT count(DISTINCT congestion_point_id) FROM registry_congestionpointterms
WHERE superseded_by_id IS NULL AND period && daterange(%(tomorrow)s, NULL)
"""

POINTS = """
-- Of the stated congestion points: those that are new, those with other days, those that end unnamed, and all.
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


NOTHING = Judged(terms=False, claims=False, any_replaced=False, disputed=False)


class _Strange(Exception):
    """Ends a try of which some lines are bad."""


def nothing() -> None:
    """Nothing is to be done before the commit."""


@transaction.atomic
def _import(
    kind: ClaimKind,
    layout: Layout,
    rows: Iterable[Row | Fault],
    *,
    options: Options,
    today: date,
    source: Source,
    rejects: Rejects,
    step: Step = quiet,
    before_commit: Callable[[], None] = nothing,
    expected: str | None = None,
) -> Imported:
    """Take the lines of a file, read with the columns of its layout.

    `today` is the market's day. All of it is one change by `source`, judged by the policies as they stand; it runs in
    the caller's transaction, and `before_commit` is called when all is written but its moment. `expected` is the
    fingerprint of the consequences that were shown. Raises ImportRefused where lines are bad and
    `options.skip_bad_lines` is not set, with `rejects` filled; Shrunk; and ConsequencesChanged.
    """
    policies = in_force()
    with connection.cursor() as cursor:
        prepare(cursor)
        import_lines.prepare(cursor, layout)
        step("reading")
        lines = import_lines.copy(cursor, layout, rows)
        step("checking")
        good = import_lines.stage(cursor, layout, own=publish.own_addresses())
        ends = options.full and good == lines
        step("comparing")
        taken = _judge(cursor, kind, layout, policies, options, today=today, source=source, ends=ends)
        import_lines.fill(cursor, rejects)
        if rejects.count and not options.skip_bad_lines:
            raise ImportRefused(rejects)
        judged, findings, recorder, all_good = taken
        counts = _count(cursor, kind, judged, options if ends and all_good else None, today=today)
        warnings = [*import_lines.withdrawals(cursor, layout), *findings.warnings]
        if options.full and not (ends and all_good):
            warnings.append("Lines are bad, so nothing that the file does not name was ended.")
        step("writing")
        publish.write(cursor, kind, policies, judged, recorder, today=today)
    _require(recorder.recorded, expected)
    if recorder.recorded is not None:
        name, _, why = source.reason.partition("\n")
        after = {**{what: f"{count:,}" for what, count in counts.items()}, "change": recorder.recorded}
        audit.note(
            source.actor,
            f"import {kind.conflict.label.lower()}s",
            name,
            None,
            after,
            why,
            about=Change(pk=recorder.recorded),
        )
    before_commit()
    recorder.stamp()
    return Imported(recorder.recorded, lines, counts, tuple(warnings))


import_connections = partial(_import, REPRESENTATION, REPRESENTATIONS)
"""Take a file of CONNECTION_COLUMNS: a line says what an AGR's update would. See `_import`."""

import_congestion_points = partial(_import, MEMBERSHIP, MEMBERSHIPS)
"""Take a file of CONGESTION_POINT_COLUMNS, a line for each connection of a congestion point. See `_import`.

A line says what a DSO's update would, but that its last day is the last day (docs/rules.md I5).
"""


def _judge(
    cursor: CursorWrapper,
    kind: ClaimKind,
    layout: Layout,
    policies: Policies,
    options: Options,
    *,
    today: date,
    source: Source,
    ends: bool,
) -> tuple[Judged, period_rules.Findings, Recorder, bool]:
    """Judge the good lines, without those that turn out to be bad, until none does; and whether none did.

    Where bad lines are not skipped, one round tells all of them.
    """
    all_good = True
    while True:
        findings, recorder = period_rules.Findings(), Recorder(source)
        with suppress(_Strange), transaction.atomic():
            judged = publish.judge(
                cursor,
                kind,
                policies,
                findings,
                recorder,
                today=today,
                end_omitted=ends and all_good,
                party=None,
                all_points=ends and all_good,
            )
            if not findings.rejections:
                return judged, findings, recorder, all_good
            if not line_rules.find(cursor, kind, policies, today=today):
                raise AssertionError(f"no line is to blame: {'; '.join(findings.rejections)}")
            put_aside = line_rules.write_aside(cursor)
            raise _Strange
        all_good = False
        with put_aside:
            line_rules.take_out(cursor, layout, put_aside)
        import_lines.restage(cursor, layout)
        if not options.skip_bad_lines:
            return NOTHING, findings, recorder, all_good


def _count(
    cursor: CursorWrapper, kind: ClaimKind, judged: Judged, full: Options | None, *, today: date
) -> dict[str, int]:
    """How much of what the file changes; raises Shrunk where a full one would end too much."""
    parameters = {"tomorrow": today + timedelta(days=1)}
    counts = {}
    if kind is MEMBERSHIP:
        cursor.execute(POINTS)
        anew, changed, ended, stated = cursor.fetchone()
        counts = {
            "congestion points new": anew,
            "congestion points changed": changed,
            "congestion points ended": ended,
            "congestion points unchanged": stated - ended - anew - changed,
        }
        if full:
            cursor.execute(POINTS_THERE, parameters)
            guard(full, ended, cursor.fetchone()[0], "congestion points")
    things = "memberships" if kind is MEMBERSHIP else "representations"
    cursor.execute(STATED)
    changing, anew, omitted, stated = cursor.fetchone()
    if full:
        cursor.execute(kind.sql(THERE), parameters)
        guard(full, omitted, cursor.fetchone()[0], things)
    return counts | {
        f"{things} new": anew,
        f"{things} changed": changing - anew,
        f"{things} ended": omitted,
        f"{things} unchanged": stated - changing,
    }


def _require(change: int | None, expected: str | None) -> None:
    """Raise ConsequencesChanged unless what follows is what was shown (docs/rules.md C14)."""
    if change is not None:
        effects.require(change, expected)
    elif expected:
        raise ConsequencesChanged("The registry has")
