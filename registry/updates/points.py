"""Apply statements about congestion points: their days and terms (docs/rules.md D2 to D6).

They work like statements about connections (`registry.updates.statements`), with two differences. The days have terms.
A line with an EndPeriod of today or earlier ends the congestion point (docs/rules.md D5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from registry.changes import Recorder
from registry.market.policies import ACCEPT, Policies
from registry.periods import day_after
from registry.sql.replacement import KEPT_BEFORE, KEPT_LATER_OF_POINT
from registry.sql.staging import analyze_if_large, copy_lines
from registry.updates import endings
from uftp.protocol.streaming import MembershipLine, PointLine

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

STAGE = """
INSERT INTO staged_point (number, dso_id, address, first, upper, stated_upper, ends, mutex, day_ahead, intraday)
SELECT number, %s, address, first, upper, stated_upper, ends, mutex, day_ahead, intraday
FROM unnest(
    %s::int[], %s::text[], %s::date[], %s::date[], %s::date[], %s::boolean[], %s::boolean[], %s::text[], %s::text[]
) stated (number, address, first, upper, stated_upper, ends, mutex, day_ahead, intraday)
"""

NEW_POINTS = """
INSERT INTO registry_congestionpoint (dso_id, address)
SELECT DISTINCT dso_id, address FROM staged_point ORDER BY dso_id, address
ON CONFLICT DO NOTHING
"""

LOCK_POINTS = """
SELECT count(*), (SELECT coalesce(bool_or(ends), false) FROM staged_point) FROM (
    SELECT p.id FROM registry_congestionpoint p
    WHERE (p.dso_id, p.address) IN (SELECT dso_id, address FROM staged_point)
    ORDER BY p.id FOR NO KEY UPDATE
) locked
"""

BUILD_POINT_STATEMENTS = """
-- `ended_days`: days on which a line ends the congestion point at once, so that no block of it goes on from there.
INSERT INTO point_statement (point_id, days, replaces_from, withdraws_from, ended_days, ends)
SELECT p.id, coalesce(range_agg(daterange(s.first, s.upper)) FILTER (WHERE s.upper IS NULL OR s.upper > s.first), '{}'),
    min(least(s.first, s.upper)), min(s.upper) FILTER (WHERE s.stated_upper <= s.first),
    coalesce(
        range_agg(daterange(s.upper, s.stated_upper))
            FILTER (WHERE s.upper < s.stated_upper AND s.stated_upper > s.first),
        '{}'
    ),
    bool_or(s.ends)
FROM staged_point s JOIN registry_congestionpoint p ON p.dso_id = s.dso_id AND p.address = s.address
GROUP BY p.id
"""

LOCK_ALL_POINTS = """
SELECT count(*), false FROM (SELECT FROM registry_congestionpoint ORDER BY id FOR NO KEY UPDATE) locked
"""

END_OMITTED = """
-- Congestion points that the file does not name: withdraw them from tomorrow on.
INSERT INTO point_statement (point_id, days, replaces_from, withdraws_from, omitted)
SELECT t.congestion_point_id, '{}', %(tomorrow)s, %(tomorrow)s, true
FROM registry_congestionpointterms t
WHERE t.superseded_by_id IS NULL AND t.period && daterange(%(tomorrow)s, NULL)
    AND NOT EXISTS (SELECT FROM point_statement s WHERE s.point_id = t.congestion_point_id)
GROUP BY t.congestion_point_id
"""

BEFORE_AND_LATER = f"""
    SELECT s.point_id, s.omitted, s.ends, s.days AS stated, {KEPT_BEFORE} AS before, {KEPT_LATER_OF_POINT} AS later
    FROM point_statement s
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(t.period), '{{}}') AS old FROM registry_congestionpointterms t
        WHERE t.congestion_point_id = s.point_id AND t.superseded_by_id IS NULL
    ) o
"""

WANTED_TERMS = f"""
-- The days that the congestion points are to have, with their terms.
INSERT INTO wanted_terms
WITH stated AS MATERIALIZED ({BEFORE_AND_LATER})
SELECT point_id, unnest(range_agg(days)), mutex, day_ahead, intraday
FROM (
    SELECT t.congestion_point_id AS point_id,
        datemultirange(t.period) * (
            s.before
            + CASE WHEN %(keep_later)s THEN s.later ELSE '{{}}' END
        ) - s.stated AS days,
        t.mutex_offers_supported AS mutex, t.day_ahead_redispatch_by AS day_ahead,
        t.intraday_redispatch_by AS intraday
    FROM stated s
    JOIN registry_congestionpointterms t
        ON t.congestion_point_id = s.point_id AND t.superseded_by_id IS NULL
    UNION ALL
    SELECT p.id, CASE WHEN l.upper <= l.first THEN '{{}}' ELSE datemultirange(daterange(l.first, l.upper)) END,
        l.mutex, l.day_ahead, l.intraday
    FROM staged_point l
    JOIN registry_congestionpoint p ON p.dso_id = l.dso_id AND p.address = l.address
) parts
WHERE days <> '{{}}'
GROUP BY point_id, mutex, day_ahead, intraday
"""

POINT_DAYS = """
-- The days of each stated congestion point before and after. From the first day that it loses, memberships lose all
-- days that are not its own.
INSERT INTO point_days
WITH was AS (
    SELECT t.congestion_point_id AS point_id, range_agg(t.period) AS days
    FROM registry_congestionpointterms t JOIN point_statement s ON s.point_id = t.congestion_point_id
    WHERE t.superseded_by_id IS NULL
    GROUP BY t.congestion_point_id
), becomes AS (
    SELECT point_id, range_agg(period) AS days FROM wanted_terms GROUP BY point_id
), listing AS (
    SELECT DISTINCT dso_id, address FROM staged_point
    WHERE NOT ends AND number IN (SELECT point FROM staged_line)
), measured AS (
    SELECT s.point_id, p.dso_id, p.address, coalesce(was.days, '{}') AS before, coalesce(becomes.days, '{}') AS after
    FROM point_statement s
    JOIN registry_congestionpoint p ON p.id = s.point_id
    LEFT JOIN was USING (point_id)
    LEFT JOIN becomes USING (point_id)
)
SELECT point_id, measured.dso_id, measured.address, before, after,
    CASE WHEN before - after = '{}' THEN '{}'
        ELSE datemultirange(daterange(lower(before - after), NULL)) - after
    END,
    listing.address IS NOT NULL
FROM measured LEFT JOIN listing USING (dso_id, address)
"""

DIFFERENCES = """
SELECT EXISTS (
    SELECT congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
    FROM registry_congestionpointterms t JOIN point_statement s ON s.point_id = t.congestion_point_id
    WHERE t.superseded_by_id IS NULL
    EXCEPT SELECT * FROM wanted_terms
) OR EXISTS (
    SELECT * FROM wanted_terms
    EXCEPT
    SELECT congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
    FROM registry_congestionpointterms t WHERE t.superseded_by_id IS NULL
        AND t.congestion_point_id IN (SELECT point_id FROM point_statement)
)
"""

SUPERSEDE = """
UPDATE registry_congestionpointterms t SET superseded_by_id = %(change)s
FROM point_statement s
WHERE t.congestion_point_id = s.point_id AND t.superseded_by_id IS NULL AND NOT EXISTS (
    SELECT FROM wanted_terms w
    WHERE w.point_id = t.congestion_point_id AND w.period = t.period AND w.mutex = t.mutex_offers_supported
        AND w.day_ahead = t.day_ahead_redispatch_by AND w.intraday IS NOT DISTINCT FROM t.intraday_redispatch_by
)
"""

RECORD = """
INSERT INTO registry_congestionpointterms
    (congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by,
     recorded_by_id)
SELECT point_id, period, mutex, day_ahead, intraday, %(change)s
FROM wanted_terms w
WHERE NOT EXISTS (
    SELECT FROM registry_congestionpointterms t
    WHERE t.congestion_point_id = w.point_id AND t.superseded_by_id IS NULL AND t.period = w.period
)
"""


def stage_update(
    cursor: CursorWrapper, dso: int, lines: Iterable[PointLine | MembershipLine], *, today: date
) -> tuple[int, int]:
    """COPY a DSO's update into the staging tables.

    A line with an EndPeriod of today or earlier ends the congestion point. With an EndPeriod of today it does not cover
    today (docs/rules.md D5).

    Args:
        cursor: A cursor on the connection that has the staging tables.
        dso: The primary key of the DSO.
        lines: Congestion points, each followed by its connections.
        today: The market's day of receipt.

    Returns:
        The number of lines about congestion points, and the number of lines about connections.
    """
    points: list[PointLine] = []
    connections = copy_lines(_memberships(lines, points), dso)
    uppers = [day_after(point.end) for point in points]
    tomorrow = today + timedelta(days=1)
    cursor.execute(
        STAGE,
        [
            dso,
            [point.number for point in points],
            [point.address for point in points],
            [point.start for point in points],
            [today if upper == tomorrow else upper for upper in uppers],
            uppers,
            [upper is not None and upper <= tomorrow for upper in uppers],
            [point.mutex for point in points],
            [point.day_ahead for point in points],
            [point.intraday for point in points],
        ],
    )
    analyze_if_large(cursor, "staged_point", len(points))
    return len(points), connections


class PointChanges(NamedTuple):
    """What statements about congestion points do.

    Attributes:
        any_changed: Terms change, or an ending at once is to be remembered.
        any_ended: A line ends a congestion point.
    """

    any_changed: bool
    any_ended: bool


def apply_point_statements(
    cursor: CursorWrapper, policies: Policies, *, today: date, end_omitted: bool = False
) -> PointChanges:
    """Register and lock the stated congestion points, and find their days before and after the update.

    Args:
        cursor: A cursor on the connection that has the staging tables.
        policies: The policies in force.
        today: The market's day of receipt.
        end_omitted: End every congestion point that is not stated, as a full file does; lock all of them.
    """
    cursor.execute(NEW_POINTS)
    analyze_if_large(cursor, "registry_congestionpoint", cursor.rowcount)
    cursor.execute(LOCK_ALL_POINTS if end_omitted else LOCK_POINTS)
    _, any_ended = cursor.fetchone()
    if any_ended:
        endings.read_as_on_that_day(cursor)
    cursor.execute(BUILD_POINT_STATEMENTS)
    stated = cursor.rowcount
    if end_omitted:
        cursor.execute(END_OMITTED, {"tomorrow": today + timedelta(days=1)})
        stated += cursor.rowcount
    analyze_if_large(cursor, "point_statement", stated)
    cursor.execute(WANTED_TERMS, {"keep_later": policies["P7"] != ACCEPT})
    analyze_if_large(cursor, "wanted_terms", cursor.rowcount)
    cursor.execute(POINT_DAYS)
    analyze_if_large(cursor, "point_days", cursor.rowcount)
    cursor.execute(DIFFERENCES)
    (any_changed,) = cursor.fetchone()
    return PointChanges(any_changed or (any_ended and endings.any_new(cursor, today=today)), any_ended)


def write(cursor: CursorWrapper, recorder: Recorder, *, today: date) -> None:
    """Record the terms that change, supersede those that they replace, and keep the memory of endings at once."""
    change = recorder.change_id()
    cursor.execute(SUPERSEDE, {"change": change})
    cursor.execute(RECORD, {"change": change})
    endings.forget(cursor, change=change)
    endings.remember(cursor, change=change, today=today)


def _memberships(
    lines: Iterable[PointLine | MembershipLine], points: list[PointLine]
) -> Iterator[tuple[int, str, date, date | None]]:
    """Yield the lines about connections for `copy_lines`; append the lines about congestion points to `points`."""
    for line in lines:
        if isinstance(line, PointLine):
            points.append(line)
        else:
            yield line
