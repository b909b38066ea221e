"""Find the days that staff requested for a claim and that do not count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg.types.multirange import Multirange

from registry.decisions.history import refusals
from registry.models import (
    ClaimStanding,
    Conflict,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
)
from registry.periods import Days, list_in_words
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION

UNMET_DAYS = """
-- The requested days on which a row of the claim is contested or refused after the change; and of these, the days on
-- which the claim had the same standing before the change.
WITH claim AS (
    SELECT c.id, c.standing, c.period,
        c.recorded_by_id < %(change)s AND (c.superseded_by_id IS NULL OR c.superseded_by_id >= %(change)s) AS was,
        c.recorded_by_id <= %(change)s AND (c.superseded_by_id IS NULL OR c.superseded_by_id > %(change)s) AS is_so
    FROM {claims} c
    WHERE c.connection_id = %(connection)s AND c.{party} = %(party)s AND {point} = %(point)s
), before AS (
    SELECT standing, range_agg(period) AS days FROM claim WHERE was GROUP BY standing
)
SELECT claim.id, claim.standing, %(requested)s::datemultirange * claim.period::datemultirange,
    coalesce(%(requested)s::datemultirange * claim.period::datemultirange * before.days, '{{}}')
FROM claim LEFT JOIN before USING (standing)
WHERE is_so AND standing <> 'effective' AND %(requested)s::datemultirange && claim.period
ORDER BY claim.period
"""


@dataclass(frozen=True, slots=True)
class UnmetDays:
    """Days (half-open) of a claim that do not count after a change.

    `unchanged` are those of `days` that had the same standing before the change. `decision` is the one that refused the
    days; it is None when they are contested, or when the policy `newest wins` refused them.
    """

    standing: str
    days: tuple[Days, ...]
    unchanged: tuple[Days, ...]
    decision: Conflict | None

    @property
    def why(self) -> str:
        """Return what refused the days, to be put after their standing; empty when they are contested."""
        if self.standing != ClaimStanding.REFUSED:
            return ""
        return f", by conflict {self.decision.pk}" if self.decision else ", by the policy “newest wins”"

    @property
    def in_words(self) -> str:
        """Return a text such as `2026-03-01 to 2026-03-31 is refused, by conflict 15`."""
        return f"{list_in_words(self.days)} is {self.standing}{self.why}"

    @property
    def unchanged_in_words(self) -> str:
        """Return a text such as `stays refused 2026-03-01 to 2026-03-31, by conflict 15`.

        It is empty when the change gave all days their standing.
        """
        if not self.unchanged:
            return ""
        return f"stays {self.standing} {list_in_words(self.unchanged)}{self.why}"


def unmet_days(
    row: Representation | CongestionPointConnection | CongestionPointTerms,
    requested: Iterable[Days],
    change: int,
) -> list[UnmetDays]:
    """Return the requested days that do not count after a change, in the order of the days.

    Args:
        row: A row of the claim; terms have no days that do not count.
        requested: The days that staff requested.
        change: The number of the change.
    """
    if isinstance(row, CongestionPointTerms):
        return []
    model: type[Representation | CongestionPointConnection] = type(row)
    if isinstance(row, Representation):
        kind, party, point = REPRESENTATION, row.agr_id, 0
    else:
        kind, party, point = MEMBERSHIP, row.dso_id, row.congestion_point_id
    parameters: dict[str, Any] = {
        "change": change,
        "connection": row.connection_id,
        "party": party,
        "point": point,
        "requested": Multirange(list(requested)),
    }
    with connection.cursor() as cursor:
        cursor.execute(kind.sql(UNMET_DAYS), parameters)
        found = cursor.fetchall()
    claims = model._default_manager.in_bulk([number for number, *_ in found])
    refused = refusals(claims.values())
    return [
        UnmetDays(standing, tuple(days), tuple(unchanged), refused.get(claims[number]))
        for number, standing, days, unchanged in found
    ]
