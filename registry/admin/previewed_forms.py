"""Forms of staff that show the consequences first, and then do exactly what was previewed."""

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
from registry.decisions.settle import DecisionError
from registry.market.market import market, today_at
from registry.previews.effects import Consequences, preview
from registry.previews.presentation import RenderedConsequences, render_for
from registry.previews.timeouts import APPLYING, LONG, SHORT, Busy, TimeLimits, limited

Verb = Callable[[Source, date, str | None], int]
"""A decision to make.

It takes its source, the market's day, and the fingerprint of the consequences that staff saw (None: they saw none).
It returns the number of the change that it made.
"""

REFUSALS = (DecisionError, AdjustmentError, ConsequencesChanged, Busy)
"""Errors by which a verb does nothing; their messages are for staff."""

MAX_REASON_LENGTH = 2_000
MAX_LIVE_PREVIEW = 1_000
"""Consequences are previewed while staff fill in a form for up to this many conflicts or claims.

For more, staff press a button.
"""
MAX_TRIES = 5
"""How often a preview is run that loses races."""
TOO_MANY = (
    "Too many to show while you fill in the form: give a reason and press the button to see the consequences."
)
NOT_PREVIEWED = "Look at the consequences below. If they are what you mean, press the button once more."


class DayInput(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PreviewedForm(forms.Form):
    """A form with a reason; `previewing` leaves the reason out, because staff give it last."""

    reason = forms.CharField(
        max_length=MAX_REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "data-no-preview": ""}),
        help_text="Why; kept with the decision and in the audit trail.",
        error_messages={"required": "Say why: the decision is recorded with its reason."},
    )

    def __init__(self, *args: Any, previewing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if previewing:
            self.fields.pop("reason")

    @property
    def missing_fields_text(self) -> str:
        """Return what staff must fill in before the consequences can be shown."""
        return " ".join(str(error) for errors in self.errors.values() for error in errors)

    @property
    def why(self) -> str:
        """Return the reason of a valid form."""
        return str(self.cleaned_data.get("reason") or "preview")


@dataclass(frozen=True)
class FormResult:
    """The result of a form: the change that it made, or what to show beside the form."""

    change: int | None = None
    consequences: RenderedConsequences | None = None
    error: str = ""
    hint: str = ""


def preview_form(request: HttpRequest, verb: Verb, reason: str, *, limits: TimeLimits = SHORT) -> FormResult:
    """Preview `verb`: return its consequences, or why it does nothing.

    Args:
        request: The request of the member of staff.
        verb: The decision to preview.
        reason: The reason given so far.
        limits: How long to wait for locks and statements.
    """
    source, today = Source.of_staff(request.user.get_username(), reason), market_today()
    turn = request.user.pk
    try:
        consequences = _retry_lost_races(
            lambda: preview(lambda: verb(source, today, None), limits=limits, turn=turn)
        )
    except REFUSALS as refusal:
        return FormResult(error=str(refusal))
    return FormResult(consequences=render_for(consequences, seen_by(request.user)))


def submit_form(request: HttpRequest, verb: Verb, reason: str) -> FormResult:
    """Do `verb` if its consequences are those that the page showed; otherwise return its consequences.

    The page sends the fingerprint of the consequences that it showed as `expected`.
    """
    expected = request.POST.get("expected", "")
    if not expected:
        result = preview_form(request, verb, reason, limits=LONG)
        return replace(result, hint="" if result.error else NOT_PREVIEWED)
    source, today = Source.of_staff(request.user.get_username(), reason), market_today()

    def do() -> int:
        with limited(APPLYING):
            return verb(source, today, expected)

    try:
        return FormResult(change=retried(do))
    except ConsequencesChanged as refusal:
        return replace(preview_form(request, verb, reason, limits=LONG), error=str(refusal))
    except REFUSALS as refusal:
        return FormResult(error=str(refusal))


def _retry_lost_races(run: Callable[[], Consequences]) -> Consequences:
    """Return the result of `run`, which is repeated up to MAX_TRIES times when it loses a race."""
    for _ in range(MAX_TRIES - 1):
        try:
            return run()
        except DatabaseError as error:
            if not lost_race(error):
                raise
    return run()


def preview_fragment(request: HttpRequest, result: FormResult) -> TemplateResponse:
    """Return the consequences alone, for their place on the page."""
    return TemplateResponse(request, "admin/registry/preview.html", {"result": result})


def market_today() -> date:
    """Return the market's day."""
    return today_at(clock.now(), market().time_zone)
