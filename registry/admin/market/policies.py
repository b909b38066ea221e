"""The page of all policies with their choices in words, and the page that sets one of them."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.text import slugify

from common import clock
from participants.admin.mode import MEANINGS
from participants.admin_base.extensions import badge
from participants.admin_base.filters import ChoiceFilter
from participants.admin_base.html import moment
from participants.admin_base.pages import CHANGE, Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.scoped import ScopedAdmin
from participants.admission import current_mode
from participants.models import AuditEntry, Mode
from registry.admin.market.policy_texts import POLICY_TEXTS, PolicyText, policy_text
from registry.market import policies
from registry.market.market import market
from registry.models import Policy, PolicySetting


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy on a page.

    Each of `choices` is (value, text, text of the example, whether it is in force, whether it is the default).
    `since` says since when the value is in force, and who set it.
    """

    name: str
    place: str
    text: PolicyText
    value: str
    choices: list[tuple[str, str, str, bool, bool]]
    since: str
    url: str


class PolicyForm(ReasonForm):
    """The values of a policy to choose from.

    `expected` is the value that the page showed. If a colleague has set another value since, the form is invalid.
    """

    value = forms.ChoiceField(error_messages={"required": "Choose one."})
    expected = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, name: str, present: str, **kwargs: Any) -> None:
        super().__init__(*args, initial={"value": present, "expected": present}, **kwargs)
        self.name, self.present = name, present
        text, choice = policy_text(name), policies.POLICIES[name]
        if choice.values:
            self.fields["value"] = forms.ChoiceField(
                choices=[(value, _label(text, choice, value, present)) for value in choice.values],
                widget=forms.RadioSelect,
                label="Choose",
            )
        else:
            self.fields["value"] = forms.CharField(
                label="Days", help_text=f"A whole number; the default is {choice.default}"
            )
        self.order_fields(["value", "expected", "reason"])

    def clean_value(self) -> str:
        """Return the value as it is stored; it must differ from the present one."""
        try:
            value = policies.parse_setting(self.name, self.cleaned_data["value"])[1]
        except policies.UnknownPolicy as error:
            raise ValidationError(str(error)) from None
        if value == self.present:
            raise ValidationError("This is what holds at present: choose another one, or cancel.")
        return value

    def clean_expected(self) -> str:
        """Return the value that the page showed; it must still be in force."""
        expected: str = self.cleaned_data["expected"]
        if expected != self.present:
            raise ValidationError(
                f"Meanwhile somebody else has set it to {self.present}. Look at it, and try again."
            )
        return expected


def _label(text: PolicyText, choice: policies.PolicyDefinition, value: str, present: str) -> str:
    """Return the label of a choice, with its consequences in general and in the example."""
    general, example = text.choices[value]
    return format_html(
        '<strong>{}</strong>{}{}<span class="follows">{}</span><span class="follows quiet">In the example: {}</span>',
        value,
        badge("ok", "in force") if value == present else "",
        badge("", "default") if value == choice.default else "",
        general,
        example,
    )


def policy_view(model_admin: ScopedAdmin, request: HttpRequest, policy: Policy) -> HttpResponse:
    """Show one policy; staff with the permission can set it."""
    name, present = policy.name, policy.value
    may = model_admin.has_change_permission(request)
    if request.method == "POST" and not may:
        raise PermissionDenied
    form = PolicyForm(request.POST or None, name=name, present=present)
    if request.method == "POST" and form.is_valid():
        value, reason = form.cleaned_data["value"], form.cleaned_data["reason"]
        policies.set_policy(name, value, actor=actor(request), reason=reason, now=clock.now())
        done = f"{policy_text(name).title}: {value}. It applies to messages received from this moment on."
        model_admin.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(model_admin.url_to("changelist"))
    return model_admin.page(
        request,
        "admin/registry/policy.html",
        policy_text(name).title,
        form=form,
        policy=_policy_row(model_admin, name, present, _since([name])[name]),
        may=may,
        submit="Set policy",
        cancel=model_admin.url_to("changelist"),
        **model_admin.page_context(request, policy),
    )


def _policy_row(model_admin: ScopedAdmin, name: str, value: str, since: str) -> PolicyRow:
    text, choice = policy_text(name), policies.POLICIES[name]
    return PolicyRow(
        name=name,
        place=slugify(name),
        text=text,
        value=value,
        choices=[
            (each, *text.choices[each], each == value, each == choice.default) for each in choice.values
        ],
        since=since,
        url=model_admin.url_to("change", quote(name)),
    )


@admin.register(Policy)
class PolicyAdmin(ScopedAdmin):
    """The pages of the policies."""

    about_participants = False
    pages = (Page(CHANGE, "change", policy_view),)
    list_display = ("name", "value", "about", "since")
    export_display = ("name", "value", "about")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        """Return all policies; create a row with the default for each that has none."""
        Policy.objects.bulk_create(
            [Policy(name=choice.name, value=choice.default) for choice in policies.POLICIES.values()],
            ignore_conflicts=True,
        )
        rows: QuerySet[Policy] = super().get_queryset(request)
        return rows.filter(name__in=policies.POLICIES)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Policy | None:
        """Return the policy with the value in force. A policy that nobody has set needs no row."""
        if object_id not in policies.POLICIES:
            return None
        return Policy(name=object_id, value=policies.in_force()[object_id])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the rules name all policies."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:
        """Return False: the rules name all policies."""
        return False

    @admin.display(description="what it decides")
    def about(self, policy: Policy) -> str:
        """Return what the policy decides."""
        return policy_text(policy.name).about

    @admin.display(description="since")
    def since(self, policy: Policy) -> str:
        """Return since when the value is in force."""
        return _since([policy.name])[policy.name]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every policy with its choices in words, and the choice that is in force."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        values, since = policies.in_force().values, _since(list(policies.POLICIES))
        return self.page(
            request,
            "admin/registry/policies.html",
            "Policies and mode",
            trail=[],
            groups=[
                (group, [_policy_row(self, name, values[name], since[name]) for name in named])
                for group, named in POLICY_TEXTS.items()
            ],
            may=self.has_change_permission(request),
            export=self.url_to("export"),
            mode=Mode(value=current_mode()) if request.user.has_perm("participants.view_mode") else None,
            mode_means=MEANINGS[current_mode()],
            market=market() if request.user.has_perm("registry.view_market") else None,
        )


def _since(names: list[str]) -> dict[str, str]:
    """Return, for each policy, since when its value is in force, who set it and why; runs two queries."""
    set_at = dict(
        PolicySetting.objects.filter(name__in=names)
        .order_by("name", "-set_at", "-id")
        .distinct("name")
        .values_list("name", "set_at")
    )
    about_policies = AuditEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Policy), object_pk__in=names
    )
    entries = {
        entry.object_pk: entry for entry in about_policies.order_by("object_pk", "-id").distinct("object_pk")
    }
    since = {}
    for name in names:
        entry = entries.get(name)
        if name not in set_at:
            since[name] = "from the start: nobody has set it"
        elif entry is None:
            since[name] = f"since {moment(set_at[name])}"
        else:
            why = f": {entry.reason}" if entry.reason else ""
            since[name] = f"since {moment(set_at[name])}, set by {entry.actor}{why}"
    return since


class PolicyFilter(ChoiceFilter):
    """Policy settings by policy."""

    title = "policy"
    parameter_name = field = "name"
    values = tuple(policies.POLICIES)


@admin.register(PolicySetting)
class PolicySettingAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list of policy settings."""

    about_participants = False
    list_display = ("name", "value", "set_since")
    export_display = ("name", "value", ("Since", "set_at"))
    list_filter = (PolicyFilter,)
    fields = ("name", "value", "set_since")

    @admin.display(description="since")
    def set_since(self, setting: PolicySetting) -> str:
        """Return when the policy was set."""
        return moment(setting.set_at)
