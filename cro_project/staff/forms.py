"""Forms for superusers: what a member of staff may do, and for whom."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cro_project.staff import accounts
from cro_project.staff.groups import DESCRIPTIONS
from participants.admin_base.reasons import ReasonForm, reason_field
from participants.models import Participant, PublicKey
from participants.scope import ACTS, SEES

LIMITED = (
    "Only for an account whose groups do not let it act for every participant, such as a CRO participant manager. "
    "Unless another group lets it see every participant, it finds no other participants in lists, searches or files."
)


class GroupChoice(forms.ModelMultipleChoiceField[Group]):
    """Groups to tick, each with what its members may do."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, group: Any) -> SafeString:
        description = DESCRIPTIONS.get(group.name, "")
        return format_html("<strong>{}</strong>{}{}", group.name, ": " if description else "", description)


class ParticipantsWidget(AutocompleteSelectMultiple):
    """A choice of participants that searches while the user types. Its markup works with screen readers."""

    def __init__(self) -> None:
        to_participant: Any = PublicKey._meta.get_field("participant")
        super().__init__(to_participant, admin.site)

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        """Have what is found shown in the row of the field, below it: elsewhere it would cover other choices."""
        row = str((extra_attrs or {}).get("id", "")).removeprefix("id_")
        return {
            **super().build_attrs(base_attrs, extra_attrs),
            "data-allow-clear": "false",
            "data-dropdown-parent": f".field-{row}",
        }

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["admin/js/autocomplete.js", "cro_project/autocomplete.js"])


def participants_field(label: str, help_text: str) -> forms.ModelMultipleChoiceField[Participant]:
    """Return a field with a choice of participants, searched by the beginning of their domain."""
    return forms.ModelMultipleChoiceField(
        queryset=Participant.objects.all(),
        required=False,
        label=label,
        help_text=help_text,
        widget=ParticipantsWidget(),
    )


class UserForm(forms.ModelForm[User]):
    """Change an account."""

    actor: User
    """The superuser who changes the account."""

    groups = GroupChoice(
        queryset=Group.objects.order_by("name"),
        required=False,
        help_text="What this member of staff may do.",
    )
    further = forms.ModelMultipleChoiceField(
        queryset=Permission.objects.none(),
        required=False,
        label="Further permissions",
        help_text="This account has these beside its groups. What is taken away here, only a group gives again.",
        widget=forms.CheckboxSelectMultiple,
    )
    acts_for = participants_field("Acts for", f"Sees these participants, and acts for them. {LIMITED}")
    sees = participants_field(
        "Sees", "Sees these participants, and does not act for them. Those above need not be repeated."
    )
    reason = reason_field()

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "is_active", "is_superuser", "groups"]
        help_texts = {
            "username": "What they log in with, and their name in the audit trail; it never changes.",
            "is_active": "May log in. Accounts are never deleted: take this away from those who leave.",
            "is_superuser": "May do everything, staff accounts included, whatever the groups and the limits below.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        has = self.instance.user_permissions.all() if self.instance.pk else Permission.objects.none()
        if "further" in self.fields:
            self.fields["further"].queryset = has  # type: ignore[attr-defined]
        self.initial.setdefault("further", has)
        self.initial.setdefault("acts_for", accounts.participants_with(self.instance, ACTS))
        self.initial.setdefault("sees", accounts.participants_with(self.instance, SEES))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                accounts.check(self.instance, actor=self.actor)
            except ValidationError as refused:
                self.add_error(None, refused)


class NewUserForm(UserForm):
    """Add an account. Its first password is chosen by who is invited."""

    class Meta(UserForm.Meta):
        fields = ["username", *UserForm.Meta.fields]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not (data.get("groups") or data.get("is_superuser") or "groups" in self.errors):
            self.add_error("groups", "Choose a group: without one, this account may not look at anything.")
        return data


class PasswordForm(SetPasswordMixin, ReasonForm):  # type: ignore[type-arg]
    """Set a new password for a user who has lost theirs."""

    password1, password2 = SetPasswordMixin.create_password_fields()
    field_order = ["password1", "password2", "reason"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        self.validate_passwords()
        self.validate_password_for_user(self.user)
        return super().clean() or {}
