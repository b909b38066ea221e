"""Compute the consequences of a change for the days of claims, conflicts and congestion points.

A preview runs the real verb and rolls it back, so it shows what the action will do. The fingerprint of the preview is
given to the verb when the action is done: the verb applies nothing if its consequences differ (docs/rules.md C14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import connection, transaction

from common.previews import ConsequencesChanged
from registry.changes import collect_notices
from registry.periods import Days, list_in_words
from registry.previews.conflict_effects import ConflictLine, conflict_lines, without_new_numbers
from registry.previews.timeouts import LONG, TimeLimits, limited, one_at_a_time
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION
from registry.sql.staging import ANALYZE_FROM_ROWS, make_tables

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

MAX_LINES = 50
"""At most this many claims, and this many congestion points, are listed."""

MAX_FACTS = 20_000
"""A page shows the effects of a change of up to this many facts."""

IS_LARGE = """
-- Whether the change is about more facts than a page reads through.
SELECT count(*) > %(max_facts)s FROM (
    SELECT FROM registry_representation WHERE recorded_by_id = %(change)s
    UNION ALL SELECT FROM registry_representation WHERE superseded_by_id = %(change)s
    UNION ALL SELECT FROM registry_congestionpointconnection WHERE recorded_by_id = %(change)s
    UNION ALL SELECT FROM registry_congestionpointconnection WHERE superseded_by_id = %(change)s
    LIMIT %(max_facts)s + 1
) facts
"""

COMPARE = """
-- The days of each claim before and after the change, set against each other.
INSERT INTO consequence
WITH touched AS (
    SELECT c.connection_id, {point} AS point_id, c.{party} AS party_id, c.period, c.standing, true AS is_after
    FROM {claims} c WHERE c.recorded_by_id = %(change)s
    UNION ALL
    SELECT c.connection_id, {point}, c.{party}, c.period, c.standing, false
    FROM {claims} c WHERE c.superseded_by_id = %(change)s
), claim AS (
    SELECT connection_id, point_id, party_id,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after AND standing = 'effective'), '{{}}') AS had,
        coalesce(range_agg(period) FILTER (WHERE is_after AND standing = 'effective'), '{{}}') AS has,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after AND standing = 'contested'), '{{}}') AS contested,
        coalesce(range_agg(period) FILTER (WHERE is_after AND standing = 'contested'), '{{}}') AS contests,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after AND standing = 'refused'), '{{}}') AS was_refused,
        coalesce(range_agg(period) FILTER (WHERE is_after AND standing = 'refused'), '{{}}') AS is_refused,
        coalesce(range_agg(period) FILTER (WHERE NOT is_after), '{{}}') AS claimed,
        coalesce(range_agg(period) FILTER (WHERE is_after), '{{}}') AS claims
    FROM touched GROUP BY connection_id, point_id, party_id
)
SELECT connection_id, point_id, party_id, has - had, had - has, contests - contested, is_refused - was_refused,
    claimed - claims
FROM claim
WHERE has <> had OR contests <> contested OR is_refused <> was_refused OR claimed <> claims
"""

LINES = """
SELECT n.address, p.address, t.domain, t.id, c.gained, c.lost, c.contested, c.refused, c.withdrawn
FROM consequence c
JOIN registry_connection n ON n.id = c.connection_id
JOIN participants_participant t ON t.id = c.party_id
LEFT JOIN registry_congestionpoint p ON p.id = c.point_id
ORDER BY n.address, c.point_id, t.domain
LIMIT %(max_lines)s
"""

TOTALS = """
SELECT t.domain, t.id,
    count(DISTINCT c.connection_id) FILTER (WHERE c.gained <> '{}'),
    count(DISTINCT c.connection_id) FILTER (WHERE c.lost <> '{}'),
    count(DISTINCT c.connection_id) FILTER (WHERE c.contested <> '{}'),
    count(DISTINCT c.connection_id) FILTER (WHERE c.refused <> '{}'),
    count(DISTINCT c.connection_id) FILTER (WHERE c.withdrawn <> '{}')
FROM consequence c JOIN participants_participant t ON t.id = c.party_id
GROUP BY t.id, t.domain ORDER BY t.domain
"""

FINGERPRINT = """
-- A number each for all that is done to claims, conflicts and terms, whatever the order they are read in. Connections
-- and congestion points go by their addresses: one that is created in a preview has another number when it is created.
SELECT (SELECT coalesce(sum(hashtextextended(
        concat_ws('/', n.address, coalesce(p.address, ''), party_id, gained, lost, contested, refused, withdrawn),
        0)), 0)
    FROM consequence c
    JOIN registry_connection n ON n.id = c.connection_id
    LEFT JOIN registry_congestionpoint p ON p.id = c.point_id),
    (SELECT coalesce(sum(hashtextextended(
        concat_ws('/', kind, n.address, holder_id, claimant_id, period, opened_by_id = %(change)s, decision, split_at),
        0)), 0)
    FROM registry_conflict c
    JOIN registry_connection n ON n.id = c.connection_id
    WHERE opened_by_id = %(change)s OR closed_by_id = %(change)s),
    (SELECT coalesce(sum(hashtextextended(
        concat_ws('/', p.address, p.dso_id, period, mutex_offers_supported, coalesce(day_ahead_redispatch_by, ''),
            coalesce(intraday_redispatch_by, ''), recorded_by_id = %(change)s),
        0)), 0)
    FROM registry_congestionpointterms t
    JOIN registry_congestionpoint p ON p.id = t.congestion_point_id
    WHERE recorded_by_id = %(change)s OR superseded_by_id = %(change)s)
"""

CONFLICTS = """
-- How many conflicts the change opened and closed; a decision that replaces another is neither.
SELECT (SELECT count(*) FROM registry_conflict WHERE opened_by_id = %(change)s) - replacing.count,
    (SELECT count(*) FROM registry_conflict WHERE closed_by_id = %(change)s) - replacing.count
FROM (
    SELECT count(*) FROM registry_conflict WHERE replaces_id IS NOT NULL AND opened_by_id = %(change)s
) replacing
"""

TERMS = """
-- Congestion points whose days or terms the change touched, the first by address: the days they gained and lost.
SELECT p.address, p.domain, after.days - before.days, before.days - after.days
FROM (
    SELECT p.id, p.address, t.domain
    FROM (
        SELECT congestion_point_id FROM registry_congestionpointterms WHERE recorded_by_id = %(change)s
        UNION SELECT congestion_point_id FROM registry_congestionpointterms WHERE superseded_by_id = %(change)s
    ) touched
    JOIN registry_congestionpoint p ON p.id = touched.congestion_point_id
    JOIN participants_participant t ON t.id = p.dso_id
    ORDER BY p.address, t.domain
    LIMIT %(max_lines)s
) p
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(period), '{}') AS days FROM registry_congestionpointterms s
    WHERE s.congestion_point_id = p.id AND s.superseded_by_id = %(change)s
) before
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(period), '{}') AS days FROM registry_congestionpointterms s
    WHERE s.congestion_point_id = p.id AND s.recorded_by_id = %(change)s
) after
ORDER BY p.address, p.domain
"""


@dataclass(frozen=True, slots=True)
class Line:
    """The effects of a change on one claim.

    Days are half-open. `congestion_point` is None for a representation. `gained` days count now and did not before;
    `lost` is the reverse. `contested` and `refused` days have this standing now and did not before. `withdrawn` days
    are no longer claimed.
    """

    connection: str
    congestion_point: str | None
    participant: str
    participant_id: int
    gained: tuple[Days, ...]
    lost: tuple[Days, ...]
    contested: tuple[Days, ...]
    refused: tuple[Days, ...]
    withdrawn: tuple[Days, ...]


@dataclass(frozen=True, slots=True)
class PartyTotal:
    """The number of a participant's connections on which each effect occurred."""

    participant: str
    participant_id: int
    gained: int
    lost: int
    contested: int
    refused: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Consequences:
    """All that a change does.

    `lines` has the first 50 claims by address, and `claims` counts all of them. `opened` and `closed` count
    conflicts, and `conflicts` has the first 20 of each. `terms` has a sentence for each congestion point that
    changes. `warnings` are the notices for staff. When `large` is set, the change is about too many facts for a page:
    only its conflicts and congestion points are given.
    """

    lines: tuple[Line, ...] = ()
    claims: int = 0
    connections: int = 0
    parties: tuple[PartyTotal, ...] = ()
    opened: int = 0
    closed: int = 0
    conflicts: tuple[ConflictLine, ...] = ()
    terms: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""
    large: bool = False


class _Rollback(Exception):
    """Roll back a preview."""


def preview(
    verb: Callable[[], int | None], *, limits: TimeLimits = LONG, turn: int | None = None
) -> Consequences:
    """Return the consequences of `verb`: run it, and roll it back.

    Args:
        verb: Returns the number of the change that it made, or None when it made none. Its exceptions are passed on.
        limits: How long to wait for locks and statements.
        turn: The number of a member of staff, who gets one preview at a time; None: no such limit.

    Raises:
        Busy: The preview exceeded the limits.
    """
    found = Consequences()
    with connection.cursor() as cursor:
        make_tables(cursor)
    try:
        with transaction.atomic(), collect_notices() as notices:
            if turn is not None:
                one_at_a_time(turn, wait=limits.lock)
            with limited(limits):
                change = verb()
                if change is not None:
                    found = of_change(change, exact=True)
            raise _Rollback
    except _Rollback:
        return replace(found, warnings=tuple(notices), conflicts=without_new_numbers(found.conflicts))


def of_change(change_id: int, *, exact: bool = False) -> Consequences:
    """Return the consequences of a change that was made.

    A change that is about more than 20,000 facts has no lines, unless `exact` is set. With `exact`, the work grows
    with the change.
    """
    parameters = {"change": change_id, "max_lines": MAX_LINES, "max_facts": MAX_FACTS}
    with transaction.atomic(), connection.cursor() as cursor:
        opened, closed = _conflicts(cursor, change_id)
        conflicts = conflict_lines(cursor, change_id)
        cursor.execute(TERMS, parameters)
        terms = tuple(_terms_in_words(*row) for row in cursor.fetchall())
        cursor.execute(IS_LARGE, parameters)
        if cursor.fetchone()[0] and not exact:
            return Consequences(opened=opened, closed=closed, conflicts=conflicts, terms=terms, large=True)
        _compare(cursor, change_id)
        cursor.execute(LINES, parameters)
        lines = tuple(Line(*row[:4], *(tuple(days) for days in row[4:])) for row in cursor.fetchall())
        cursor.execute(TOTALS)
        parties = tuple(PartyTotal(*row) for row in cursor.fetchall())
        cursor.execute("SELECT count(*), count(DISTINCT connection_id) FROM consequence")
        claims, connections = cursor.fetchone()
        return Consequences(
            lines=lines,
            claims=claims,
            connections=connections,
            parties=parties,
            opened=opened,
            closed=closed,
            conflicts=conflicts,
            terms=terms,
            fingerprint=_fingerprint(cursor, change_id, terms),
        )


def conflicts_of(change_id: int) -> tuple[int, int]:
    """Return how many conflicts the change opened, and how many it closed."""
    with connection.cursor() as cursor:
        return _conflicts(cursor, change_id)


def require_same(change_id: int, expected: str | None) -> None:
    """Raise ConsequencesChanged when the fingerprint of the change is not `expected`; None matches any change."""
    if expected is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(TERMS, {"change": change_id, "max_lines": MAX_LINES})
        terms = tuple(_terms_in_words(*row) for row in cursor.fetchall())
        _compare(cursor, change_id)
        found = _fingerprint(cursor, change_id, terms)
    if found != expected:
        raise ConsequencesChanged("The registry has")


def _conflicts(cursor: CursorWrapper, change: int) -> tuple[int, int]:
    cursor.execute(CONFLICTS, {"change": change})
    opened, closed = cursor.fetchone()
    return opened, closed


def _compare(cursor: CursorWrapper, change: int) -> None:
    make_tables(cursor)
    cursor.execute("DELETE FROM consequence")
    rows = 0
    for kind in (REPRESENTATION, MEMBERSHIP):
        cursor.execute(kind.sql(COMPARE), {"change": change})
        rows += cursor.rowcount
    if rows >= ANALYZE_FROM_ROWS:
        cursor.execute("ANALYZE consequence")


def _fingerprint(cursor: CursorWrapper, change: int, terms: tuple[str, ...]) -> str:
    """Return a hash of the compared claims, and of the conflicts and congestion points of the change."""
    cursor.execute(FINGERPRINT, {"change": change})
    return sha256(repr((cursor.fetchone(), terms)).encode()).hexdigest()[:32]


def _terms_in_words(address: str, dso: str, gained: tuple[Days, ...], lost: tuple[Days, ...]) -> str:
    parts = [f"gains {list_in_words(gained)}"] if gained else []
    parts += [f"loses {list_in_words(lost)}"] if lost else []
    return f"Congestion point {address} of {dso}: {', '.join(parts) or 'other terms'}"
