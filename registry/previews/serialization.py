"""Store consequences with an import as JSON, and read them again for its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from participants.scope import EVERYONE
from registry.previews.effects import Consequences
from registry.previews.presentation import ConflictRow, RenderedConsequences, Row, Total, render_for


def to_json(consequences: Consequences) -> dict[str, Any]:
    """Return the consequences as values for JSON, with texts and the names of all participants."""
    rendered = render_for(consequences, EVERYONE)
    return {
        "rows": [asdict(row) for row in rendered.rows],
        "conflicts": [asdict(conflict) for conflict in rendered.conflicts],
        "totals": [asdict(total) for total in rendered.totals],
        "points": rendered.has_points,
        "claims": consequences.claims,
        "connections": consequences.connections,
        "opened": consequences.opened,
        "closed": consequences.closed,
        "terms": list(consequences.terms),
        "warnings": list(consequences.warnings),
        "large": consequences.large,
    }


def from_json(stored: Mapping[str, Any]) -> RenderedConsequences:
    """Return the consequences that `to_json` stored, for the template of consequences."""
    return RenderedConsequences(
        consequences=Consequences(
            claims=stored.get("claims", 0),
            connections=stored["connections"],
            opened=stored["opened"],
            closed=stored["closed"],
            terms=tuple(stored["terms"]),
            warnings=tuple(stored["warnings"]),
            large=stored["large"],
        ),
        rows=tuple(Row(**{**row, "effects": tuple(map(tuple, row["effects"]))}) for row in stored["rows"]),
        conflicts=tuple(ConflictRow(**conflict) for conflict in stored["conflicts"]),
        totals=tuple(Total(**{**total, "numbers": tuple(total["numbers"])}) for total in stored["totals"]),
        has_points=stored["points"],
    )
