"""Forms that choose the day that facts are about, and the past moment at which they were known."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Min
from django.http import HttpRequest
from django.utils.timezone import get_current_timezone

from participants.admin_base.html import moment
from registry.admin.previewed_forms import DayInput
from registry.changes import wait_for_stamped_changes
from registry.market.market import LAST_MICROSECOND
from registry.models import FactQuerySet

NO_DAY = "This is not a date: write it as 2026-03-01."
SAME_SECOND = timedelta(microseconds=LAST_MICROSECOND)
"""Pages show moments to the second: a moment chosen on a page means the end of its second."""


class TimeInput(forms.TimeInput):
    """The browser's own field for a time of day, to the second."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M:%S", attrs={"step": "1"})


class OnDayForm(forms.Form):
    """Ask for a day, in the past or the future; empty means today."""

    on = forms.DateField(label="On day", required=False, widget=DayInput, error_messages={"invalid": NO_DAY})

    def __init__(self, request: HttpRequest, *, today: date) -> None:
        submitted = any(name in request.GET for name in self.base_fields)
        super().__init__(request.GET if submitted else None, initial={"on": today})
        self.today = today

    @property
    def day(self) -> date:
        """Return the chosen day; today when none is chosen or the form is invalid."""
        found: date | None = self._cleaned("on")
        return found or self.today

    def _cleaned(self, name: str) -> Any:
        return self.cleaned_data.get(name) if self.is_bound and self.is_valid() else None


class KnownForm(OnDayForm):
    """Ask for a day and a past moment, in the time zone of the page: what the registry held for true then."""

    known_day = forms.DateField(
        label="As known at day",
        required=False,
        widget=DayInput,
        error_messages={"invalid": NO_DAY},
    )
    known_time = forms.TimeField(
        label="Time",
        required=False,
        widget=TimeInput,
        error_messages={"invalid": "This is no time of day: write it as 14:30 or 14:30:05."},
    )

    def __init__(self, request: HttpRequest, *, today: date, now: datetime) -> None:
        super().__init__(request, today=today)
        self.now = now
        self.fields[
            "known_day"
        ].help_text = "A past day; with no time, its end; today, the present. Empty: as known at present."
        self.fields["known_time"].help_text = f"In {get_current_timezone()}"

    def clean(self) -> dict[str, Any]:
        """Compute the chosen moment as `known_at`; it must not be in the future."""
        cleaned: dict[str, Any] = super().clean() or {}
        day, at = cleaned.get("known_day"), cleaned.get("known_time")
        if at and not day and "known_day" not in self.errors:
            self.add_error("known_day", "Give the day that the time is on.")
        if day and not self.errors:
            chosen = _moment(day, at or time(23, 59, 59))
            if not at and day == self.now.astimezone(get_current_timezone()).date():
                chosen = self.now
            if chosen > self.now + SAME_SECOND:
                self.add_error(
                    "known_day",
                    "This moment is still to come: nobody knows what the registry will hold then.",
                )
            cleaned["known_at"] = min(chosen, self.now)
        return cleaned

    @property
    def known_at(self) -> datetime | None:
        """Return the chosen moment (aware); None: the present."""
        found: datetime | None = self._cleaned("known_at")
        return found

    def final_known_at(self) -> datetime | None:
        """Return `known_at`, after waiting until every change that was stamped before it is committed."""
        if self.known_at is not None:
            wait_for_stamped_changes()
        return self.known_at


def first_record(known_at: datetime | None, *histories: FactQuerySet[Any]) -> str:
    """Return the moment of the first record, in words, where `known_at` is before it; else an empty text.

    At such a moment the registry held nothing for true, which does not mean that nothing was so.

    Args:
        known_at: The moment that a page is about; None: the present.
        histories: All facts that the page may show, whenever they were recorded.
    """
    if known_at is None:
        return ""
    recorded = (rows.aggregate(first=Min("recorded_by__moment"))["first"] for rows in histories)
    first = min(filter(None, recorded), default=None)
    return moment(first) if first is not None and known_at < first else ""


def _moment(day: date, at: time) -> datetime:
    return datetime.combine(day, at, get_current_timezone()) + SAME_SECOND
