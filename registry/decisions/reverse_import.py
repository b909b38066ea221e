"""Reverse an import: undo by one change what it did to the days of claims and congestion points (docs/rules.md C16).

Where nothing was changed since, everything becomes what it was, standings and conflicts too. Elsewhere only days that
nobody changed since are set back, and the rules judge what they count for. The import stays in the history.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from participants import audit
from registry.changes import Recorder, Source, lock_changed_connections, notice
from registry.decisions.rulings import DecisionError
from registry.market.policies import HOLD
from registry.models import Change
from registry.previews import effects
from registry.queries.change_sources import source_in_words
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import analyze_if_large, prepare
from registry.updates import claims, endings, points, standings
from registry.updates.conflict_detection import refresh_conflicts

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

TOUCHES = """
SELECT EXISTS (SELECT FROM {claims} WHERE recorded_by_id = %(import)s)
    OR EXISTS (SELECT FROM {claims} WHERE superseded_by_id = %(import)s)
"""

LOCK_POINTS = """
-- Lock the congestion points whose terms the import changed, and those of its memberships.
SELECT count(*) FROM (
    SELECT id FROM registry_congestionpoint WHERE id IN (
        SELECT congestion_point_id FROM registry_congestionpointterms WHERE recorded_by_id = %(import)s
        UNION SELECT congestion_point_id FROM registry_congestionpointterms WHERE superseded_by_id = %(import)s
        UNION SELECT congestion_point_id FROM registry_congestionpointconnection WHERE recorded_by_id = %(import)s
        UNION SELECT congestion_point_id FROM registry_congestionpointconnection WHERE superseded_by_id = %(import)s
    )
    ORDER BY id FOR NO KEY UPDATE
) locked
"""

STATE_POINTS = """
-- The congestion points whose terms the import changed. They state no days: the wanted terms say all.
INSERT INTO point_statement (point_id, days, replaces_from)
SELECT congestion_point_id, '{}', date '0001-01-02' FROM (
    SELECT congestion_point_id FROM registry_congestionpointterms WHERE recorded_by_id = %(import)s
    UNION SELECT congestion_point_id FROM registry_congestionpointterms WHERE superseded_by_id = %(import)s
) touched
"""

WANT_TERMS = """
-- The terms of these congestion points: those of before the import on the days that it changed and that nobody changed
-- since, and the present ones on all other days.
INSERT INTO wanted_terms
WITH step AS (
    SELECT point_id, change_id,
        coalesce(range_agg(period) FILTER (WHERE is_after), '{}') AS after,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after), '{}') AS before
    FROM (
        SELECT congestion_point_id AS point_id, recorded_by_id AS change_id, true AS is_after, period,
            mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
        FROM registry_congestionpointterms JOIN point_statement ON point_id = congestion_point_id
        WHERE recorded_by_id >= %(import)s
        UNION ALL
        SELECT congestion_point_id, superseded_by_id, false, period,
            mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
        FROM registry_congestionpointterms JOIN point_statement ON point_id = congestion_point_id
        WHERE superseded_by_id >= %(import)s
    ) version
    GROUP BY point_id, change_id, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
), changed AS (
    SELECT point_id, coalesce(range_agg(days) FILTER (WHERE change_id = %(import)s), '{}')
        - coalesce(range_agg(days) FILTER (WHERE change_id > %(import)s), '{}') AS days
    FROM step CROSS JOIN LATERAL unnest((after - before) + (before - after)) days
    GROUP BY point_id
)
SELECT point_id, unnest(range_agg(part)), mutex, day_ahead, intraday
FROM (
    SELECT t.congestion_point_id AS point_id, unnest(datemultirange(t.period) - coalesce(c.days, '{}')) AS part,
        t.mutex_offers_supported AS mutex, t.day_ahead_redispatch_by AS day_ahead,
        t.intraday_redispatch_by AS intraday
    FROM registry_congestionpointterms t
    JOIN point_statement s ON s.point_id = t.congestion_point_id
    LEFT JOIN changed c ON c.point_id = t.congestion_point_id
    WHERE t.superseded_by_id IS NULL
    UNION ALL
    SELECT t.congestion_point_id, unnest(datemultirange(t.period) * c.days), t.mutex_offers_supported,
        t.day_ahead_redispatch_by, t.intraday_redispatch_by
    FROM registry_congestionpointterms t JOIN changed c ON c.point_id = t.congestion_point_id
    WHERE t.superseded_by_id = %(import)s
) parts
GROUP BY point_id, mutex, day_ahead, intraday
"""

SET_BACK = """
-- The claims of which the import changed days that nobody changed since: their days now, and as they were before it.
INSERT INTO claim_change
WITH item AS (
    SELECT {point} AS point_id, c.{party} AS party_id, c.connection_id FROM {claims} c
    WHERE c.recorded_by_id = %(import)s
    UNION
    SELECT {point}, c.{party}, c.connection_id FROM {claims} c WHERE c.superseded_by_id = %(import)s
), version AS (
    SELECT i.*, c.period, c.recorded_by_id AS recorded, c.superseded_by_id AS superseded
    FROM item i
    JOIN {claims} c ON c.connection_id = i.connection_id AND c.{party} = i.party_id AND {point} = i.point_id
), step AS (
    SELECT point_id, party_id, connection_id, change_id,
        coalesce(range_agg(period) FILTER (WHERE is_after), '{{}}') AS after,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after), '{{}}') AS before
    FROM (
        SELECT point_id, party_id, connection_id, recorded AS change_id, true AS is_after, period FROM version
        WHERE recorded >= %(import)s
        UNION ALL
        SELECT point_id, party_id, connection_id, superseded, false, period FROM version
        WHERE superseded >= %(import)s
    ) parts
    GROUP BY point_id, party_id, connection_id, change_id
), later AS (
    SELECT point_id, party_id, connection_id, range_agg(days) AS days
    FROM step CROSS JOIN LATERAL unnest((after - before) + (before - after)) days
    WHERE change_id > %(import)s
    GROUP BY point_id, party_id, connection_id
), now AS (
    SELECT point_id, party_id, connection_id,
        coalesce(range_agg(period) FILTER (WHERE superseded IS NULL), '{{}}') AS old
    FROM version GROUP BY point_id, party_id, connection_id
)
SELECT point_id, party_id, connection_id, old,
    old - (s.after - s.before - coalesce(later.days, '{{}}'))
        + (s.before - s.after - coalesce(later.days, '{{}}')) {within_point}
FROM step s
JOIN now USING (point_id, party_id, connection_id)
LEFT JOIN later USING (point_id, party_id, connection_id)
WHERE s.change_id = %(import)s AND s.after <> s.before
"""

WITHIN_POINT = """ * coalesce(
        (SELECT after FROM point_days d WHERE d.point_id = s.point_id),
        (SELECT range_agg(t.period) FROM registry_congestionpointterms t
            WHERE t.congestion_point_id = s.point_id AND t.superseded_by_id IS NULL),
        '{}')"""

CLIP = """
-- Memberships lose the days that their congestion points lose.
WITH clipped AS (
    UPDATE claim_change w SET want = w.want - d.clip FROM point_days d WHERE d.point_id = w.point_id
    RETURNING w.point_id, w.connection_id
)
INSERT INTO claim_change
SELECT d.point_id, c.dso_id, c.connection_id, range_agg(c.period), range_agg(c.period) - d.clip
FROM point_days d
JOIN registry_congestionpointconnection c ON c.congestion_point_id = d.point_id AND c.superseded_by_id IS NULL
WHERE d.clip <> '{}' AND NOT EXISTS (
    SELECT FROM clipped WHERE clipped.point_id = d.point_id AND clipped.connection_id = c.connection_id
)
GROUP BY d.point_id, c.dso_id, c.connection_id, d.clip
HAVING range_agg(c.period) && d.clip
"""

FIND_QUIET = """
-- Connections on which nothing was changed since the import, nor on their congestion points.
INSERT INTO quiet_connection
SELECT DISTINCT w.connection_id FROM claim_change w
WHERE NOT EXISTS (
    SELECT FROM {claims} c
    WHERE c.connection_id = w.connection_id AND (c.recorded_by_id > %(import)s OR c.superseded_by_id > %(import)s)
) AND NOT EXISTS (
    SELECT FROM claim_change o
    WHERE o.connection_id = w.connection_id AND NOT EXISTS (
        SELECT FROM {claims} c
        WHERE c.connection_id = o.connection_id AND c.{party} = o.party_id AND {point} = o.point_id
            AND %(import)s IN (c.recorded_by_id, c.superseded_by_id)
    )
) {points_unchanged}
"""

POINTS_UNCHANGED = """AND NOT EXISTS (
    SELECT FROM claim_change o JOIN registry_congestionpointterms t ON t.congestion_point_id = o.point_id
    WHERE o.connection_id = w.connection_id
        AND (t.recorded_by_id > %(import)s OR t.superseded_by_id > %(import)s)
)"""

SUPERSEDE_IMPORTED = """
-- On the quiet connections: what the import recorded goes.
UPDATE {claims} c SET superseded_by_id = %(change)s FROM quiet_connection q
WHERE c.connection_id = q.connection_id AND c.recorded_by_id = %(import)s AND c.superseded_by_id IS NULL
"""

RECORD_FORMER = """
-- On the quiet connections: what the import superseded is recorded again, with its standing and since when it waits.
INSERT INTO {claims}
    (connection_id, period, standing, given_to_id, waiting_since_id, recorded_by_id, {insert_columns})
SELECT c.connection_id, c.period, c.standing, c.given_to_id, c.waiting_since_id, %(change)s, {columns}
FROM {claims} c JOIN quiet_connection USING (connection_id)
WHERE c.superseded_by_id = %(import)s
"""

CHANGED_PARTICIPANTS = """
SELECT c.{party} FROM {claims} c WHERE c.recorded_by_id = %(change)s
UNION SELECT c.{party} FROM {claims} c WHERE c.superseded_by_id = %(change)s
UNION SELECT p.dso_id FROM registry_congestionpointterms t
JOIN registry_congestionpoint p ON p.id = t.congestion_point_id
WHERE %(change)s IN (t.recorded_by_id, t.superseded_by_id)
"""


@transaction.atomic
def reverse_import(number: int, *, source: Source, today: date, expected: str | None = None) -> int:
    """Reverse an import of connections or congestion points, and return the number of the change.

    Days that it registered are no longer claimed, and days that it ended are claimed again; congestion points get the
    terms back that they had. What was changed since stays: there, days that are claimed again and that another party
    holds by now are contested, whatever the policy. A congestion point that gets shorter clips its connections.

    Args:
        number: The number of the change that the import made.
        source: Who reverses it, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Raises:
        DecisionError: The change is no import, there is no reason, or nothing is left to reverse.
        ConsequencesChanged: The reversal would have other consequences than `expected`.
    """
    if not source.reason.strip():
        raise DecisionError("A reversal needs a reason.")
    imported = Change.objects.filter(pk=number, kind=Change.Kind.IMPORT).first()
    if imported is None:
        raise DecisionError(f"Change {number} is not an import: there is nothing to reverse.")
    parameters: dict[str, Any] = {"import": number}
    with connection.cursor() as cursor:
        prepare(cursor)
        cursor.execute(REPRESENTATION.sql(TOUCHES), parameters)
        kind = REPRESENTATION if cursor.fetchone()[0] else MEMBERSHIP
        recorder = Recorder(source)
        terms_change = kind is MEMBERSHIP and _find_terms(cursor, parameters)
        _find_claims(cursor, kind, parameters)
        cursor.execute(
            "SELECT count(*) FILTER (WHERE old <> want), count(*) FILTER (WHERE old = want) FROM claim_change"
        )
        changing, staying = cursor.fetchone()
        if not changing and not terms_change:
            raise DecisionError(_why_nothing(imported))
        if staying:
            notice(f"Claims that were changed since the import, and stay as they are: {staying:,}.")
        cursor.execute("DELETE FROM claim_change WHERE old = want")
        if terms_change:
            points.write(cursor, recorder, today=today)
            endings.remember_again(cursor, forgotten_by=number, change=recorder.change_id())
        change = recorder.change_id()
        _restore_quiet(cursor, kind, {**parameters, "change": change})
        standings.judge(cursor, kind, change=change, policy=HOLD, today=today)
        claims.write(cursor, kind, change=change, policy=HOLD, today=today)
        cursor.execute(
            "INSERT INTO disputed SELECT connection_id FROM quiet_connection ON CONFLICT DO NOTHING"
        )
        refresh_conflicts(cursor, kind, change=change)
        cursor.execute(kind.sql(CHANGED_PARTICIPANTS), {"change": change})
        participants = [party for (party,) in cursor.fetchall()]
    Change.objects.filter(pk=change).update(reverses=number)
    effects.require_same(change, expected)
    audit.record(
        source.actor,
        "reverse import",
        f"change {number}: {imported.file_name}"[:600],
        {"change": number},
        {"change": change},
        source.reason,
        about=imported,
        participants=imported.participants,
    )
    recorder.stamp(participants)
    return change


def _find_terms(cursor: CursorWrapper, parameters: dict[str, Any]) -> bool:
    """Lock the congestion points, and stage the terms that they are to have; return whether any differ."""
    cursor.execute(LOCK_POINTS, parameters)
    cursor.execute(STATE_POINTS, parameters)
    analyze_if_large(cursor, "point_statement", cursor.rowcount)
    cursor.execute(WANT_TERMS, parameters)
    analyze_if_large(cursor, "wanted_terms", cursor.rowcount)
    cursor.execute(points.POINT_DAYS)
    analyze_if_large(cursor, "point_days", cursor.rowcount)
    cursor.execute(points.DIFFERENCES)
    return bool(cursor.fetchone()[0])


def _find_claims(cursor: CursorWrapper, kind: ClaimKind, parameters: dict[str, Any]) -> None:
    """Lock the connections, and stage the days that their claims are to have."""
    set_back = kind.sql(SET_BACK, within_point=WITHIN_POINT if kind is MEMBERSHIP else "")

    def compute(_: bool) -> None:
        cursor.execute("DELETE FROM claim_change")
        cursor.execute(set_back, parameters)
        analyze_if_large(cursor, "claim_change", cursor.rowcount)
        if kind is MEMBERSHIP:
            cursor.execute(CLIP)

    lock_changed_connections(cursor, compute)


def _restore_quiet(cursor: CursorWrapper, kind: ClaimKind, parameters: dict[str, Any]) -> None:
    """Restore the claims of before the import where nothing was changed since, as they were.

    The other connections stay in `claim_change`, to be judged.
    """
    points_unchanged = POINTS_UNCHANGED if kind is MEMBERSHIP else ""
    cursor.execute(kind.sql(FIND_QUIET, points_unchanged=points_unchanged), parameters)
    analyze_if_large(cursor, "quiet_connection", cursor.rowcount)
    cursor.execute(kind.sql(SUPERSEDE_IMPORTED), parameters)
    columns = ", ".join(f"c.{column}" for column in kind.insert_columns.split(", "))
    cursor.execute(kind.sql(RECORD_FORMER, columns=columns), parameters)
    cursor.execute(
        "DELETE FROM claim_change w USING quiet_connection q WHERE w.connection_id = q.connection_id"
    )


def _why_nothing(imported: Change) -> str:
    """Return why nothing is left to reverse: an earlier reversal, or changes since."""
    earlier = imported.reversed_by.order_by("pk").first()
    if earlier is not None:
        return f"This import is reversed already, by change {earlier.pk} {source_in_words(earlier)}."
    return "Nothing is left to reverse: all that this import changed was changed since."
