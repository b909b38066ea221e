"""Figures of the dashboard: a number in words, and the list of what was counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_base.html import count_in_words

MayView = Callable[[type[Model]], bool]
"""Whether the viewer may view a table."""


class Urgency(IntEnum):
    """How soon staff should look at what a figure counts, if it is not zero."""

    KNOW = 0
    SOON = 1
    NOW = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in words, what it counts, and the list of what was counted."""

    text: str
    number: str
    url: str
    bar: SafeString | None = None
    urgency: Urgency = Urgency.KNOW

    @property
    def is_zero(self) -> bool:
        """Return whether there is nothing to look at."""
        return self.number == "0"

    @property
    def tone(self) -> str:
        """Return the colour of the number on the dashboard; empty for one that is only to be known."""
        return {Urgency.NOW: "bad", Urgency.SOON: "warn"}.get(self.urgency, "")


def list_url(model: type[Model], **query: object) -> str:
    """Return the URL of the list of `model`, filtered by `query`."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(query)}" if query else page


def counted(text: str, rows: QuerySet[Any], urgency: Urgency = Urgency.KNOW, **query: object) -> Figure:
    """Count `rows` up to the bound of a list. `query` filters the list that the figure links to."""
    return Figure(text, count_in_words(rows), list_url(rows.model, **query), urgency=urgency)


def by_urgency(figures: Iterable[Figure]) -> list[Figure]:
    """Return the figures that ask for most haste first; zeros last, which ask for none."""
    return sorted(figures, key=lambda figure: (figure.is_zero, -figure.urgency))
