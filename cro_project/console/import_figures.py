"""The dashboard's figures of imports that need a look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from django.db.models import Model

from cro_project.console.figures import Figure, counted
from participants.scope import Scope
from registry.admin.imports.filters import CAME_TO_NOTHING, NOT_IMPORTED_STATES
from registry.models.imports import ImportRun

DAYS = 7
"""Days for which an import that came to nothing needs a look."""


def to_look_at(scope: Scope, today: date, may: Callable[[type[Model]], bool]) -> Iterator[Figure]:
    """Uploads that wait for a decision, and imports that came to nothing, for those who see every participant.

    `may` says whether who looks may look at a table.
    """
    if not (scope.everyone and may(ImportRun)):
        return
    shown = ImportRun.State.SHOWN
    yield counted("Imports to decide on", ImportRun.objects.filter(state=shown), state=shown)
    first = today - timedelta(days=DAYS)
    failed = ImportRun.objects.filter(CAME_TO_NOTHING, created_at__date__gte=first)
    yield counted(
        f"Imports that came to nothing in {DAYS} days",
        failed,
        state=NOT_IMPORTED_STATES,
        created_at_from=first,
    )
