"""Settle many conflicts between the same two parties by one change.

The address of the page selects the conflicts: `like` (the open conflicts of the same kind and parties that the same
message opened), `ids` (selected one by one), or `list` (all open ones of a filtered list). When the selection has
several pairs of parties, `pair` selects one of them.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from participants.admin_base.html import link, moment
from participants.admin_base.pages import Page, may_view
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from registry import periods
from registry.admin.conflicts.forms import DecisionForm
from registry.admin.conflicts.pairs import MAX_PAIRS, Pair, decision_message, pairs_in
from registry.admin.previewed_forms import (
    MAX_LIVE_PREVIEW,
    TOO_MANY,
    FormResult,
    Verb,
    preview_form,
    preview_fragment,
    submit_form,
)
from registry.changes import Source
from registry.decisions.settle import settle_many, similar_conflicts
from registry.models import Change, Conflict
from registry.queries.change_sources import source_name

PERMISSION = "registry.settle_conflict"

MAX_SELECTED = 1_000
"""At most this many conflicts may be selected one by one."""

MAX_LISTED = 50
"""At most this many of the conflicts are named on the page."""

NONE_OPEN = (
    "None of these conflicts is open any more: somebody has settled them, or the claims changed so that nothing"
    " is left to settle."
)
FILTERS = "_changelist_filters"
"""The query parameter in which Django's admin keeps the filters of the list that a page was opened from."""

SETTLE_URLS = ("registry_conflict_settle", "registry_conflict_settle_preview")
"""The names of the pages in URLs."""
IDS = re.compile(r"\d{1,18}(,\d{1,18})*")
PAIR = re.compile(r"(representation|membership)-(\d{1,18})-(\d{1,18})")


class BadSelection(ValueError):
    """The address does not select conflicts; the message says what staff can do."""


def may_settle(model_admin: ScopedAdmin, request: HttpRequest) -> bool:
    """Return whether this member of staff may view and settle conflicts."""
    return may_view(model_admin, request) and request.user.has_perm(PERMISSION)


def why_not(model_admin: ScopedAdmin, request: HttpRequest, *parties: Participant) -> str:
    """Return why this member of staff may not settle conflicts between `parties`; empty when they may."""
    if not request.user.has_perm(PERMISSION):
        return "You may look at this; settling conflicts is a right that you do not have."
    if not model_admin.may_act(request, *parties):
        return "You may look at this; settling it needs the right to act for both parties."
    return ""


def listed(model_admin: ScopedAdmin, request: HttpRequest, query: str) -> QuerySet[Conflict]:
    """Return the rows of the list with the filters, search and order of a query string.

    Raises:
        BadSelection: The list has no such filters.
    """
    own = request.GET
    request.GET = QueryDict(query)
    try:
        return model_admin.get_changelist_instance(request).get_queryset(request)
    except (IncorrectLookupParameters, SuspiciousOperation) as error:
        raise BadSelection("The list cannot be filtered like that. Choose the conflicts again.") from error
    finally:
        request.GET = own


@admin.action(description="Settle together", permissions=["settle"])
def settle_together(
    model_admin: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Conflict]
) -> HttpResponse | None:
    """Open the page that settles the selected conflicts."""
    if request.POST.get("select_across") == "1":
        return HttpResponseRedirect(settle_url(list=request.GET.urlencode()))
    ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MAX_SELECTED + 1])
    if not ids:
        model_admin.message_user(
            request, "You may not act for both parties of any of these conflicts.", messages.ERROR
        )
        return None
    if len(ids) > MAX_SELECTED:
        model_admin.message_user(
            request, f"Choose at most {MAX_SELECTED:,} by hand, or all of a list.", messages.ERROR
        )
        return None
    if len(ids) == 1:
        return HttpResponseRedirect(conflict_url(model_admin, ids[0], request.GET.urlencode()))
    return HttpResponseRedirect(settle_url(ids=",".join(map(str, ids))))


def settle_many_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show the page that settles many conflicts; a POST with a decision settles them."""
    try:
        rows = _chosen(model_admin, request)
    except BadSelection as error:
        return _to_queue(model_admin, request, str(error), messages.ERROR)
    pairs = pairs_in(rows)
    if not pairs:
        return _to_queue(model_admin, request, NONE_OPEN, messages.WARNING)
    if len(pairs) > 1:
        return _pairs_page(model_admin, request, pairs)
    pair = pairs[0]
    if request.method != "POST":
        return _many_page(model_admin, request, rows, pair, _many_form(pair), FormResult())
    if reason := why_not(model_admin, request, pair.holder, pair.claimant):
        raise PermissionDenied(reason)
    form = _many_form(pair, request.POST)
    if not form.is_valid():
        result = _preview_of(request, rows, pair) if pair.number <= MAX_LIVE_PREVIEW else FormResult()
        return _many_page(model_admin, request, rows, pair, form, result)
    result = submit_form(request, _many_verb(rows, form), form.why)
    if result.change is None:
        return _many_page(model_admin, request, rows, pair, form, result)
    return _to_queue(model_admin, request, decision_message(result.change, pair, form), messages.SUCCESS)


def settle_many_preview(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Return the consequences of the decision in the form, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(f"{settle_url()}?{request.GET.urlencode()}")
    try:
        rows = _chosen(model_admin, request)
    except BadSelection as error:
        return preview_fragment(request, FormResult(error=str(error)))
    pairs = pairs_in(rows)
    if len(pairs) != 1:
        return preview_fragment(request, FormResult(error=NONE_OPEN))
    pair = pairs[0]
    if reason := why_not(model_admin, request, pair.holder, pair.claimant):
        raise PermissionDenied(reason)
    if pair.number > MAX_LIVE_PREVIEW:
        return preview_fragment(request, FormResult(hint=TOO_MANY))
    return preview_fragment(request, _preview_of(request, rows, pair))


def _preview_of(request: HttpRequest, rows: QuerySet[Conflict], pair: Pair) -> FormResult:
    """Return the consequences of the decision in the form, with or without a reason; or what the form lacks."""
    form = _many_form(pair, request.POST, previewing=True)
    if not form.is_valid():
        return FormResult(hint=form.missing_fields_text)
    return preview_form(request, _many_verb(rows, form), form.why)


def _chosen(model_admin: ScopedAdmin, request: HttpRequest) -> QuerySet[Conflict]:
    """Return the open conflicts in scope that the address selects; raise BadSelection when it selects none."""
    query = request.GET
    mine = model_admin.get_queryset(request)
    if "like" in query:
        first = model_admin.get_object(request, query["like"])
        if first is None:
            raise BadSelection("There is no such conflict. Choose the conflicts in the list.")
        rows = mine.filter(pk__in=similar_conflicts(first).values("pk"))
    elif "ids" in query:
        if not IDS.fullmatch(query["ids"]) or query["ids"].count(",") >= MAX_SELECTED:
            raise BadSelection(f"Choose between one and {MAX_SELECTED:,} conflicts in the list.")
        rows = mine.filter(pk__in=query["ids"].split(","))
    elif "list" in query:
        rows = listed(model_admin, request, query["list"])
    else:
        raise BadSelection("Choose the conflicts that are to be settled together in the list.")
    if "pair" in query:
        pair = PAIR.fullmatch(query["pair"])
        if not pair:
            raise BadSelection("The address does not name two parties. Choose the conflicts in the list.")
        rows = rows.filter(kind=pair[1], holder=pair[2], claimant=pair[3])
    return rows.filter(closed_by=None).select_related(None).order_by()


def _many_form(pair: Pair, *data: Any, previewing: bool = False) -> DecisionForm:
    return DecisionForm(*data, holder=pair.holder, claimant=pair.claimant, days=None, previewing=previewing)


def _many_verb(rows: QuerySet[Conflict], form: DecisionForm) -> Verb:
    decision, at = form.cleaned_data["decision"], form.day

    def verb(source: Source, today: date, expected: str | None) -> int:
        return settle_many(rows.all(), decision, at=at, source=source, today=today, expected=expected)

    return verb


def _to_queue(model_admin: ScopedAdmin, request: HttpRequest, text: str, level: int) -> HttpResponse:
    model_admin.message_user(request, text, level)
    return HttpResponseRedirect(_queue_of(request))


def _queue_of(request: HttpRequest) -> str:
    queue, filters = reverse("admin:registry_conflict_changelist"), request.GET.get("list", "")
    return f"{queue}?{filters}" if filters else queue


def _source(model_admin: ScopedAdmin, request: HttpRequest) -> str:
    """Return what opened the conflicts when the address selects those of one message; otherwise an empty text."""
    first = model_admin.get_object(request, request.GET["like"]) if "like" in request.GET else None
    if first is None:
        return ""
    changes = Change.objects.select_related("message__sender").defer("message__sealed")
    change = changes.get(pk=first.opened_by_id)
    text = f"{source_name(change)}, {moment(change.moment)}"
    return link(change.message or change, text) if first.claimant in model_admin.seen(request) else text


def _pairs_page(model_admin: ScopedAdmin, request: HttpRequest, pairs: list[Pair]) -> HttpResponse:
    rows = [
        {
            "pair": pair,
            "why_not": why_not(model_admin, request, pair.holder, pair.claimant),
            "url": settle_url(**{**request.GET.dict(), "pair": pair.key})
            if pair.number > 1
            else conflict_url(model_admin, pair.first, request.GET.get("list", "")),
        }
        for pair in pairs[:MAX_PAIRS]
    ]
    return model_admin.page(
        request,
        "admin/registry/conflict_pairs.html",
        "Settle conflicts together",
        rows=rows,
        left_out=len(pairs) > MAX_PAIRS,
    )


def _many_page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    rows: QuerySet[Conflict],
    pair: Pair,
    form: DecisionForm,
    result: FormResult,
) -> HttpResponse:
    seen, live = model_admin.seen(request), pair.number <= MAX_LIVE_PREVIEW
    context = {
        "pair": pair,
        "listed": [
            (link(each), link(each.connection), periods.in_words(each.period))
            for each in rows.select_related("connection").order_by("pk")[:MAX_LISTED]
        ],
        "more": max(pair.number - MAX_LISTED, 0),
        "holder": link(pair.holder) if pair.holder in seen else pair.holder,
        "claimant": link(pair.claimant) if pair.claimant in seen else pair.claimant,
        "source": _source(model_admin, request),
        "why_not": why_not(model_admin, request, pair.holder, pair.claimant),
        "form": form,
        "errors": None,
        "result": result,
        "before": "Choose a decision to see the consequences."
        if live
        else "Choose a decision and give a reason, then look at the consequences.",
        "button": f"Settle {pair.words}" if live or result.consequences else "Show the consequences",
        "live": live,
        "decides": True,
        "splits": True,
        "preview": f"{reverse('admin:registry_conflict_settle_preview')}?{request.GET.urlencode()}",
        "back": _queue_of(request),
    }
    return model_admin.page(request, "admin/registry/conflict_settle.html", pair.title, **context)


def conflict_url(model_admin: ScopedAdmin, pk: int, filters: str) -> str:
    """Return the address of the page of a conflict, opened from the list with a query string of filters."""
    page = model_admin.url_to("change", pk)
    return f"{page}?{urlencode({FILTERS: filters})}" if filters else page


def settle_url(**query: str) -> str:
    """Return the address of the page that settles the conflicts selected by `query`."""
    page = reverse("admin:registry_conflict_settle")
    return f"{page}?{urlencode(query)}" if query else page


# These come before the addresses in which any text may be the number of a conflict.
PAGES = (
    Page("settle/", "settle", settle_many_view),
    Page("settle/preview/", "settle_preview", settle_many_preview, may=may_settle),
)
