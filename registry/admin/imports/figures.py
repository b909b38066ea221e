"""The dashboard's figures of imports that need attention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.scope import Scope
from registry.admin.imports.filters import NOT_APPLIED, NOT_APPLIED_VALUE
from registry.market.market import market, today_at
from registry.models.imports import ImportRun

DAYS = 7
"""For how many days an import that was not applied needs attention."""


def import_figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Yield the figures of uploads to approve and of imports that were not applied, for unlimited staff only."""
    if not (scope.everyone and may_view(ImportRun)):
        return
    previewed = ImportRun.State.PREVIEWED
    yield counted(
        "Imports to approve", ImportRun.objects.filter(state=previewed), Urgency.SOON, state=previewed
    )
    first = today_at(now, market().time_zone) - timedelta(days=DAYS)
    failed = ImportRun.objects.filter(NOT_APPLIED, created_at__date__gte=first)
    yield counted(
        f"Imports not applied in {DAYS} days",
        failed,
        Urgency.SOON,
        state=NOT_APPLIED_VALUE,
        created_at_from=first,
    )
