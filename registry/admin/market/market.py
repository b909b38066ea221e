"""The page of the market: its time zone and ISP duration, and the consequences of changing them."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from common import clock
from participants.admin_base.html import count_in_words
from participants.admin_base.pages import CHANGE, Page
from participants.admin_base.reasons import OneRowAdmin, ReasonForm, actor
from participants.models import AuditEntry
from registry.market.market import ISP_DURATIONS, market, set_market, today_at, usable_zones, zone_agrees
from registry.models import CongestionPointConnection, CongestionPointTerms, Market, Representation

HALF_A_YEAR = timedelta(days=182)


class MarketForm(forms.Form):
    """The time zone and ISP duration that the market is to have."""

    time_zone = forms.ChoiceField(
        choices=lambda: [(zone, zone) for zone in usable_zones()],
        help_text="In which the market's days begin and end",
    )
    isp_duration = forms.ChoiceField(
        choices=[(duration, duration) for duration in ISP_DURATIONS],
        label="ISP duration",
        help_text="Length of an imbalance settlement period",
    )


class ConfirmForm(ReasonForm):
    """The second step: the same values in hidden fields, and the reason."""

    time_zone = forms.CharField(widget=forms.HiddenInput)
    isp_duration = forms.CharField(widget=forms.HiddenInput)
    sure = forms.CharField(widget=forms.HiddenInput, initial="yes")


def market_view(model_admin: OneRowAdmin, request: HttpRequest, before: Market) -> HttpResponse:
    """Show the market; a POST first shows the consequences of the change, and asks for the reason."""
    may = model_admin.has_change_permission(request)
    if request.method == "POST" and not may:
        raise PermissionDenied
    stored = {"time_zone": before.time_zone, "isp_duration": before.isp_duration}
    form = MarketForm(request.POST or None, initial=stored)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data == stored:
            form.add_error(None, "Nothing changes: this is what the market is.")
        else:
            return _confirm(model_admin, request, before, form.cleaned_data)
    return model_admin.page(
        request,
        "admin/registry/market.html",
        "Market",
        trail=[],
        form=form,
        market=before,
        may=may,
        submit="See what that means …",
        set=AuditEntry.objects.about(before).first(),
        **model_admin.page_context(request, before),
    )


def _confirm(
    model_admin: OneRowAdmin, request: HttpRequest, before: Market, wanted: dict[str, str]
) -> HttpResponse:
    """Show the consequences of the change and ask for the reason; with a reason, make the change."""
    back = model_admin.url_to("change", 1)
    form = ConfirmForm(request.POST if "sure" in request.POST else None, initial=wanted)
    if form.is_valid():
        set_market(**wanted, actor=actor(request), reason=form.cleaned_data["reason"])
        done = f"The market is {wanted['time_zone']}, with ISPs of {wanted['isp_duration']}."
        model_admin.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/registry/market_confirm.html",
        "Change the market?",
        trail=[(back, "Market")],
        form=form,
        before=before,
        wanted=wanted,
        means=list(_meaning(before, wanted, clock.now())),
        submit="Change the market",
        cancel=back,
    )


@admin.register(Market)
class MarketAdmin(OneRowAdmin):
    """The page of the market."""

    pages = (Page(CHANGE, "change", market_view),)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Market | None:
        """Return the market, or one with the defaults while nobody has set it."""
        return market() if object_id == "1" else None


def _meaning(before: Market, wanted: dict[str, str], now: datetime) -> list[str]:
    """Return the consequences of changing the market, in one or two sentences each."""
    sentences = []
    old, new = before.time_zone, wanted["time_zone"]
    if new != old:
        today = today_at(now, old)
        days = [today, today + HALF_A_YEAR]
        if zone_agrees(new, old, days):
            sentences.append(
                f"{new} has the same time as {old} today and in half a year, so days begin and end when they do now."
            )
        else:
            begins = [datetime.combine(days[1], time(), ZoneInfo(zone)) for zone in (old, new)]
            sentences.append(
                "All that is registered keeps its dates, but its days begin and end at other moments: "
                f"{days[1]} begins at {_utc(begins[0])} at present, and would begin at {_utc(begins[1])}. "
                f"That concerns {count_in_words(Representation.objects.current())} claims of AGRs, "
                f"{count_in_words(CongestionPointConnection.objects.current())} connections behind congestion points "
                f"and {count_in_words(CongestionPointTerms.objects.current())} terms."
            )
            if (there := today_at(now, new)) != today:
                sentences.append(f"Today is {today} at present, and would be {there} at once.")
            sentences.append(
                "From then on messages that state another time than the new zone's are rejected with "
                "“TimeZone rejected”: agree on the moment with all participants."
            )
        sentences.append("Times on these screens are shown in the new zone.")
    if wanted["isp_duration"] != before.isp_duration:
        sentences.append(
            f"An ISP lasts {wanted['isp_duration']} instead of {before.isp_duration}. Days, claims and conflicts do "
            "not depend on it; reservations are counted in ISPs."
        )
    return sentences


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo('UTC')):%Y-%m-%d %H:%M} UTC"
