"""Decisions of staff about the common reference: they see the consequences first, and bring about only those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django import forms
from django.db import DatabaseError
from django.http import HttpRequest
from django.template.response import TemplateResponse

from common import clock
from common.previews import ConsequencesChanged
from common.retry import lost_race, retried
from participants.scope import seen_by
from registry.changes import Source
from registry.decisions.adjust import AdjustmentError
from registry.decisions.settle import SettlementError
from registry.market.market import market, today_at
from registry.previews.effects import Consequences, rehearse
from registry.previews.presentation import Shown, as_seen
from registry.previews.timeouts import DECIDED, LONG, SHORT, Busy, Patience, limited

Verb = Callable[[Source, date, str | None], int]
"""What is decided: given its source, the market's day and the fingerprint of what staff were shown (None: nothing
was shown), the id of the change that it made."""

REFUSALS = (SettlementError, AdjustmentError, ConsequencesChanged, Busy)
"""What a verb raises where it does not do what was asked; the words are for staff."""

LONGEST_REASON = 2_000
LIVE = 1_000
"""How many conflicts or claims consequences are at most shown of while a form is filled in; of more, by its button."""
TRIES = 5
"""How often a rehearsal is done that loses races."""
TOO_MANY = "Too many to show while you fill in the form: give a reason and press the button to see what would follow."
NOT_SHOWN = "Look at the consequences below. If they are what you mean, press the button once more."


class DayInput(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ReasonedForm(forms.Form):
    """Asks why; `rehearsing` does without, for staff give their reason last."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "data-no-preview": ""}),
        help_text="Why; kept with the decision and in the audit trail.",
        error_messages={"required": "Say why: the decision is recorded with its reason."},
    )

    def __init__(self, *args: Any, rehearsing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if rehearsing:
            self.fields.pop("reason")

    @property
    def what_is_missing(self) -> str:
        """What to fill in before the consequences can be shown."""
        return " ".join(str(error) for errors in self.errors.values() for error in errors)

    @property
    def why(self) -> str:
        """The reason given, once the form is valid."""
        return str(self.cleaned_data.get("reason") or "rehearsal")


@dataclass(frozen=True)
class Attempt:
    """What became of a form that was sent: the change it made, or what to show beside the form."""

    change: int | None = None
    shown: Shown | None = None
    error: str = ""
    hint: str = ""


def rehearsed(request: HttpRequest, verb: Verb, reason: str, *, patience: Patience = SHORT) -> Attempt:
    """What `verb` would do, or why it would not; nothing stays of it."""
    source, today = Source.of_staff(request.user.get_username(), reason), this_day()
    whose = request.user.pk
    try:
        found = _undisturbed(
            lambda: rehearse(lambda: verb(source, today, None), patience=patience, whose=whose)
        )
    except REFUSALS as refusal:
        return Attempt(error=str(refusal))
    return Attempt(shown=as_seen(found, seen_by(request.user)))


def attempted(request: HttpRequest, verb: Verb, reason: str) -> Attempt:
    """Do `verb`, provided that its consequences are those that the page showed; else show them.

    The page sends the fingerprint of what it showed as `expected`.
    """
    expected = request.POST.get("expected", "")
    if not expected:
        shown = rehearsed(request, verb, reason, patience=LONG)
        return replace(shown, hint="" if shown.error else NOT_SHOWN)
    source, today = Source.of_staff(request.user.get_username(), reason), this_day()

    def decided() -> int:
        with limited(DECIDED):
            return verb(source, today, expected)

    try:
        return Attempt(change=retried(decided))
    except ConsequencesChanged as refusal:
        return replace(rehearsed(request, verb, reason, patience=LONG), error=str(refusal))
    except REFUSALS as refusal:
        return Attempt(error=str(refusal))


def _undisturbed(run: Callable[[], Consequences]) -> Consequences:
    """What `run` returns; where it loses races, the first runs that do are done again."""
    for _ in range(TRIES - 1):
        try:
            return run()
        except DatabaseError as error:
            if not lost_race(error):
                raise
    return run()


def fragment(request: HttpRequest, attempt: Attempt) -> TemplateResponse:
    """The consequences alone, for the place that the page keeps for them."""
    return TemplateResponse(request, "admin/registry/rehearsal.html", {"attempt": attempt})


def this_day() -> date:
    """The market's day."""
    return today_at(clock.now(), market().time_zone)
