"""The form in which staff settle one conflict, or many between the same two parties."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from participants.models import Participant
from registry.admin.previewed_forms import DayInput, PreviewedForm
from registry.models import Conflict
from registry.periods import Days, day_after, half_open, in_words, last_day

SPLIT = Conflict.Decision.SPLIT


class DecisionForm(PreviewedForm):
    """A decision between `holder` and `claimant` about `days`; `days` is None for several conflicts."""

    decision = forms.ChoiceField(
        widget=forms.RadioSelect, error_messages={"required": "Choose who gets the days."}
    )
    at = forms.DateField(
        required=False,
        widget=DayInput,
        label="Split at",
        error_messages={"invalid": "Give a day, such as 2026-03-01."},
    )
    field_order = ("decision", "at", "reason")

    def __init__(
        self, *args: Any, holder: Participant, claimant: Participant, days: Days | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.days = days
        decision, at = self.fields["decision"], self.fields["at"]
        assert isinstance(decision, forms.ChoiceField)
        decision.choices = choices(holder, claimant)
        at.help_text = f"Matters only for a split: the first day that {claimant} gets"
        if days is None:
            at.help_text += "; it must lie within the days of every one of these conflicts, after the first."
            return
        first = day_after(days.lower)
        later = half_open(first, last_day(days)) if first else None
        if later is None or later.isempty:
            decision.choices = choices(holder, claimant)[:-1]
            del self.fields["at"]
            return
        at.help_text += f", {in_words(later)}."
        at.widget.attrs["min"] = str(later.lower)
        if last := last_day(later):
            at.widget.attrs["max"] = str(last)

    def clean(self) -> dict[str, Any]:
        """Check the day of a split."""
        cleaned: dict[str, Any] = super().clean() or {}
        splits = cleaned.get("decision") == SPLIT and "at" not in self.errors
        if splits and (wrong := self._wrong_split(cleaned.get("at"))):
            self.add_error("at", wrong)
        return cleaned

    def _wrong_split(self, at: date | None) -> str:
        """Return why the days cannot be split at a day; empty when the form finds nothing wrong."""
        if at is None:
            return "Say at which day the days are split."
        if self.days is None:
            return ""
        if self.days.lower and at <= self.days.lower:
            return f"The day must lie after {self.days.lower}, the conflict's first."
        last = last_day(self.days)
        return f"The day must not lie after {last}, the conflict's last." if last and at > last else ""

    @property
    def day(self) -> date | None:
        """Return the day of a split; None for the other decisions. The form must be valid."""
        at: date | None = self.cleaned_data.get("at")
        return at if self.cleaned_data["decision"] == SPLIT else None


def choices(holder: Participant, claimant: Participant) -> list[tuple[str, str]]:
    """Return the possible decisions between the two, in words."""
    return [
        (Conflict.Decision.KEEP, f"Keep: {holder} keeps the days; the claim of {claimant} is refused"),
        (Conflict.Decision.GIVE, f"Give: {claimant} gets the days; they are refused to {holder}"),
        (SPLIT, f"Split: {holder} keeps the days before the day below, {claimant} gets the rest"),
    ]


def decision_in_words(decision: str, holder: Participant, claimant: Participant, at: date | None) -> str:
    """Return a decision in words, such as `AGR one.example keeps the days`; empty when there is none."""
    if decision == Conflict.Decision.KEEP:
        return f"{holder} keeps the days"
    if decision == Conflict.Decision.GIVE:
        return f"{claimant} gets the days"
    if decision == SPLIT:
        return f"{holder} keeps the days before {at}, {claimant} gets the rest"
    return ""


def decided(conflict: Conflict) -> str:
    """Return the decision about a conflict, in words."""
    return decision_in_words(conflict.decision, conflict.holder, conflict.claimant, conflict.split_at)
