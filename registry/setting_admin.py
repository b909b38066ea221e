"""The operator's screens for what staff decide beforehand: policies and the market."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from participants import clock, registering
from participants.admin import ReasonedAdmin, ReasonForm
from participants.admin_html import moment
from participants.list_filters import ChoiceFilter
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from registry import policies
from registry.market import ISP_DURATIONS, market, set_market, usable_zones
from registry.models import Market, Policy, PolicySetting

MEANING = {
    policies.REJECT: "the whole message is rejected",
    policies.ADJUST: "the days are put right and registered, with a warning",
    policies.ACCEPT: "registered as said, with a warning",
    policies.HOLD: "the holder keeps the days; the claim is contested until staff settle it",
    policies.NEWEST_WINS: "days from today on become the newcomer's; earlier days are contested",
    policies.ALLOW: "both count",
    policies.KEEP: "they stay as they are",
    policies.END: "today is their last day",
    policies.PER_CONNECTION: "which AGR represents each connection",
    policies.COUNTS: "how many connections have an AGR",
}


class PolicyForm(ReasonForm):
    """Offers the values that this policy takes."""

    why_field = "value"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = policies.CHOICES.get(self.instance.name)
        if choice is None or "value" not in self.fields:
            return
        if choice.values:
            self.fields["value"] = forms.ChoiceField(
                choices=[(value, _label(value, choice)) for value in choice.values], widget=forms.RadioSelect
            )
        else:
            self.fields["value"] = forms.CharField(
                help_text=f"A whole number of days; the default is {choice.default}"
            )

    def clean_value(self) -> str:
        try:
            return policies.checked(self.instance.name, self.cleaned_data["value"])[1]
        except policies.UnknownPolicy as error:
            raise ValidationError(str(error)) from None


def _label(value: str, choice: policies.Choice) -> str:
    default = " (the default)" if value == choice.default else ""
    return f"{value}: {MEANING[value]}{default}"


class PolicyFilter(ChoiceFilter):
    title = "policy"
    parameter_name = field = "name"
    values = tuple(policies.CHOICES)


@admin.register(Policy)
class PolicyAdmin(ReasonedAdmin):
    form = PolicyForm
    list_display = ("name", "value", "about", "values")
    fields = ["name", "about", "value"]
    readonly_fields = ("name", "about")
    actions = None
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        """All policies; one that nobody has set gets its row when it is first looked at."""
        Policy.objects.bulk_create(
            [Policy(name=choice.name, value=choice.default) for choice in policies.CHOICES.values()],
            ignore_conflicts=True,
        )
        return super().get_queryset(request).filter(name__in=policies.CHOICES)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:
        return False

    @admin.display(description="what it decides")
    def about(self, policy: Policy) -> str:
        return policies.CHOICES[policy.name].about

    @admin.display(description="values it takes")
    def values(self, policy: Policy) -> str:
        return ", ".join(policies.CHOICES[policy.name].values) or "a number of days"

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        policies.set_policy(
            obj.name,
            obj.value,
            actor=request.user.get_username(),
            reason=form.cleaned_data["reason"],
            now=clock.now(),
        )


@admin.register(PolicySetting)
class PolicySettingAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ("name", "value", "since")
    list_filter = (PolicyFilter,)
    fields = ("name", "value", "since")

    @admin.display(description="since")
    def since(self, setting: PolicySetting) -> str:
        return moment(setting.set_at)


class MarketForm(ReasonForm):
    time_zone = forms.ChoiceField(
        choices=lambda: [(zone, zone) for zone in usable_zones()],
        help_text="In which the market's days begin and end. Registered days keep their dates when it changes.",
    )
    isp_duration = forms.ChoiceField(
        choices=[(duration, duration) for duration in ISP_DURATIONS],
        label="ISP duration",
        help_text="Length of an imbalance settlement period",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if {"time_zone", "isp_duration"} & set(self.changed_data):
            try:
                registering.require_reason("a change of the market", cleaned.get("reason", ""))
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


@admin.register(Market)
class MarketAdmin(ReasonedAdmin):
    form = MarketForm
    fields = ["time_zone", "isp_duration"]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Market | None:
        return market() if object_id == "1" else None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseRedirect:
        """There is one market: its page stands for the list."""
        return HttpResponseRedirect(reverse("admin:registry_market_change", args=[1]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Market, form: Any, change: bool) -> None:
        set_market(
            time_zone=obj.time_zone,
            isp_duration=obj.isp_duration,
            actor=request.user.get_username(),
            reason=form.cleaned_data["reason"],
        )
