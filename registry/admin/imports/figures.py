"""The dashboard's figures of imports that need a look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from participants.admin_base.figures import Figure, MayView, counted
from participants.scope import Scope
from registry.admin.imports.filters import CAME_TO_NOTHING, NOT_IMPORTED_STATES
from registry.market.market import market, today_at
from registry.models.imports import ImportRun

DAYS = 7
"""Days for which an import that came to nothing needs a look."""


def import_figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Uploads that wait for a decision, and imports that came to nothing, for those who see every participant."""
    if not (scope.everyone and may_view(ImportRun)):
        return
    shown = ImportRun.State.PREVIEWED
    yield counted("Imports to decide on", ImportRun.objects.filter(state=shown), state=shown)
    first = today_at(now, market().time_zone) - timedelta(days=DAYS)
    failed = ImportRun.objects.filter(CAME_TO_NOTHING, created_at__date__gte=first)
    yield counted(
        f"Imports that came to nothing in {DAYS} days",
        failed,
        state=NOT_IMPORTED_STATES,
        created_at_from=first,
    )
