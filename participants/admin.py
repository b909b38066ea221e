"""The operator's screens for participants, their keys, the mode and the audit trail."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from participants import clock, registering
from participants.admin_audit import what_changed
from participants.admin_html import lines, moment
from participants.list_filters import DayRangeFilter, SubjectFilter
from participants.models import AuditEntry, Mode, Participant, PublicKey
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from participants.scoped_admin import ScopedAdmin


def _actor(request: HttpRequest) -> str:
    return request.user.get_username()


class ReasonForm(forms.ModelForm[Any]):
    """A form that asks why, and insists where the field `why_field` of something that exists changes.

    With `always_why` it insists whatever changes.
    """

    why_field = ""
    always_why = False
    reason = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Why; kept in the audit trail"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "reason" not in self.fields:
            return
        reason = self.fields["reason"]
        if self.always_why:
            reason.required = True
            reason.error_messages["required"] = "Say why: this is recorded with its reason."
        elif not self.instance._state.adding and self.why_field:
            reason.help_text = f"Why; required where the {self.why_field} changes. Kept in the audit trail"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.why_field in self.changed_data and not (self.always_why or self.instance._state.adding):
            try:
                registering.require_reason(f"a change of {self.why_field}", cleaned.get("reason", ""))
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


class ReasonedAdmin(ScopedAdmin):
    """Asks those who may change something why they do."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        may_save = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return [*fields, "reason"] if may_save else fields


class ParticipantForm(ReasonForm):
    why_field = "standing"


class ModeForm(ReasonForm):
    always_why = True


class PublicKeyForm(forms.ModelForm[PublicKey]):
    """A key's text is given once; a key that is there only changes when it is valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].disabled = bool(self.instance.pk)
        for name in ("valid_from", "valid_until"):
            day: Any = self.fields[name].widget
            day.widgets[0].format = "%Y-%m-%d"

    def clean_valid_from(self) -> Any:
        return self.cleaned_data["valid_from"] or clock.now()


class PublicKeyFormSet(forms.BaseInlineFormSet[PublicKey, Participant, forms.ModelForm[PublicKey]]):
    def clean(self) -> None:
        super().clean()
        values = [form.instance.value for form in self.forms if form.has_changed() and form.instance.value]
        if len(set(values)) < len(values):
            raise ValidationError("The same key is given twice; give it once.")


class PublicKeyInline(admin.TabularInline[PublicKey, Participant]):
    model = PublicKey
    form = PublicKeyForm
    formset = PublicKeyFormSet
    fields = ["text", "valid_from", "valid_until"]
    extra = 0
    can_delete = False
    verbose_name = "public key"


@admin.register(Participant)
class ParticipantAdmin(ReasonedAdmin):
    scope_by = ("pk",)
    form = ParticipantForm
    list_display = ["domain", "role", "name", "standing", "endpoint", "last_heard"]
    list_filter = ["role", "standing", "last_heard_at"]
    search_fields = ["domain", "name", "endpoint", "keys__text"]
    search_help_text = "Domain, name, endpoint or public key"
    fields = [
        "role",
        "domain",
        "name",
        "standing",
        "endpoint",
        "placeholders",
        "created",
        "last_heard",
    ]
    inlines = [PublicKeyInline]

    @admin.display(description="created")
    def created(self, participant: Participant) -> str:
        return moment(participant.created_at)

    @admin.display(description="last heard", ordering="last_heard_at")
    def last_heard(self, participant: Participant) -> str:
        return moment(participant.last_heard_at)

    def audit_subject(self, row: Participant) -> str:
        return str(row)

    def get_fields(self, request: HttpRequest, obj: Participant | None = None) -> Any:
        """One that is being added has no past yet."""
        fields = super().get_fields(request, obj)
        return fields if obj else [field for field in fields if field not in ("created", "last_heard")]

    def get_readonly_fields(self, request: HttpRequest, obj: Participant | None = None) -> list[str]:
        """Role and domain never change: facts and messages name the participant by them."""
        return ["created", "last_heard", *(["role", "domain"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Participant | None = None) -> bool:
        """Participants are suspended or barred, never deleted: what they did stays theirs."""
        return False

    def save_model(self, request: HttpRequest, obj: Participant, form: Any, change: bool) -> None:
        registering.save_participant(obj, actor=_actor(request), reason=form.cleaned_data["reason"])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for key in formset.save(commit=False):
            registering.save_key(
                key, actor=_actor(request), now=clock.now(), reason=form.cleaned_data["reason"]
            )


@admin.register(Mode)
class ModeAdmin(ReasonedAdmin):
    about_participants = False
    form = ModeForm
    fields = ["value"]

    def audit_subject(self, row: Mode) -> str:
        return "mode"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mode | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Mode, form: Any, change: bool) -> None:
        registering.set_mode(obj.value, actor=_actor(request), reason=form.cleaned_data["reason"])


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ["at", "actor", "action", "subject", "changed", "reason"]
    list_filter = [SubjectFilter, ("moment", DayRangeFilter)]
    fields = ["at", "actor", "action", "subject", "changed", "reason"]
    search_fields = ["subject__startswith", "actor__exact", "action__exact"]
    search_help_text = "What a subject starts with, or exactly an actor or an action"

    def in_scope(self, request: HttpRequest, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        scope = self.seen(request)
        return rows if scope.everyone else rows.filter(participants__overlap=sorted(scope.ids))

    @admin.display(description="moment")
    def at(self, entry: AuditEntry) -> str:
        return moment(entry.moment)

    @admin.display(description="what changed")
    def changed(self, entry: AuditEntry) -> str:
        return lines(what_changed(entry))
