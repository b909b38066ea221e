"""Figures: a number in words, and the list of what was counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_base.html import count_in_words
from participants.scope import Scope
from registry.admin.imports.filters import CAME_TO_NOTHING, NOT_IMPORTED_STATES
from registry.models.imports import ImportRun
from reservations.admin.contracts import filters as contract_filters
from reservations.admin.contracts.filters import with_version
from reservations.admin.updates.filters import UNREPLACED, unreplaced
from reservations.models import Contract, ContractVersion, ReservationUpdate


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in words, what it counts, and the list of what was counted."""

    text: str
    number: str
    url: str
    bar: SafeString | None = None


def list_url(model: type[Model], **query: object) -> str:
    """The list of `model`, filtered by `query`."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(query)}" if query else page


def counted(text: str, rows: QuerySet[Any], **query: object) -> Figure:
    """How many `rows` there are, counted no further than a list does; `query` is what their list is filtered by."""
    return Figure(text, count_in_words(rows), list_url(rows.model, **query))


DAYS = 7
"""Days for which an import that came to nothing needs a look."""


def imports_to_look_at(scope: Scope, today: date, may: Callable[[type[Model]], bool]) -> Iterator[Figure]:
    """Uploads that wait for a decision, and imports that came to nothing, for those who see every participant.

    `may` says whether who looks may look at a table.
    """
    if not (scope.everyone and may(ImportRun)):
        return
    shown = ImportRun.State.PREVIEWED
    yield counted("Imports to decide on", ImportRun.objects.filter(state=shown), state=shown)
    first = today - timedelta(days=DAYS)
    failed = ImportRun.objects.filter(CAME_TO_NOTHING, created_at__date__gte=first)
    yield counted(
        f"Imports that came to nothing in {DAYS} days",
        failed,
        state=NOT_IMPORTED_STATES,
        created_at_from=first,
    )


def reservations_to_look_at(
    scope: Scope, today: date, may: Callable[[type[Model]], bool]
) -> Iterator[Figure]:
    """Updates that never reached their AGR, until their day is over or one that counts is there; contracts in draft.

    `may` says whether who looks may look at a table.
    """
    if may(ReservationUpdate):
        undone = unreplaced(scope.restrict(ReservationUpdate.objects.all(), "dso", "agr"), today)
        yield counted("Reservation updates undone", undone, state=UNREPLACED)
    if may(Contract):
        draft = ContractVersion.State.DRAFT
        versions = contract_filters.in_state(ContractVersion.objects.current(), draft, today)
        contracts = scope.restrict(Contract.objects.all(), "dso", "agr")
        yield counted("Contracts in draft", with_version(contracts, versions), state=draft)
