"""The page that adjusts the days of one fact, with a preview of the consequences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from participants.admin_base.html import link
from participants.admin_base.pages import Page
from participants.admin_base.scoped import ScopedAdmin
from participants.models import AuditEntry, Participant
from registry import periods
from registry.admin.previewed_forms import (
    MAX_LIVE_PREVIEW,
    TOO_MANY,
    DayInput,
    FormResult,
    PreviewedForm,
    Verb,
    market_today,
    preview_form,
    preview_fragment,
    submit_form,
)
from registry.changes import Source
from registry.decisions.adjust import adjust, resulting_days
from registry.decisions.unmet_days import unmet_days
from registry.models import (
    Change,
    Claim,
    Conflict,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
)
from registry.periods import Days
from registry.queries.change_sources import source_in_words

Adjustable = Representation | CongestionPointConnection | CongestionPointTerms

PERMISSION = "registry.adjust_period"

CLAIM_EXPLAINED = (
    "Give the days that it is to have. Days that are claimed anew and that another holds become contested; days that"
    " are let go pass to whoever has waited for them longest."
)
POINT_EXPLAINED = (
    "Give the days on which the congestion point is to exist with these terms. Where it gets shorter, the days of its"
    " connections are cut; where it gets longer, they stay as they are."
)
MAX_CURRENT = 20
CONFLICT_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class AdjustForm(PreviewedForm):
    """The days that a fact is to have, and the reason."""

    first = forms.DateField(
        widget=DayInput,
        label="First day",
        error_messages={
            "required": "Give the first day.",
            "invalid": "The first day is not a date: write it as 2026-03-01.",
        },
    )
    last = forms.DateField(
        widget=DayInput,
        label="Last day",
        required=False,
        help_text="It still counts. Leave it empty for days without an end.",
        error_messages={"invalid": "The last day is not a date: write it as 2026-03-31."},
    )
    sure = forms.BooleanField(required=False, label="These days are meant")
    field_order = ("first", "last", "sure", "reason")

    def __init__(self, *args: Any, row: Adjustable, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.far = [] if not self.is_bound else list(self._far_days(row, today))
        if self.far:
            self.fields["sure"].help_text = f"{' '.join(self.far)} Tick this if it is meant."
        else:
            del self.fields["sure"]

    def _far_days(self, row: Adjustable, today: date) -> Iterator[str]:
        """Yield a sentence for each day that is far from today and that the fact does not have already."""
        for name in ("first", "last"):
            with suppress(forms.ValidationError):
                day = self.fields[name].to_python(self.data.get(name))
                if day in (None, row.period.lower, periods.last_day(row.period)):
                    continue
                if far := periods.distance(day, today):
                    yield f"{day} is {far}."

    def clean_sure(self) -> bool:
        """Require that staff confirm days that are far from today; a preview shows them without that."""
        sure: bool = self.cleaned_data["sure"]
        if not sure and "reason" in self.fields:
            raise forms.ValidationError(
                f"{' '.join(self.far)} If it is meant, tick this; if not, correct the day."
            )
        return sure


def may_adjust(model_admin: ScopedAdmin, request: HttpRequest, row: Adjustable) -> bool:
    """Return whether this member of staff may adjust the days of `row`."""
    return request.user.has_perm(PERMISSION) and model_admin.may_act(request, party_of(row))


def adjust_days(model_admin: ScopedAdmin, request: HttpRequest, row: Adjustable) -> HttpResponse:
    """Show the page that adjusts a fact; a POST with days and a reason adjusts it."""
    if request.method != "POST":
        first, last = row.period.lower, periods.last_day(row.period)
        return _adjust_page(
            model_admin, request, row, adjust_form(row, initial={"first": first, "last": last}), FormResult()
        )
    form = adjust_form(row, request.POST)
    if not form.is_valid():
        return _adjust_page(
            model_admin, request, row, form, preview_of(request, row) if is_live(row) else FormResult()
        )
    days = periods.half_open(form.cleaned_data["first"], form.cleaned_data["last"])
    requested = periods.in_words(days)
    result = submit_form(request, adjust_verb(row, form), form.why)
    change = result.change
    if change is None:
        row.refresh_from_db()
        change = is_repeated(row, days, by=request.user.get_username(), why=form.why)
    if change is None:
        return _adjust_page(model_admin, request, row, form, result)
    resulting = periods.list_in_words(resulting_days(row, days, change))
    text = format_html(
        "The days of {} are {}{}{}. {}",
        description(row),
        resulting,
        "" if resulting == requested else f"; you asked for {requested}",
        "".join(f"; {each.in_words}" for each in unmet_days(row, [days], change)),
        link(Change.objects.get(pk=change), "See what changed"),
    )
    model_admin.message_user(request, text, messages.SUCCESS)
    return HttpResponseRedirect(_afterwards(model_admin, request, row))


def preview_days(model_admin: ScopedAdmin, request: HttpRequest, row: Adjustable) -> HttpResponse:
    """Return the consequences of the days in the form, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(adjust_url(row))
    return preview_fragment(request, preview_of(request, row) if is_live(row) else FormResult(hint=TOO_MANY))


def _afterwards(model_admin: ScopedAdmin, request: HttpRequest, row: Adjustable) -> str:
    """Return the address of the conflict that staff came from, or else of the item that the fact is about."""
    came_from = request.GET.get("conflict", "")
    conflicts = model_admin.seen(request).restrict(Conflict.objects.all(), "holder", "claimant")
    if CONFLICT_NUMBER.fullmatch(came_from) and conflicts.filter(pk=came_from).exists():
        return reverse("admin:registry_conflict_change", args=[came_from])
    about = row.congestion_point if isinstance(row, CongestionPointTerms) else row.connection
    return reverse(f"admin:registry_{about._meta.model_name}_change", args=[about.pk])


def _adjust_page(
    model_admin: ScopedAdmin, request: HttpRequest, row: Adjustable, form: AdjustForm, result: FormResult
) -> HttpResponse:
    live, superseded = is_live(row), superseding(row)
    return model_admin.page(
        request,
        "admin/registry/adjust.html",
        f"Adjust {description(row)}",
        row=row,
        party=party_of(row),
        days=periods.in_words(row.period),
        standing=row.get_standing_display() if isinstance(row, Claim) else "",
        superseded=source_in_words(superseded) if superseded else "",
        explained=POINT_EXPLAINED if isinstance(row, CongestionPointTerms) else CLAIM_EXPLAINED,
        current=[
            {"days": periods.in_words(other.period), "url": adjust_url(other), "row": other}
            for other in current_of(row)
            if other.pk != row.pk
        ],
        form=form,
        errors=None,
        result=result,
        before="Change the days to see the consequences."
        if live
        else "Change the days and give a reason, then look at the consequences.",
        button="Adjust the days" if live or result.consequences else "Show the consequences",
        live=live,
        back=model_admin.url_to("change", row.pk),
        preview=model_admin.url_to("adjust_preview", row.pk),
    )


def is_live(row: Adjustable) -> bool:
    """Return whether the adjustment concerns few enough claims for a preview while the form is filled in."""
    if not isinstance(row, CongestionPointTerms):
        return True
    claims = CongestionPointConnection.objects.current().filter(congestion_point=row.congestion_point_id)
    return len(claims.values_list("pk")[: MAX_LIVE_PREVIEW + 1]) <= MAX_LIVE_PREVIEW


def is_repeated(row: Adjustable, days: Days, *, by: str, why: str) -> int | None:
    """Return the change that already adjusted the row like this; None when there is none: a form may be sent twice.

    Args:
        row: The row on the page.
        days: The days that the form requests (half-open).
        by: The member of staff.
        why: The reason in the form.
    """
    change = row.superseded_by_id
    if change is None:
        return None
    entries = AuditEntry.objects.filter(action="adjust period", actor=by, reason=why, after__change=change)
    requested = [after.get("asked for", after["days"]) for entry in entries if (after := entry.after)]
    latest = Change.objects.latest("pk").pk
    holds = resulting_days(row, days, change) == resulting_days(row, days, latest)
    return change if requested == [periods.in_words(days)] and holds else None


def preview_of(request: HttpRequest, row: Adjustable) -> FormResult:
    """Return the consequences of the days in the form, with or without a reason; or what the form lacks."""
    form = adjust_form(row, request.POST, previewing=True)
    if not form.is_valid():
        return FormResult(hint=form.missing_fields_text)
    return preview_form(request, adjust_verb(row, form), form.why)


def adjust_form(row: Adjustable, *data: Any, **given: Any) -> AdjustForm:
    """Return the form for the days of `row`."""
    return AdjustForm(*data, row=row, today=market_today(), **given)


def adjust_verb(row: Adjustable, form: AdjustForm) -> Verb:
    """Return the verb that gives `row` the days of the form, which must be valid."""
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]

    def verb(source: Source, today: date, expected: str | None) -> int:
        return adjust(row, first, last, source=source, today=today, expected=expected)

    return verb


def adjust_url(row: Adjustable) -> str:
    """Return the address of the page that adjusts `row`."""
    return reverse(f"admin:registry_{row._meta.model_name}_adjust", args=[row.pk])


def party_of(row: Adjustable) -> Participant:
    """Return the party of a claim, or the DSO of a congestion point's terms."""
    if isinstance(row, Representation):
        return row.agr
    return row.dso if isinstance(row, CongestionPointConnection) else row.congestion_point.dso


def description(row: Adjustable) -> str:
    """Return what the days belong to, such as `the representation of ean.8716… by AGR one.example`."""
    return f"the {row._meta.verbose_name} of {row}" if isinstance(row, Claim) else f"the {row}"


def superseding(row: Adjustable) -> Change | None:
    """Return the change that superseded `row`, with its message; None when `row` is current."""
    changes = Change.objects.select_related("message__sender").defer("message__sealed")
    return changes.filter(pk=row.superseded_by_id).first() if row.superseded_by_id else None


def current_of(row: Adjustable) -> QuerySet[Any]:
    """Return the current rows of the same item and party, by days."""
    if isinstance(row, Representation):
        rows: QuerySet[Any] = Representation.objects.filter(connection=row.connection_id, agr=row.agr_id)
    elif isinstance(row, CongestionPointConnection):
        rows = CongestionPointConnection.objects.filter(
            connection=row.connection_id, congestion_point=row.congestion_point_id
        )
    else:
        rows = CongestionPointTerms.objects.filter(congestion_point=row.congestion_point_id)
    return rows.filter(superseded_by=None).order_by("period")[:MAX_CURRENT]


DENIED = "Adjusting these days needs the right to adjust periods, and to act for the party."
PAGES = (
    Page("<path:object_id>/adjust/preview/", "adjust_preview", preview_days, may_adjust, DENIED),
    Page("<path:object_id>/adjust/", "adjust", adjust_days, may_adjust, DENIED),
)
