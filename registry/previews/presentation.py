"""Describe consequences in words for one member of staff.

Participants and congestion points outside the viewer's scope are not named. The template
`admin/registry/consequences.html` renders the result, beside a form and on the page of a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from participants.scope import Scope
from registry.models import CongestionPoint, Connection
from registry.periods import in_words, list_in_words
from registry.previews.conflict_effects import ConflictLine
from registry.previews.effects import MAX_LINES, Consequences, Line, PartyTotal

ANOTHER_PARTICIPANT = "another participant"

EFFECTS = (
    ("gained", "gains", "effective"),
    ("lost", "loses", "bad"),
    ("contested", "contested", "contested"),
    ("refused", "refused", "refused"),
    ("withdrawn", "no longer claims", ""),
)
"""What can happen to days: the name of the field of a line or total, the word for it, and its style."""


@dataclass(frozen=True, slots=True)
class Row:
    """The effects on one participant's days of one connection: (word, style, days) for each.

    The numbers identify the pages that the names link to; None: no link.
    """

    connection: str
    congestion_point: str
    participant: str
    effects: tuple[tuple[str, str, str], ...]
    participant_id: int | None = None
    connection_id: int | None = None
    congestion_point_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A conflict that is opened or closed, in words; `number` is None when it has no number yet."""

    opened: bool
    number: int | None
    about: str


@dataclass(frozen=True, slots=True)
class Total:
    """The number of a participant's connections on which each effect occurs, in the order of EFFECTS."""

    participant: str
    numbers: tuple[str, ...]
    participant_id: int | None = None


@dataclass(frozen=True, slots=True)
class RenderedConsequences:
    """Consequences for the template.

    `conflicts` are the conflicts that are listed. `has_points` tells whether a row names a congestion point.
    """

    consequences: Consequences
    rows: tuple[Row, ...]
    conflicts: tuple[ConflictRow, ...]
    totals: tuple[Total, ...]
    has_points: bool

    @property
    def is_empty(self) -> bool:
        """Return whether nothing changes."""
        consequences = self.consequences
        return not (
            consequences.connections
            or consequences.opened
            or consequences.closed
            or consequences.terms
            or consequences.large
        )

    @property
    def totals_in_words(self) -> list[tuple[str, str]]:
        """Return labels and numbers for the whole change."""
        consequences = self.consequences
        totals = [
            ("Conflicts closed", f"{consequences.closed:,}"),
            ("Conflicts opened", f"{consequences.opened:,}"),
        ]
        return (
            totals
            if consequences.large
            else [("Connections on which days change", f"{consequences.connections:,}"), *totals]
        )

    @property
    def conflicts_left_out(self) -> str:
        """Return the number of conflicts that are counted but not listed; empty when all are listed."""
        left = self.consequences.opened + self.consequences.closed - len(self.conflicts)
        return f"{left:,}" if left else ""

    @property
    def left_out(self) -> int:
        """Return the number of listed rows when the list may be cut; 0 when it is complete."""
        return MAX_LINES if len(self.rows) == MAX_LINES else 0


def render_for(consequences: Consequences, scope: Scope) -> RenderedConsequences:
    """Return the consequences for a viewer, with names only of the participants in `scope`."""

    def name(of: Line | PartyTotal) -> str:
        return of.participant if of.participant_id in scope else ANOTHER_PARTICIPANT

    def number(of: Line | PartyTotal) -> int | None:
        return of.participant_id if of.participant_id in scope else None

    return RenderedConsequences(
        consequences=consequences,
        rows=tuple(
            Row(
                line.connection,
                (line.congestion_point or "") if line.participant_id in scope else "",
                name(line),
                tuple(_effects(line)),
                number(line),
            )
            for line in consequences.lines
        ),
        conflicts=tuple(
            _conflict_row(line, scope)
            for line in consequences.conflicts
            if line.holder_id in scope or line.claimant_id in scope
        ),
        totals=tuple(
            Total(name(party), tuple(f"{getattr(party, field):,}" for field, _, _ in EFFECTS), number(party))
            for party in consequences.parties
        ),
        has_points=any(line.congestion_point and line.participant_id in scope for line in consequences.lines),
    )


def with_links(rendered: RenderedConsequences) -> RenderedConsequences:
    """Add the numbers of existing connections and congestion points, for a viewer who may see all."""
    connections = dict(
        Connection.objects.filter(address__in={row.connection for row in rendered.rows}).values_list(
            "address", "pk"
        )
    )
    named = {row.congestion_point for row in rendered.rows if row.congestion_point}
    points = {
        (dso, address): number
        for dso, address, number in CongestionPoint.objects.filter(address__in=named)
        .order_by()
        .values_list("dso_id", "address", "pk")
    }
    rows = (
        replace(
            row,
            connection_id=connections.get(row.connection),
            congestion_point_id=points.get((row.participant_id or 0, row.congestion_point)),
        )
        for row in rendered.rows
    )
    return replace(rendered, rows=tuple(rows))


def _conflict_row(line: ConflictLine, scope: Scope) -> ConflictRow:
    holder = line.holder if line.holder_id in scope else ANOTHER_PARTICIPANT
    claimant = line.claimant if line.claimant_id in scope else ANOTHER_PARTICIPANT
    about = f"{claimant} against {holder} about {line.connection}, {in_words(line.days)}"
    return ConflictRow(line.opened, line.number, about)


def _effects(line: Line) -> Iterator[tuple[str, str, str]]:
    """Yield the effects on a claim.

    Days that are lost because they are refused or no longer claimed appear only as lost.
    """
    for field, word, mark in EFFECTS:
        days = getattr(line, field)
        if days and not (field in ("refused", "withdrawn") and days == line.lost):
            cause = ", as refused" if field == "lost" and days == line.refused else ""
            yield word + cause, mark, list_in_words(days)
