"""Count the connections that lose days with their congestion point, or do not get them back (docs/rules.md D6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from uftp.protocol.reasons import Reason, named

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CLIPPED = """
-- The number of connections that the update does not state and that lose days with their congestion point. Congestion
-- points that end because a full file omits them are left out.
SELECT d.address, count(*)
FROM claim_change w JOIN point_days d USING (point_id)
WHERE w.old && d.clip
    AND NOT EXISTS (SELECT FROM statement s WHERE s.point_id = w.point_id AND s.connection_id = w.connection_id)
    AND NOT EXISTS (SELECT FROM point_statement s WHERE s.point_id = w.point_id AND s.omitted)
GROUP BY d.point_id, d.address ORDER BY d.address, d.point_id
"""

STILL_ENDED = """
-- The number of connections that the update does not state and that ended with their congestion point, which gets new
-- days.
SELECT address, count(*)
FROM (
    SELECT d.address, c.connection_id
    FROM point_days d
    JOIN registry_congestionpointconnection c
        ON c.congestion_point_id = d.point_id AND c.superseded_by_id IS NULL
    WHERE NOT upper_inf(d.before) AND d.after - d.before && datemultirange(daterange(upper(d.before), NULL))
        AND NOT EXISTS (
            SELECT FROM statement s WHERE s.point_id = d.point_id AND s.connection_id = c.connection_id
        )
    GROUP BY d.point_id, d.address, d.before, c.connection_id
    HAVING max(coalesce(upper(c.period), 'infinity')) = upper(d.before)
) ended
GROUP BY address ORDER BY 1
"""


def clipping_warnings(cursor: CursorWrapper) -> Iterator[str]:
    """Yield the warnings about connections that the update does not state.

    One warning counts those that lose days with their congestion point. The other counts those that ended with it
    earlier, and do not get back the days that it has again.
    """
    for query, what in (
        (CLIPPED, "clipped with the congestion point"),
        (STILL_ENDED, "clipped earlier with the congestion point and not brought back"),
    ):
        cursor.execute(query)
        counts = [
            f"{address} ({count} {'connection' if count == 1 else 'connections'})"
            for address, count in cursor.fetchall()
        ]
        if counts:
            yield named(Reason.PERIOD, counts, what)
