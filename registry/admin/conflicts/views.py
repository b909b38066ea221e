"""The page of one conflict, where staff settle it and see the consequences."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localdate

from common import clock
from participants.admin_base.html import count_in_words, link, moment
from participants.admin_base.journal import journal_of
from participants.admin_base.pages import CHANGE, Page
from participants.admin_base.scoped import ScopedAdmin
from participants.journal import follow_ups
from participants.scope import NOBODY
from registry import periods
from registry.admin.changes.reverse import decided_conflicts
from registry.admin.conflicts import page as conflict_page
from registry.admin.conflicts.bulk import FILTERS, BadSelection, listed, settle_url, why_not
from registry.admin.conflicts.filters import age
from registry.admin.conflicts.forms import DecisionForm, decided
from registry.admin.facts.adjust import PERMISSION
from registry.admin.notices import told_of
from registry.admin.previewed_forms import (
    FormResult,
    Verb,
    market_today,
    preview_form,
    preview_fragment,
    submit_form,
)
from registry.changes import Source
from registry.charts import timeline
from registry.decisions.history import later_decisions, latest_decision
from registry.decisions.reversal import decision_for_run
from registry.decisions.settle import settle, settle_anew, similar_conflicts
from registry.models import Conflict

TOP = "#content-start"
"""Where the page begins; without it, browsers go to the place of the form."""


def conflict_view(model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict) -> HttpResponse:
    """Show the page of one conflict; a POST with a decision settles it."""
    if request.method != "POST":
        return _page(model_admin, request, conflict, _form(conflict), FormResult())
    if reason := why_not(model_admin, request, conflict.holder, conflict.claimant):
        raise PermissionDenied(reason)
    form = _form(conflict, request.POST)
    if not form.is_valid():
        return _page(model_admin, request, conflict, form, _preview(request, conflict))
    result = submit_form(request, _verb(request, conflict, form), form.why)
    if result.change is None and not _is_repeated(request, conflict, form):
        conflict = model_admin.row_or_404(request, str(conflict.pk))
        return _page(model_admin, request, conflict, form, result)
    return _on_success(model_admin, request, conflict)


def preview_view(model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict) -> HttpResponse:
    """Return the consequences of the decision in the form, as a part of the page."""
    if reason := why_not(model_admin, request, conflict.holder, conflict.claimant):
        raise PermissionDenied(reason)
    if request.method != "POST":
        return HttpResponseRedirect(page_of(conflict))
    return preview_fragment(request, _preview(request, conflict))


def _form(conflict: Conflict, *data: Any, previewing: bool = False) -> DecisionForm:
    return DecisionForm(
        *data,
        holder=conflict.holder,
        claimant=conflict.claimant,
        days=conflict.period,
        previewing=previewing,
    )


def _preview(request: HttpRequest, conflict: Conflict) -> FormResult:
    """Return the consequences of the decision in the form, with or without a reason; or what the form lacks."""
    form = _form(conflict, request.POST, previewing=True)
    if not form.is_valid():
        return FormResult(hint=form.missing_fields_text)
    return preview_form(request, _verb(request, conflict, form), form.why)


def _verb(request: HttpRequest, conflict: Conflict, form: DecisionForm) -> Verb:
    decide = settle_anew if request.POST.get("anew") else settle
    decision, at = form.cleaned_data["decision"], form.day

    def verb(source: Source, today: date, expected: str | None) -> int:
        return decide(conflict.pk, decision, at=at, source=source, today=today, expected=expected)

    return verb


def _is_repeated(request: HttpRequest, conflict: Conflict, form: DecisionForm) -> bool:
    """Return whether the form was sent twice: this member of staff made exactly this decision, and it is the latest."""
    latest, anew = latest_decision(conflict), bool(request.POST.get("anew"))
    by, reason, decision = request.user.get_username(), form.why, form.cleaned_data["decision"]
    return bool(latest) and all(
        (row.replaces_id if anew else row.pk) == conflict.pk
        and (row.decided_by, row.reason) == (by, reason)
        and (row.decision, row.split_at) == decision_for_run(row.period, decision, form.day)
        for row in latest
    )


def _on_success(model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict) -> HttpResponse:
    """Go to the list, or to the next conflict in it, with a message on what was decided."""
    text = _decision_text(conflict, latest_decision(conflict))
    model_admin.message_user(request, text, messages.SUCCESS)
    following = _next_url(model_admin, request, conflict) if "_next" in request.POST else ""
    return HttpResponseRedirect(following or _queue(request))


def _next_url(model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict) -> str:
    """Return the address of the next conflict of the list; empty when there is none."""
    following = _next(model_admin, request, conflict)
    if following is None:
        return ""
    filters = urlencode({FILTERS: request.GET[FILTERS]}) if FILTERS in request.GET else ""
    return f"{page_of(following)}?{filters}{TOP}"


def _queue(request: HttpRequest) -> str:
    """Return the address of the list, with the filters that it had when staff left it."""
    queue, filters = reverse("admin:registry_conflict_changelist"), request.GET.get(FILTERS, "")
    return f"{queue}?{filters}" if filters else queue


def _next(model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict) -> Conflict | None:
    """Return the next conflict of the list from which this one was opened, or the first one of the list.

    Those that wait for a day that has not come are passed over.
    """
    try:
        rows = listed(model_admin, request, request.GET.get(FILTERS, ""))
    except BadSelection:
        return None
    queue = model_admin.acted_on(request, rows)
    queue = queue.filter(closed_by=None).exclude(pk=conflict.pk)
    queue = follow_ups.without_waiting(queue, localdate(clock.now()))
    ascending = queue.query.order_by[:1] == ("pk",)
    after = queue.filter(pk__gt=conflict.pk) if ascending else queue.filter(pk__lt=conflict.pk)
    return after.first() or queue.first()


def _page(
    model_admin: ScopedAdmin, request: HttpRequest, conflict: Conflict, form: DecisionForm, result: FormResult
) -> HttpResponse:
    seen = model_admin.seen(request)
    is_open = conflict.closed_by_id is None
    replaced = later_decisions(conflict) if conflict.decision else []
    more = similar_conflicts(conflict).exclude(pk=conflict.pk)
    adjusted_for = model_admin.acted_for(request) if request.user.has_perm(PERMISSION) else NOBODY
    context = {
        "trail": [(_queue(request), "Conflicts")],
        **model_admin.page_context(request, conflict),
        **journal_of(model_admin, request, conflict),
        "conflict": conflict,
        "connection": link(conflict.connection),
        "days": periods.in_words(conflict.period),
        "age": age(conflict.opened_by.moment, clock.now()),
        "opened": moment(conflict.opened_by.moment),
        "closed": moment(conflict.closed_by.moment if conflict.closed_by else None),
        "decided": decided(conflict),
        "decided_together": _decided_together(conflict),
        "reference": link(conflict.closed_by, f"decision {conflict.closed_by_id}")
        if conflict.closed_by
        else "",
        "told": told_of(conflict.closed_by, seen) if conflict.decision else [],
        "open": [] if is_open else conflict_page.open_between(conflict),
        "replaced_by": list(conflict.replaced_by.order_by("pk")),
        "later_decisions": replaced,
        "next_url": _next_url(model_admin, request, conflict) if is_open else "",
        "decides": True,
        "splits": "at" in form.fields,
        "more": count_in_words(more) if is_open else "0",
        "together": settle_url(like=str(conflict.pk)),
        "sides": conflict_page.sides(conflict, seen=seen, adjusted_for=adjusted_for),
        "timeline": timeline.of_connection(
            conflict.connection, today=market_today(), scope=seen, conflict=conflict
        ),
        "others": conflict_page.other_claims(conflict, seen=seen),
        "earlier": conflict_page.other_decisions(conflict),
        "decidable": is_open or (conflict.decision and not replaced),
        "why_not": why_not(model_admin, request, conflict.holder, conflict.claimant),
        "anew": not is_open,
        "form": form,
        "errors": None,
        "result": result,
        "before": "Choose a decision to see the consequences.",
        "button": "Settle" if is_open else "Decide again",
        "onward": is_open,
        "live": True,
        "preview": reverse("admin:registry_conflict_preview", args=[conflict.pk]),
        "back": _queue(request),
    }
    title = f"Conflict {conflict.pk}"
    return model_admin.page(request, "admin/registry/conflict_page.html", title, **context)


def _decided_together(conflict: Conflict) -> str:
    """Return that the conflict was one of several of a decision, with a link to the whole; empty if it was not."""
    if conflict.closed_by is None or not conflict.decision:
        return ""
    number = decided_conflicts(conflict.closed_by).count()
    if number == 1:
        return ""
    whole = link(conflict.closed_by, "the whole decision")
    return format_html("It was one of {} conflicts that were decided together: see {}.", f"{number:,}", whole)


def _decision_text(conflict: Conflict, latest: list[Conflict]) -> str:
    """Return a message on the latest decision about a conflict, with its number when it is another conflict."""
    if conflict in latest:
        (settled,) = (each for each in latest if each == conflict)
        return format_html("{} is settled: {}.", link(settled, f"Conflict {settled.pk}"), decided(settled))
    return format_html(
        "{} is decided again: {}. The new decision is conflict {}.",
        link(conflict, f"Conflict {conflict.pk}"),
        "; ".join(dict.fromkeys(decided(each) for each in latest)),
        format_html_join(" and ", "{}", ((link(each, str(each.pk)),) for each in latest)),
    )


def page_of(conflict: Conflict) -> str:
    """Return the address of a conflict's page."""
    return reverse("admin:registry_conflict_change", args=[conflict.pk])


PAGES = (
    Page("<path:object_id>/preview/", "preview", preview_view),
    Page(CHANGE, "change", conflict_view),
)
