"""Store consequences with an import as JSON, and read them again for its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from participants.scope import EVERYONE
from registry.previews.effects import Consequences
from registry.previews.presentation import Dispute, Row, Shown, Total, as_seen


def kept(found: Consequences) -> dict[str, Any]:
    """Return the consequences as values for JSON, with texts and the names of all participants."""
    shown = as_seen(found, EVERYONE)
    return {
        "rows": [asdict(row) for row in shown.rows],
        "conflicts": [asdict(dispute) for dispute in shown.conflicts],
        "totals": [asdict(total) for total in shown.totals],
        "points": shown.points,
        "claims": found.claims,
        "connections": found.connections,
        "opened": found.opened,
        "closed": found.closed,
        "terms": list(found.terms),
        "warnings": list(found.warnings),
        "large": found.large,
    }


def shown_again(said: Mapping[str, Any]) -> Shown:
    """Return the consequences that `kept` stored, for the template of consequences."""
    return Shown(
        found=Consequences(
            claims=said.get("claims", 0),
            connections=said["connections"],
            opened=said["opened"],
            closed=said["closed"],
            terms=tuple(said["terms"]),
            warnings=tuple(said["warnings"]),
            large=said["large"],
        ),
        rows=tuple(Row(**{**row, "effects": tuple(map(tuple, row["effects"]))}) for row in said["rows"]),
        conflicts=tuple(Dispute(**dispute) for dispute in said["conflicts"]),
        totals=tuple(Total(**{**total, "numbers": tuple(total["numbers"])}) for total in said["totals"]),
        points=said["points"],
    )
