"""Ask for a day or month, for contracts, and for a past moment, on the pages of reserved power."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest

from registry.admin.time_forms import KnownForm

FIRST, LAST = date(1900, 1, 1), date(9998, 12, 31)
"""The first and the last day that have pages."""


class MonthInput(forms.TextInput):
    """A month field of the browser; a text field where the browser has none."""

    input_type = "month"


class DayForm(KnownForm):
    """Ask for a day that has a page, and for a past moment."""

    def clean_on(self) -> date | None:
        day: date | None = self.cleaned_data["on"]
        if day is not None and not FIRST <= day <= LAST:
            raise forms.ValidationError(f"Give a day from {FIRST} to {LAST}.")
        return day


class MonthForm(KnownForm):
    """Ask for a month, and for a past moment."""

    month = forms.RegexField(
        r"^[0-9]{4}-(0[1-9]|1[0-2])\Z",
        label="Month",
        required=False,
        strip=True,
        widget=MonthInput(attrs={"size": "8"}),
        error_messages={"invalid": "This is no month: write it as 2026-03."},
    )
    field_order: tuple[str, ...] = ("month", "known_day", "known_time")

    def __init__(self, request: HttpRequest, *, month: date, now: datetime) -> None:
        super().__init__(request, today=month, now=now)
        self.fields.pop("on")
        self.initial = {"month": f"{month:%Y-%m}"}

    def clean_month(self) -> str:
        month: str = self.cleaned_data["month"]
        if month and not f"{FIRST:%Y-%m}" <= month <= f"{LAST:%Y-%m}":
            raise forms.ValidationError(f"Give a month from {FIRST:%Y-%m} to {LAST:%Y-%m}.")
        return month

    @property
    def chosen(self) -> date:
        """Return the first day of the requested month; of the page's month where none is requested."""
        month = self._cleaned("month")
        return month_in(month) if month else self.today


class OverviewForm(MonthForm):
    """Ask for a month, for parties, and for a past moment."""

    dso = forms.CharField(label="DSO's domain", required=False)
    agr = forms.CharField(label="AGR's domain", required=False)
    field_order = ("month", "dso", "agr", "known_day", "known_time")


def other_parameters(form: KnownForm, **more: str) -> str:
    """Return the query string for another page: `more`, and what the form has but its day or month."""
    names = [name for name in form.fields if name not in ("on", "month")]
    others = {name: form.data[name] for name in names if form.data.get(name)}
    return f"?{urlencode({**more, **others})}" if more or others else ""


def present_parameters(form: KnownForm) -> str:
    """Return the query string for the same page as known at present: all that the form has but the past moment."""
    names = [name for name in form.fields if name not in ("known_day", "known_time")]
    return f"?{urlencode({name: form.data[name] for name in names if form.data.get(name)})}"


def day_in(text: str) -> date:
    """Return the day of a URL, written as YYYY-MM-DD.

    Raises:
        Http404: The text is no day, or the day has no page.
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise Http404
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if not FIRST <= day <= LAST:
        raise Http404
    return day


def month_in(text: str) -> date:
    """Return the first day of a month of a URL, written as YYYY-MM.

    Raises:
        Http404: The text is no month, or the month has no page.
    """
    return day_in(f"{text}-01")
