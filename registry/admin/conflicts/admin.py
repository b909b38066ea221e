"""The operator's screens for conflicts: the queue, and one of them with what can be decided about it."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from common import clock
from participants.admin_base.html import count_in_words, link, moment
from participants.admin_base.scalable import ReadOnlyAdmin
from participants.scope import NOBODY
from registry import periods
from registry.admin.conflicts import page as conflict_page
from registry.admin.conflicts.bulk import BadSelection, BulkSettlement, settling
from registry.admin.conflicts.filters import (
    DecisionFilter,
    OpenedFilter,
    OpenFilter,
    PartyFilter,
    PointFilter,
    age,
)
from registry.admin.conflicts.forms import DecisionForm, decided
from registry.admin.facts.adjust import RIGHT
from registry.admin.facts.base import EXPORTED_DAYS, by_change
from registry.admin.previewed_forms import Attempt, Verb, attempted, fragment, rehearsed, this_day
from registry.changes import Source
from registry.charts import timeline
from registry.decisions.history import latest_decision, replacing
from registry.decisions.reversal import of_run
from registry.decisions.settle import alike, settle, settle_anew
from registry.models import Conflict

TOP = "#content-start"
"""Where a page begins; browsers would otherwise go to the place at which the form was."""

FILTERS = "_changelist_filters"
"""What Django's admin calls the filters of the list that a page was reached from."""


@admin.register(Conflict)
class ConflictAdmin(ReadOnlyAdmin, BulkSettlement):
    scope_by = ("holder", "claimant")
    linked_lookups = ("opened_by__id__exact", "closed_by__id__exact")
    list_display = (
        "number",
        "kind",
        "connection",
        "holder",
        "claimant",
        "days",
        "age",
        "outcome",
    )
    export_display = (
        "number",
        "kind",
        ("Connection", "connection.address"),
        ("Holder", "holder.domain"),
        ("Claimant", "claimant.domain"),
        *EXPORTED_DAYS,
        ("Opened", "opened_by.moment"),
        ("Closed", "closed_by.moment"),
        "decision",
        ("Split at", "split_at"),
    )
    list_select_related = ("connection", "holder", "claimant", "opened_by", "closed_by")
    list_filter = (
        OpenFilter,
        "kind",
        DecisionFilter,
        PartyFilter,
        PointFilter,
        ("opened_by__moment", OpenedFilter),
    )
    search_fields = ("pk__exact", "connection__address__startswith")
    search_help_text = "A conflict's number, or the beginning of a connection's entity address"
    sortable_by = ("number", "age")

    class Media:
        css = {"all": ("cro_project/decisions.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conflict]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Open conflicts have an age, closed ones an outcome."""
        closed = request.GET.get("state") in ("closed", "all") or "decision" in request.GET
        left_out = "age" if closed else "outcome"
        return tuple(name for name in self.list_display if name != left_out)

    def audit_changes(self, row: Conflict) -> list[int]:
        """Those that opened and closed it, and those by which it was decided anew."""
        later = row.replaced_by.values_list("closed_by_id", flat=True)
        numbers = {row.opened_by_id, row.closed_by_id, *later}
        return sorted(number for number in numbers if number is not None)

    @admin.display(description="number", ordering="pk")
    def number(self, conflict: Conflict) -> str:
        return str(conflict.pk)

    @admin.display(description="contested days")
    def days(self, conflict: Conflict) -> str:
        return periods.in_words(conflict.period)

    @admin.display(description="age", ordering="-pk")
    def age(self, conflict: Conflict) -> str:
        opened = conflict.opened_by.moment
        return format_html('<span title="{}">{}</span>', moment(opened), age(opened, clock.now()))

    @admin.display(description="outcome")
    def outcome(self, conflict: Conflict) -> str:
        if conflict.closed_by is None:
            return "Open"
        said = conflict.get_decision_display() or "No decision"
        return format_html('{} <div class="quiet">{}</div>', said, by_change(conflict.closed_by))

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "<path:object_id>/preview/",
            self.admin_site.admin_view(self.preview_view),
            name="registry_conflict_preview",
        )
        return [*self.bulk_urls(), preview, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one conflict; sent back with a decision, it settles the conflict."""
        conflict: Conflict = self.row_or_404(request, object_id)
        if request.method != "POST":
            return self._page(request, conflict, self._form(conflict), Attempt())
        if why_not := self.why_not(request, conflict.holder, conflict.claimant):
            raise PermissionDenied(why_not)
        form = self._form(conflict, request.POST)
        if not form.is_valid():
            return self._page(request, conflict, form, self._foreseen(request, conflict))
        attempt = attempted(request, self._verb(request, conflict, form), form.why)
        if attempt.change is None and not self._is_done_already(request, conflict, form):
            conflict = self.row_or_404(request, object_id)
            return self._page(request, conflict, form, attempt)
        return self._on_success(request, conflict)

    def preview_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the decision in the form would bring about, as a piece of the page."""
        conflict: Conflict = self.row_or_404(request, object_id)
        if why_not := self.why_not(request, conflict.holder, conflict.claimant):
            raise PermissionDenied(why_not)
        if request.method != "POST":
            return HttpResponseRedirect(page_of(conflict))
        return fragment(request, self._foreseen(request, conflict))

    def _form(self, conflict: Conflict, *data: Any, rehearsing: bool = False) -> DecisionForm:
        return DecisionForm(
            *data,
            holder=conflict.holder,
            claimant=conflict.claimant,
            days=conflict.period,
            rehearsing=rehearsing,
        )

    def _foreseen(self, request: HttpRequest, conflict: Conflict) -> Attempt:
        """What the decision sent would bring about, with or without its reason; or what it lacks."""
        form = self._form(conflict, request.POST, rehearsing=True)
        if not form.is_valid():
            return Attempt(hint=form.what_is_missing)
        return rehearsed(request, self._verb(request, conflict, form), form.why)

    def _verb(self, request: HttpRequest, conflict: Conflict, form: DecisionForm) -> Verb:
        decide = settle_anew if request.POST.get("anew") else settle
        decision, at = form.cleaned_data["decision"], form.day

        def verb(source: Source, today: date, expected: str | None) -> int:
            return decide(conflict.pk, decision, at=at, source=source, today=today, expected=expected)

        return verb

    def _is_done_already(self, request: HttpRequest, conflict: Conflict, form: DecisionForm) -> bool:
        """Whether this member of staff decided exactly this and nobody anything since: a form that was sent twice."""
        latest, anew = latest_decision(conflict), bool(request.POST.get("anew"))
        by, reason, decision = request.user.get_username(), form.why, form.cleaned_data["decision"]
        return bool(latest) and all(
            (row.replaces_id if anew else row.pk) == conflict.pk
            and (row.decided_by, row.reason) == (by, reason)
            and (row.decision, row.split_at) == of_run(row.period, decision, form.day)
            for row in latest
        )

    def _on_success(self, request: HttpRequest, conflict: Conflict) -> HttpResponse:
        """Back to the queue, or on to the next conflict in it, saying what was decided."""
        said = _said(conflict, latest_decision(conflict))
        self.message_user(request, said, messages.SUCCESS)
        following = self._next(request, conflict) if "_next" in request.POST else None
        if following is None:
            return HttpResponseRedirect(self._queue(request))
        filters = urlencode({FILTERS: request.GET[FILTERS]}) if FILTERS in request.GET else ""
        return HttpResponseRedirect(f"{page_of(following)}?{filters}{TOP}")

    def _queue(self, request: HttpRequest) -> str:
        """The queue, filtered as it was when staff left it for the page that they are on."""
        queue, filters = reverse("admin:registry_conflict_changelist"), request.GET.get(FILTERS, "")
        return f"{queue}?{filters}" if filters else queue

    def _next(self, request: HttpRequest, conflict: Conflict) -> Conflict | None:
        """The conflict that comes after this one in the queue that it was opened from, or the queue's first."""
        try:
            listed = self.listed(request, request.GET.get(FILTERS, ""))
        except BadSelection:
            return None
        queue = self.acted_on(request, listed)
        queue = queue.filter(closed_by=None).exclude(pk=conflict.pk)
        ascending = queue.query.order_by[:1] == ("pk",)
        after = queue.filter(pk__gt=conflict.pk) if ascending else queue.filter(pk__lt=conflict.pk)
        return after.first() or queue.first()

    def _page(
        self, request: HttpRequest, conflict: Conflict, form: DecisionForm, attempt: Attempt
    ) -> HttpResponse:
        seen = self.seen(request)
        is_open = conflict.closed_by_id is None
        replaced = replacing(conflict) if conflict.decision else []
        more = alike(conflict).exclude(pk=conflict.pk)
        adjusted_for = self.acted_for(request) if request.user.has_perm(RIGHT) else NOBODY
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Conflict {conflict.pk}",
            "trail": [(self._queue(request), "Conflicts")],
            "audit_trail": self._audit_trail(request, conflict),
            "conflict": conflict,
            "connection": link(conflict.connection),
            "days": periods.in_words(conflict.period),
            "age": age(conflict.opened_by.moment, clock.now()),
            "opened": moment(conflict.opened_by.moment),
            "closed": moment(conflict.closed_by.moment if conflict.closed_by else None),
            "decided": decided(conflict),
            "open": [] if is_open else conflict_page.open_between(conflict),
            "replaced_by": list(conflict.replaced_by.order_by("pk")),
            "replacing": replaced,
            "more": count_in_words(more) if is_open else "0",
            "together": settling(like=str(conflict.pk)),
            "sides": conflict_page.sides(conflict, seen=seen, adjusted_for=adjusted_for),
            "timeline": timeline.of_connection(
                conflict.connection, today=this_day(), scope=seen, conflict=conflict
            ),
            "others": conflict_page.other_claims(conflict, seen=seen),
            "earlier": conflict_page.other_decisions(conflict),
            "decidable": is_open or (conflict.decision and not replaced),
            "why_not": self.why_not(request, conflict.holder, conflict.claimant),
            "anew": not is_open,
            "form": form,
            "attempt": attempt,
            "before": "Choose a decision to see what would follow from it.",
            "button": "Settle" if is_open else "Decide anew",
            "onward": is_open,
            "live": True,
            "preview": reverse("admin:registry_conflict_preview", args=[conflict.pk]),
            "back": self._queue(request),
        }
        return TemplateResponse(request, "admin/registry/conflict_page.html", context)


def _said(conflict: Conflict, latest: list[Conflict]) -> str:
    """What was decided by the latest decision about a conflict, and which number it has where that is another one."""
    if conflict in latest:
        (settled,) = (each for each in latest if each == conflict)
        return format_html("{} is settled: {}.", link(settled, f"Conflict {settled.pk}"), decided(settled))
    return format_html(
        "{} is decided anew: {}. The decision has the number {}.",
        link(conflict, f"Conflict {conflict.pk}"),
        "; ".join(dict.fromkeys(decided(each) for each in latest)),
        format_html_join(" and ", "{}", ((link(each, str(each.pk)),) for each in latest)),
    )


def page_of(conflict: Conflict) -> str:
    return reverse("admin:registry_conflict_change", args=[conflict.pk])
