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

WAITING = """
-- Of the days asked for, those that a row of the claim is contested or refused on after the change, and those of them
-- on which the claim was so before it.
WITH claim AS (
    SELECT c.id, c.standing, c.period,
        c.recorded_by_id < %(change)s AND (c.superseded_by_id IS NULL OR c.superseded_by_id >= %(change)s) AS was,
        c.recorded_by_id <= %(change)s AND (c.superseded_by_id IS NULL OR c.superseded_by_id > %(change)s) AS is_so
    FROM {claims} c
    WHERE c.connection_id = %(connection)s AND c.{party} = %(party)s AND {point} = %(point)s
), before AS (
    SELECT standing, range_agg(period) AS days FROM claim WHERE was GROUP BY standing
)
SELECT claim.id, claim.standing, %(asked)s::datemultirange * claim.period::datemultirange,
    coalesce(%(asked)s::datemultirange * claim.period::datemultirange * before.days, '{{}}')
FROM claim LEFT JOIN before USING (standing)
WHERE is_so AND standing <> 'effective' AND %(asked)s::datemultirange && claim.period
ORDER BY claim.period
"""


@dataclass(frozen=True, slots=True)
class Waiting:
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


def waiting(
    row: Representation | CongestionPointConnection | CongestionPointTerms,
    asked: Iterable[Days],
    change: int,
) -> list[Waiting]:
    """Return the requested days that do not count after a change, in the order of the days.

    Args:
        row: A row of the claim; terms have no days that do not count.
        asked: The days that staff requested.
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
        "asked": Multirange(list(asked)),
    }
    with connection.cursor() as cursor:
        cursor.execute(kind.sql(WAITING), parameters)
        found = cursor.fetchall()
    claims = model._default_manager.in_bulk([number for number, *_ in found])
    refused = refusals(claims.values())
    return [
        Waiting(standing, tuple(days), tuple(unchanged), refused.get(claims[number]))
        for number, standing, days, unchanged in found
    ]
