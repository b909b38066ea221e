"""The operator's screens for participants, their keys, the mode and the audit trail."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from participants import clock, registering
from participants.models import AuditEntry, Mode, Participant, PublicKey
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin


def _actor(request: HttpRequest) -> str:
    return request.user.get_username()


class ReasonForm(forms.ModelForm[Any]):
    """A form that asks why, and insists where the field `why_field` of something that exists changes."""

    why_field = ""
    reason = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Why; kept in the audit trail"
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.instance._state.adding and self.why_field in self.changed_data:
            try:
                registering.require_reason(f"a change of {self.why_field}", cleaned.get("reason", ""))
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


class ReasonedAdmin(admin.ModelAdmin[Any]):
    """Asks those who may change something why they do."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        may_save = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return [*fields, "reason"] if may_save else fields


class ParticipantForm(ReasonForm):
    why_field = "standing"


class ModeForm(ReasonForm):
    why_field = "value"


class PublicKeyForm(forms.ModelForm[PublicKey]):
    """A key's text is given once; a key that is there only changes when it is valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].disabled = bool(self.instance.pk)

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
    form = ParticipantForm
    list_display = ["domain", "role", "name", "standing", "endpoint", "last_heard_at"]
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
        "created_at",
        "last_heard_at",
    ]
    inlines = [PublicKeyInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Participant | None = None) -> list[str]:
        """Role and domain never change: facts and messages name the participant by them."""
        return ["created_at", "last_heard_at", *(["role", "domain"] if obj else [])]

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
    form = ModeForm
    fields = ["value"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mode | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Mode, form: Any, change: bool) -> None:
        registering.set_mode(obj.value, actor=_actor(request), reason=form.cleaned_data["reason"])


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ["moment", "actor", "action", "subject", "reason"]
    list_filter = ["moment"]
    search_fields = ["subject__startswith", "actor__exact", "action__exact"]
    search_help_text = "What a subject starts with, or exactly an actor or an action"
