"""The two kinds of claims, for SQL that is written once for both.

A party is the AGR of a representation or the DSO of a membership. The SQL of `registry.updates.statements`,
`registry.updates.standings` and `registry.decisions.settle` has names in braces. A `ClaimKind` fills in the table and
the columns of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.models import Conflict
from registry.sql.replacement import KEPT_BEFORE, KEPT_LATER


@dataclass(frozen=True)
class ClaimKind:
    """The table and the columns of one kind of claims, and the staging table of its lines.

    Attributes:
        conflict: The kind of the conflicts between these claims.
        table: The table of the claims.
        party: The column of the party.
        point: An expression for the congestion point, or 0, on the alias `c` of `table`.
        exclusive: An expression for whether the claim is exclusive, on the alias `c` of `table`.
        insert_columns: The columns that only this kind has, in an INSERT.
        insert_values: The values of these columns.
        policy: The name of the policy for newly claimed days that another party holds.
        lines: The staging table of the lines.
        line_point: An expression for the congestion point, or 0, on the alias `l` of `lines`.
    """

    conflict: Conflict.Kind
    table: str
    party: str
    point: str
    exclusive: str
    insert_columns: str
    insert_values: str
    policy: str
    lines: str
    line_point: str

    def sql(self, template: str, **more: str) -> str:
        """Fill in the names of this kind, the expressions of `registry.sql.replacement` and `more`.

        Args:
            template: SQL with names in braces.
            more: Values for further names.
        """
        return template.format(
            claims=self.table,
            party=self.party,
            point=self.point,
            exclusive=self.exclusive,
            insert_columns=self.insert_columns,
            insert_values=self.insert_values,
            before=KEPT_BEFORE,
            later=KEPT_LATER,
            lines=self.lines,
            line_point=self.line_point,
            **more,
        )


REPRESENTATION = ClaimKind(
    conflict=Conflict.Kind.REPRESENTATION,
    table="registry_representation",
    party="agr_id",
    point="0",
    exclusive="true",
    insert_columns="agr_id",
    insert_values="party_id",
    policy="representation conflicts",
    lines="staged_line",
    line_point="0",
)

MEMBERSHIP = ClaimKind(
    conflict=Conflict.Kind.MEMBERSHIP,
    table="registry_congestionpointconnection",
    party="dso_id",
    point="c.congestion_point_id",
    exclusive="c.exclusive",
    insert_columns="congestion_point_id, dso_id, exclusive",
    insert_values="point_id, party_id, exclusive",
    policy="membership conflicts",
    lines="judged_line",
    line_point="l.point_id",
)
