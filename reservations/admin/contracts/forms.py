"""Ask for a contract's terms, its state and the reason; its profile has an editor of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse

from participants.admin_base.filters import MAX_SUGGESTIONS
from participants.models import Participant, Role
from participants.scope import Scope
from registry.admin.previewed_forms import MAX_REASON_LENGTH, DayInput
from registry.periods import last_day
from reservations.admin.profiles.editor import Editor
from reservations.contracts.profiles import FIRST_DAY, Profile
from reservations.contracts.terms import Problem, Terms
from reservations.deadlines import Deadline
from reservations.models import LONGEST_CONTRACT_ID, ContractVersion

F = TypeVar("F", bound=forms.Form)
State = ContractVersion.State

DAYS, HOURS = "days", "hours"
FIELD_OF_PROBLEM = {
    "start": "first",
    "end": "last",
    "deadline_days": "deadline",
    "deadline_time": "deadline",
    "deadline_hours": "deadline",
}
"""The field of the form for each field that a problem names, where the names differ."""

TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?", re.ASCII)

CALENDAR = "This is not a date: write it as 2026-03-01."


class ParticipantField(forms.CharField):
    """Ask for a participant of a role by its domain; only participants in scope are suggested and accepted."""

    def __init__(self, role: Role, **kwargs: Any) -> None:
        required = {"required": f"Give the domain of the {role}."}
        super().__init__(max_length=253, error_messages=required, **kwargs)
        self.role = role
        self.scope = Scope()
        attributes = {"list": f"{role.lower()}-domains", "autocapitalize": "none", "spellcheck": "false"}
        self.widget.attrs |= attributes

    @property
    def suggestions(self) -> list[str]:
        """Return domains of participants in scope, in their order."""
        known = self.scope.restrict(Participant.objects.filter(role=self.role), "pk")
        return list(known.order_by("domain").values_list("domain", flat=True)[:MAX_SUGGESTIONS])

    def clean(self, value: Any) -> Any:
        domain = str(super().clean(value)).lower()
        known = self.scope.restrict(Participant.objects.filter(role=self.role), "pk")
        found = known.filter(domain=domain).first()
        if found is None:
            raise ValidationError(f"No {self.role} has the domain {domain}: it must be registered first.")
        return found


class DeadlineInput(forms.Widget):
    """Ask for a deadline in one of two ways; the value is a mapping of the texts typed."""

    use_fieldset = True
    NAMES = ("kind", "days", "at", "hours")

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        typed = value if isinstance(value, Mapping) else _typed(value)
        return render_to_string(
            "admin/reservations/deadline_input.html",
            {"name": name, "id": (attrs or {}).get("id", name), "typed": typed},
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, str]:
        return {part: str(data.get(f"{name}-{part}", "")).strip() for part in self.NAMES}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-kind" not in data


class DeadlineField(forms.Field):
    """Ask for a Deadline."""

    widget = DeadlineInput

    def clean(self, value: Any) -> Deadline:
        kind = value["kind"]
        if kind == HOURS:
            return Deadline(hours=_whole(value["hours"], "Give the hours before the day begins, such as 36."))
        if kind != DAYS:
            raise ValidationError("Choose one of the two ways.")
        errors = []
        days, at = 0, time()
        try:
            days = _whole(value["days"], "Give the days before, such as 1; 0 is the day itself.")
        except ValidationError as error:
            errors.append(error)
        try:
            at = time.fromisoformat(value["at"].zfill(5) if TIME_OF_DAY.fullmatch(value["at"]) else "")
        except ValueError:
            errors.append(ValidationError("Give the time of day, such as 10:00."))
        if errors:
            raise ValidationError(errors)
        return Deadline(days=days, at=at)


def _whole(text: str, otherwise: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise ValidationError(otherwise)
    return int(text)


def _typed(deadline: Deadline | None) -> dict[str, str]:
    """Return the texts that the fields of a deadline begin with."""
    if deadline is None:
        return {"kind": DAYS}
    if deadline.hours is not None:
        return {"kind": HOURS, "hours": str(deadline.hours)}
    return {"kind": DAYS, "days": str(deadline.days), "at": f"{deadline.at:%H:%M:%S}".removesuffix(":00")}


class ContractForm(forms.Form):
    """Ask for a contract without its profile; the parties and the ContractID of a stored contract cannot be changed."""

    dso = ParticipantField(Role.DSO, label="DSO")
    agr = ParticipantField(Role.AGR, label="AGR")
    contract_id = forms.CharField(
        label="ContractID",
        max_length=LONGEST_CONTRACT_ID,
        strip=False,
        help_text="As the two have agreed on it, and write it in their messages.",
        error_messages={"required": "Give the ContractID on which the DSO and the AGR have agreed."},
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    congestion_point = forms.CharField(
        max_length=501,
        help_text="Its entity address. One that the DSO has not registered yet can be given.",
        error_messages={"required": "Give the entity address of the congestion point."},
    )
    first = forms.DateField(
        widget=DayInput,
        label="First day",
        error_messages={"required": "Give the first day.", "invalid": CALENDAR},
    )
    last = forms.DateField(
        widget=DayInput,
        label="Last day",
        required=False,
        help_text="It still counts. Leave it empty for days without an end.",
        error_messages={"invalid": CALENDAR},
    )
    deadline = DeadlineField(
        label="Deadline", help_text="Until then the DSO may release what it does not need."
    )

    def __init__(self, data: Any = None, *, seen: Scope, version: ContractVersion | None = None) -> None:
        initial = _initial_values(version) if version else {"deadline": Deadline(days=1, at=time(10))}
        super().__init__(data, initial=initial)
        self.fields["congestion_point"].widget.attrs |= {
            "size": "50",
            "list": "point-suggestions",
            "data-suggest": reverse("admin:registry_congestionpoint_suggest"),
            "autocomplete": "off",
            "autocapitalize": "none",
            "spellcheck": "false",
        }
        for name in ("dso", "agr"):
            field = self.fields[name]
            assert isinstance(field, ParticipantField)
            field.scope = seen
        if version is not None:
            for name in ("dso", "agr", "contract_id"):
                del self.fields[name]

    def terms(self, profile: Profile, minutes: int) -> Terms:
        """Return the terms in the form, with `profile` in ISPs of `minutes`; a default replaces each wrong value."""
        values = self.cleaned_data
        last = values.get("last")
        return Terms(
            congestion_point=values.get("congestion_point", ""),
            first=values.get("first", min(FIRST_DAY, last or FIRST_DAY)),
            last=None if last == date.max else last,
            isp_minutes=minutes,
            deadline=values.get("deadline", Deadline(hours=0)),
            profile=profile,
        )


def _initial_values(version: ContractVersion) -> dict[str, Any]:
    return {
        "congestion_point": version.congestion_point,
        "first": version.period.lower,
        "last": last_day(version.period),
        "deadline": version.deadline,
    }


class SavingForm(forms.Form):
    """Ask for the state that a contract shall have, and for the reason.

    `expected` is the number of the version that the page was made from; 0 for a new contract. Only a draft has a choice
    of state. A contract in force or ended keeps its state: pages of its own change it.
    """

    state = forms.ChoiceField(
        widget=forms.RadioSelect(attrs={"data-no-preview": ""}),
        choices=[
            (State.DRAFT, "Draft: updates about it are rejected, as if it were not there"),
            (State.IN_FORCE, "In force on its days"),
        ],
        error_messages={"required": "Choose whether it is in force."},
    )
    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "data-no-preview": ""}),
        help_text="Why; kept with the version and in the audit trail. A draft that stays one needs none.",
    )
    expected = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, version: ContractVersion | None = None) -> None:
        self.present = State(version.state) if version else State.DRAFT
        super().__init__(data, initial={"state": self.present, "expected": version.number if version else 0})
        if self.present != State.DRAFT:
            del self.fields["state"]

    def about(self, version: ContractVersion) -> SavingForm:
        """Return the same input for `version`, which another member of staff recorded meanwhile."""
        data = {name: self.data[name] for name in self.data} | {"expected": str(version.number)}
        return SavingForm(data, version=version)

    @property
    def chosen(self) -> State:
        """Return the state that the contract shall have; only for a valid form."""
        return State(self.cleaned_data.get("state", self.present))


def unvalidated(form: F, sent: Any) -> F:
    """Return `form`, unbound, with the posted values as its initial values, so that none is validated."""
    for name, field in form.fields.items():
        form.initial[name] = field.widget.value_from_datadict(sent, {}, name)
    return form


def add_problems(problems: Iterable[Problem], *among: forms.Form, editor: Editor) -> list[str]:
    """Add each problem to its field or to its kind of day; return the texts of the problems that have neither."""
    left = []
    by_name = {
        (part.day.isoformat() if part.day else part.name).lower(): part for part in editor.parts.values()
    }
    for problem in problems:
        field = FIELD_OF_PROBLEM.get(problem.field, problem.field)
        form = next((form for form in among if field in form.fields), None)
        if part := by_name.get(problem.days.lower()):
            part.wrong.append(problem.text.removesuffix("."))
        elif form is not None:
            form.add_error(field, problem.text)
        else:
            left.append(problem.text)
    return left
