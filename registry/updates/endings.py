"""Remember that a message ended a congestion point at once, so that it means the same on later days.

The rule: docs/rules.md D5. Such a message comes again on later days, since participants send all that they have every
day. Without the memory it would then cover the day on which it ended the congestion point.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

READ_AS_ON_THAT_DAY = """
-- Lines whose EndPeriod is a day on which their congestion point was ended at once: they do not cover that day.
UPDATE staged_point s SET upper = s.stated_upper - 1
FROM registry_congestionpoint p
JOIN registry_congestionpointending e ON e.congestion_point_id = p.id AND e.superseded_by_id IS NULL
WHERE s.ends AND p.dso_id = s.dso_id AND p.address = s.address AND e.day = s.stated_upper - 1
"""

ANY_NEW = """
-- Whether any congestion point is ended at once today of which that is not remembered yet.
SELECT EXISTS (
    SELECT FROM staged_point s JOIN registry_congestionpoint p ON p.dso_id = s.dso_id AND p.address = s.address
    WHERE s.ends AND s.stated_upper = %(tomorrow)s AND NOT EXISTS (
        SELECT FROM registry_congestionpointending e
        WHERE e.congestion_point_id = p.id AND e.day = %(today)s AND e.superseded_by_id IS NULL
    )
)
"""

FORGET = """
-- Endings of congestion points that cover the day again, unless a line with that EndPeriod is among the lines.
UPDATE registry_congestionpointending e SET superseded_by_id = %(change)s
FROM point_days d
WHERE e.congestion_point_id = d.point_id AND e.superseded_by_id IS NULL
    AND d.after @> e.day AND NOT d.before @> e.day
    AND NOT EXISTS (
        SELECT FROM staged_point s
        WHERE s.ends AND s.dso_id = d.dso_id AND s.address = d.address AND s.stated_upper - 1 = e.day
    )
"""

REMEMBER = """
INSERT INTO registry_congestionpointending (congestion_point_id, day, recorded_by_id)
SELECT DISTINCT p.id, %(today)s::date, %(change)s
FROM staged_point s JOIN registry_congestionpoint p ON p.dso_id = s.dso_id AND p.address = s.address
WHERE s.ends AND s.stated_upper = %(tomorrow)s AND NOT EXISTS (
    SELECT FROM registry_congestionpointending e
    WHERE e.congestion_point_id = p.id AND e.day = %(today)s AND e.superseded_by_id IS NULL
)
"""

REMEMBER_AGAIN = """
-- Endings that a change forgot, on days that their congestion points do not cover any more.
INSERT INTO registry_congestionpointending (congestion_point_id, day, recorded_by_id)
SELECT e.congestion_point_id, e.day, %(change)s
FROM registry_congestionpointending e JOIN point_days d ON d.point_id = e.congestion_point_id
WHERE e.superseded_by_id = %(forgotten_by)s AND NOT d.after @> e.day AND NOT EXISTS (
    SELECT FROM registry_congestionpointending known
    WHERE known.congestion_point_id = e.congestion_point_id AND known.day = e.day
        AND known.superseded_by_id IS NULL
)
"""


def read_as_on_that_day(cursor: CursorWrapper) -> None:
    """Cut the staged lines with the EndPeriod of an ending at once; the congestion points are locked."""
    cursor.execute(READ_AS_ON_THAT_DAY)


def any_new(cursor: CursorWrapper, *, today: date) -> bool:
    """Return whether the staged lines end a congestion point at once for the first time today."""
    cursor.execute(ANY_NEW, _parameters(today))
    return bool(cursor.fetchone()[0])


def forget(cursor: CursorWrapper, *, change: int) -> None:
    """Supersede the endings on days that their congestion points cover again."""
    cursor.execute(FORGET, {"change": change})


def remember(cursor: CursorWrapper, *, change: int, today: date) -> None:
    """Record the congestion points that the staged lines end at once today."""
    cursor.execute(REMEMBER, {**_parameters(today), "change": change})


def remember_again(cursor: CursorWrapper, *, forgotten_by: int, change: int) -> None:
    """Record the endings again that a change, which staff reverse, made forgotten."""
    cursor.execute(REMEMBER_AGAIN, {"forgotten_by": forgotten_by, "change": change})


def _parameters(today: date) -> dict[str, date | int]:
    return {"today": today, "tomorrow": today + timedelta(days=1)}
