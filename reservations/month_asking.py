"""What the pages of what contracts reserve are asked for: a day or month, contracts, a moment of knowledge."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest

from registry.asking import KnownForm

FIRST_YEAR = 1900


class MonthInput(forms.TextInput):
    """The browser's own field for a month; where it has none, a text."""

    input_type = "month"


class MonthForm(KnownForm):
    """Asks for a month, and a past moment."""

    month = forms.RegexField(
        r"^\d{4}-(0[1-9]|1[0-2])$",
        label="Month",
        required=False,
        widget=MonthInput(attrs={"size": "8"}),
        error_messages={"invalid": "This is no month: write it as 2026-03."},
    )
    field_order: tuple[str, ...] = ("month", "known_day", "known_time")

    def __init__(self, request: HttpRequest, *, month: date, now: datetime) -> None:
        super().__init__(request, today=month, now=now)
        self.fields.pop("on")
        self.initial = {"month": f"{month:%Y-%m}"}

    @property
    def chosen(self) -> date:
        """The first day of the month asked for; without one, of the month that the page is of."""
        said = self._said("month")
        return month_in(said) if said else self.today


class OverviewForm(MonthForm):
    """Asks for the month of some contracts."""

    dso = forms.CharField(label="DSO's domain", required=False)
    agr = forms.CharField(label="AGR's domain", required=False)
    field_order = ("month", "dso", "agr", "known_day", "known_time")


def asked_beside(form: KnownForm, **more: str) -> str:
    """`?known_day=…`: what else than the day or month was asked, to be asked of another page."""
    names = [name for name in form.fields if name not in ("on", "month")]
    said = {name: form.data[name] for name in names if form.data.get(name)}
    return f"?{urlencode({**more, **said})}" if more or said else ""


def day_in(text: str) -> date:
    """A day written as YYYY-MM-DD in an address. Raises Http404 for anything else, and where the calendar ends."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise Http404
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if not FIRST_YEAR <= day.year < date.max.year:
        raise Http404
    return day


def month_in(text: str) -> date:
    """The first day of a month written as YYYY-MM in an address. Raises Http404 for anything else."""
    return day_in(f"{text}-01")
