"""The filter of the list of imports."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from registry.admin.imports.page import UNSUCCESSFUL_STATES
from registry.models.imports import DRY_RUNS, ImportRun

NOT_APPLIED_VALUE = "not imported"
"""The value of the filter, in the address of the list, for imports that were not applied."""

NOT_APPLIED = Q(state__in=UNSUCCESSFUL_STATES) & ~DRY_RUNS
"""The imports that were not applied, without dry runs."""


class StateFilter(admin.SimpleListFilter):
    """Show the imports in one state, or those that were not applied."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (NOT_APPLIED_VALUE, "Refused, failed or interrupted, but for dry runs"),
            *ImportRun.State.choices,
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if not wanted:
            return queryset
        if wanted == NOT_APPLIED_VALUE:
            return queryset.filter(NOT_APPLIED)
        return queryset.filter(state=wanted) if wanted in ImportRun.State.values else queryset.none()
