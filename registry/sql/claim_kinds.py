"""What representations and memberships have in common: claims of a party on days of a connection.

A party is the AGR of a representation or the DSO of a membership. The SQL of `registry.updates.statements`,
`registry.updates.standings` and `registry.decisions.settle` is written once, with a `ClaimKind` saying where each
column is.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.models import Conflict
from registry.sql.replacement import BEFORE, LATER


@dataclass(frozen=True)
class ClaimKind:
    """Where one kind of claim is kept, and where its lines are staged.

    `point` and `exclusive` are expressions on the alias `c`, `line_point` is one on the alias `l` of `lines`.
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
        """`template` with the names of this kind, what `registry.sql.replacement` says, and `more` in it."""
        return template.format(
            claims=self.table,
            party=self.party,
            point=self.point,
            exclusive=self.exclusive,
            insert_columns=self.insert_columns,
            insert_values=self.insert_values,
            before=BEFORE,
            later=LATER,
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
