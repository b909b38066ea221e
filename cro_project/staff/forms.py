"""Forms in which superusers say what a member of staff may do, and for whom."""

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
    "Only for those whose groups do not let them act for every participant, such as a CRO participant manager. Unless "
    "another group lets them look at every participant, they find nothing of others, in lists, searches or files."
)


class GroupChoice(forms.ModelMultipleChoiceField[Group]):
    """Groups to tick, each with what its members may do."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, group: Any) -> SafeString:
        said = DESCRIPTIONS.get(group.name, "")
        return format_html("<strong>{}</strong>{}{}", group.name, ": " if said else "", said)


class ParticipantsWidget(AutocompleteSelectMultiple):
    """Participants that are searched for while one types, in mark-up that screen readers understand."""

    def __init__(self) -> None:
        to_participant: Any = PublicKey._meta.get_field("participant")
        super().__init__(to_participant, admin.site)

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        return {**super().build_attrs(base_attrs, extra_attrs), "data-allow-clear": "false"}

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["admin/js/autocomplete.js", "cro_project/autocomplete.js"])


def participants_field(label: str, help_text: str) -> forms.ModelMultipleChoiceField[Participant]:
    """Participants that are searched for by what their domain starts with."""
    return forms.ModelMultipleChoiceField(
        queryset=Participant.objects.all(),
        required=False,
        label=label,
        help_text=help_text,
        widget=ParticipantsWidget(),
    )


class UserForm(forms.ModelForm[User]):
    """An account as it is, to be changed."""

    by: User
    """Who changes it."""

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
    acts_for = participants_field("Acts for", f"Looks at, and decides about. {LIMITED}")
    sees = participants_field(
        "Sees", "Looks at, and decides nothing about; those above need not be repeated."
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
        self.initial.setdefault("acts_for", accounts.given(self.instance, ACTS))
        self.initial.setdefault("sees", accounts.given(self.instance, SEES))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                accounts.check(self.instance, by=self.by)
            except ValidationError as refused:
                self.add_error(None, refused)


class NewUserForm(SetPasswordMixin, UserForm):  # type: ignore[type-arg]
    """An account that is to be made, with its first password."""

    password1, password2 = SetPasswordMixin.create_password_fields()

    class Meta(UserForm.Meta):
        fields = ["username", *UserForm.Meta.fields]

    def clean(self) -> dict[str, Any]:
        self.validate_passwords()
        given = super().clean() or {}
        if not (given.get("groups") or given.get("is_superuser") or "groups" in self.errors):
            self.add_error("groups", "Choose a group: without one, this account may not look at anything.")
        return given

    def _post_clean(self) -> None:
        super()._post_clean()
        self.validate_password_for_user(self.instance)


class PasswordForm(SetPasswordMixin, ReasonForm):  # type: ignore[type-arg]
    """Another password for a user who has lost theirs."""

    password1, password2 = SetPasswordMixin.create_password_fields()
    field_order = ["password1", "password2", "reason"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        self.validate_passwords()
        self.validate_password_for_user(self.user)
        return super().clean() or {}
