"""The operator's screens for what staff decide beforehand: policies and the market."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from participants import clock
from participants.admin_html import moment
from participants.list_filters import ChoiceFilter
from participants.reason_form import ReasonedAdmin
from participants.reason_form import ReasonModelForm as ReasonForm
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from registry import decision_places, participant_cards, policies
from registry.market import ISP_DURATIONS, market, set_market, usable_zones
from registry.models import Market, Policy, PolicySetting

# Imported for what they add to the screens of participants.
__all__ = ["decision_places", "participant_cards"]

REJECTED = "the whole message is rejected"
NOTHING_REGISTERED = "nothing is registered, with a warning"
AS_SAID = "registered as said, with a warning"
UNION = "registered as the union of the periods, with a warning"

MEANINGS: dict[str, dict[str, str]] = {
    "representation conflicts": {
        policies.HOLD: "the holder keeps the days, the claim is contested until staff settle it, with a warning",
        policies.REJECT: REJECTED,
        policies.NEWEST_WINS: "the newcomer gets the days from today on; earlier ones are contested",
    },
    "membership conflicts": {
        policies.ALLOW: "the days count for both DSOs",
        policies.HOLD: "the holder keeps the days, the claim is contested until staff settle it, with a warning",
        policies.REJECT: REJECTED,
    },
    "omitted connections": {
        policies.KEEP: "they stay as they are",
        policies.END: "today is their last day; a DSO's only behind congestion points that list some",
    },
    "disclosure": {
        policies.PER_CONNECTION: "which AGR represents each connection",
        policies.COUNTS: "how many connections each AGR represents, under pseudonyms",
    },
    "P1": {
        policies.REJECT: REJECTED,
        policies.ADJUST: NOTHING_REGISTERED,
        policies.ACCEPT: f"the same as adjust: {NOTHING_REGISTERED}",
    },
    "P2": {
        policies.REJECT: REJECTED,
        policies.ADJUST: AS_SAID,
        policies.ACCEPT: f"the same as adjust: {AS_SAID}",
    },
    "P3": {
        policies.REJECT: REJECTED,
        policies.ADJUST: "cut to the congestion point's days, with a warning",
        policies.ACCEPT: AS_SAID,
    },
    "P4": {
        policies.REJECT: REJECTED,
        policies.ADJUST: "starts with the congestion point, with a warning",
        policies.ACCEPT: AS_SAID,
    },
    "P5": {
        policies.REJECT: REJECTED,
        policies.ADJUST: NOTHING_REGISTERED,
        policies.ACCEPT: f"the same as adjust: {NOTHING_REGISTERED}",
    },
    "P6": {
        policies.REJECT: REJECTED,
        policies.ADJUST: UNION,
        policies.ACCEPT: f"the same as adjust: {UNION}",
    },
    "P7": {
        policies.REJECT: REJECTED,
        policies.ADJUST: "the later block is kept, without a warning",
        policies.ACCEPT: "the later block is dropped, with a warning that names its days",
    },
}
"""What each value of a policy has for its consequence, in the words of docs/rules.md."""


class PolicyForm(ReasonForm):
    """Offers the values that this policy takes."""

    always_why = True

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
    return f"{value}: {MEANINGS[choice.name][value]}{default}"


class PolicyFilter(ChoiceFilter):
    title = "policy"
    parameter_name = field = "name"
    values = tuple(policies.CHOICES)


@admin.register(Policy)
class PolicyAdmin(ReasonedAdmin):
    about_participants = False
    form = PolicyForm
    list_display = ("name", "value", "about", "values")
    fields = ["name", "about", "value"]
    readonly_fields = ("name", "about")
    actions = None
    ordering = ("name",)

    def audit_subject(self, row: Policy) -> str:
        return row.name

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
    about_participants = False
    list_display = ("name", "value", "since")
    list_filter = (PolicyFilter,)
    fields = ("name", "value", "since")

    @admin.display(description="since")
    def since(self, setting: PolicySetting) -> str:
        return moment(setting.set_at)


class MarketForm(ReasonForm):
    always_why = True
    time_zone = forms.ChoiceField(
        choices=lambda: [(zone, zone) for zone in usable_zones()],
        help_text="In which the market's days begin and end. Registered days keep their dates when it changes.",
    )
    isp_duration = forms.ChoiceField(
        choices=[(duration, duration) for duration in ISP_DURATIONS],
        label="ISP duration",
        help_text="Length of an imbalance settlement period",
    )


@admin.register(Market)
class MarketAdmin(ReasonedAdmin):
    about_participants = False
    form = MarketForm
    fields = ["time_zone", "isp_duration"]

    def audit_subject(self, row: Market) -> str:
        return "market"

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
