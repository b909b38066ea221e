"""Figures of the dashboard: a number in words, and the list of what was counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_base.html import count_in_words

MayView = Callable[[type[Model]], bool]
"""Whether the viewer may view a table."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in words, what it counts, and the list of what was counted."""

    text: str
    number: str
    url: str
    bar: SafeString | None = None


def list_url(model: type[Model], **query: object) -> str:
    """Return the URL of the list of `model`, filtered by `query`."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(query)}" if query else page


def counted(text: str, rows: QuerySet[Any], **query: object) -> Figure:
    """Count `rows` up to the bound of a list. `query` filters the list that the figure links to."""
    return Figure(text, count_in_words(rows), list_url(rows.model, **query))
