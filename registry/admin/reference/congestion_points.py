"""The list of congestion points with their coverage, and the page of one with its connections."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import slugify

from common import clock
from common.csv.writer import csv_response
from common.display import PLACEHOLDER
from common.search import FieldCondition, by
from participants.admin_base.filters import DSOFilter
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.pages import CHANGE, Page, may_read
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import of_parties
from registry.admin.facts.adjust import PERMISSION, adjust_url
from registry.admin.facts.base import by_change, current_first
from registry.admin.facts.terms import terms_in_words
from registry.admin.reference.autocomplete import SUGGEST, SuggestingAdmin
from registry.admin.reference.filters import CoverageFilter
from registry.admin.time_forms import KnownForm, first_record
from registry.charts.lanes import Bar, Group, Lane
from registry.charts.lanes_svg import draw
from registry.market.market import market, today_at
from registry.models import (
    CongestionPoint,
    CongestionPointCoverage,
    CongestionPointTerms,
    CoverageState,
)
from registry.periods import in_words
from registry.queries import addresses, point_members

MAX_ROWS = 100
"""At most this many connections, terms and endings are on a page."""


class CountedPaginator(Paginator[Any]):
    """Pages of rows whose number is already known."""

    def __init__(self, rows: QuerySet[Any], per_page: int, *, count: int) -> None:
        super().__init__(rows, per_page)
        self._known = count

    @cached_property
    def count(self) -> int:
        """Return the known number of rows."""
        return self._known


def congestion_point_page(
    model_admin: ScalableAdmin, request: HttpRequest, point: CongestionPoint
) -> HttpResponse:
    """Show the page of one congestion point.

    `on` selects the day; `known_day` and `known_time` select the moment at which the facts were known.
    """
    now = clock.now()
    today = today_at(now, market().time_zone)
    form = KnownForm(request, today=today, now=now)
    day, known_at = form.day, form.final_known_at()
    here = point_members.terms_on(point, day, known_at)
    seen = model_admin.seen(request)
    total, aggregators = point_members.aggregators(point, day, seen, known_at) if here else (0, [])
    members = point_members.memberships(point, day, known_at)
    page = CountedPaginator(members, MAX_ROWS, count=total).get_page(request.GET.get("page", "1"))
    may_adjust = request.user.has_perm(PERMISSION) and model_admin.may_act(request, point.dso)
    history = CongestionPointTerms.objects.filter(congestion_point=point)
    rows = list(current_first(history)[: MAX_ROWS + 1])
    chosen = {name: value for name, value in request.GET.items() if name in form.fields and value}
    parameters = urlencode({**chosen, "on": day})
    context = {
        "point": point,
        "dso": link(point.dso),
        "form": form,
        "day": day,
        "is_today": day == today,
        "known_at": moment(known_at) if known_at else "",
        "first_record": first_record(known_at, history),
        "chosen": chosen,
        "here": terms_in_words(here) if here else "",
        "total": total,
        "waiting": point_members.count_waiting(point, day, known_at),
        "aggregators": aggregators,
        "page": page,
        "connections": [_connection(row, seen) for row in page.object_list] if here else [],
        "chart": _chart(point, list(point_members.held(history, known_at)[:MAX_ROWS]), today),
        "terms": [
            {
                "days": link(row, in_words(row.period)),
                "terms": terms_in_words(row),
                "recorded": by_change(row.recorded_by),
                "superseded": by_change(row.superseded_by) if row.superseded_by else "",
                "adjust_url": adjust_url(row) if may_adjust and not row.superseded_by_id else "",
            }
            for row in rows[:MAX_ROWS]
        ],
        "more_terms": len(rows) > MAX_ROWS,
        "endings": _endings(point),
        "parameters": f"{parameters}&",
        "connections_csv": f"{model_admin.url_to('connections_csv', point.pk)}?{parameters}",
        "aggregators_csv": f"{model_admin.url_to('aggregators_csv', point.pk)}?{parameters}",
    }
    title = f"Congestion point {point.address}"
    return model_admin.page(request, "admin/registry/congestion_point.html", title, **context)


def connections_csv(
    model_admin: ScalableAdmin, request: HttpRequest, point: CongestionPoint
) -> StreamingHttpResponse:
    """Export the connections of the congestion point on the day `on`, each with its active AGR."""
    day, known_at = _form_day(request)
    headings = ("Connection", "First day", "Last day", "AGR", "AGR's first day", "AGR's last day")
    rows = point_members.csv_lines(point, day, model_admin.seen(request), known_at)
    return csv_response(f"{_name(point, day)}-connections.csv", headings, rows)


def aggregators_csv(
    model_admin: ScalableAdmin, request: HttpRequest, point: CongestionPoint
) -> StreamingHttpResponse:
    """Export the AGRs that represent connections of the congestion point on the day `on`, and how many."""
    day, known_at = _form_day(request)
    here, seen = point_members.terms_on(point, day, known_at), model_admin.seen(request)
    _, active = point_members.aggregators(point, day, seen, known_at) if here else (0, [])
    rows = [
        (
            "" if each.name == point_members.NOBODY_ACTIVE else each.name,
            each.connections,
            _number(each.share),
        )
        for each in active
    ]
    return csv_response(f"{_name(point, day)}-aggregators.csv", ("AGR", "Connections", "Share (%)"), rows)


def _form_day(request: HttpRequest) -> tuple[date, datetime | None]:
    """Return the day that a file is about, and the past moment at which it was known; None: the present."""
    now = clock.now()
    form = KnownForm(request, today=today_at(now, market().time_zone), now=now)
    if form.errors:
        raise Http404
    return form.day, form.final_known_at()


PAGES = (
    SUGGEST,
    Page(CHANGE, "change", congestion_point_page, may=may_read),
    Page("<path:object_id>/connections.csv", "connections_csv", connections_csv),
    Page("<path:object_id>/aggregators.csv", "aggregators_csv", aggregators_csv),
)


@admin.register(CongestionPoint)
class CongestionPointAdmin(ReadOnlyAdmin, SuggestingAdmin):
    """The list of congestion points, and their pages."""

    scope_by = ("dso",)
    linked_lookups = ("endings__recorded_by__id__exact", "endings__superseded_by__id__exact")
    list_display = ("address", "operator", "terms", "connections", "represented", "share")
    export_display = (
        "address",
        ("DSO", "dso.domain"),
        ("Connections", "coverage.connections"),
        ("Represented", "coverage.represented"),
        ("Share (%)", lambda point: _number(_share(point))),
        ("Counted for", "coverage.day"),
    )
    list_select_related = ("dso", "coverage")
    list_filter = (CoverageFilter, DSOFilter)
    search_fields = ("address__startswith",)
    search_help_text = "The beginning or the end of an entity address, or the DSO's domain"
    ordering = ("address", "pk")
    sortable_by = ("address",)
    change_list_template = "admin/registry/congestion_points.html"
    pages = PAGES

    def get_queryset(self, request: HttpRequest) -> QuerySet[CongestionPoint]:
        """Return congestion points with their current terms."""
        current = CongestionPointTerms.objects.current().order_by("period")
        return super().get_queryset(request).prefetch_related(Prefetch("terms", current, "current_terms"))

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions that the address begins or ends with the text, or that the text names the DSO."""
        seen = self.seen(request)
        return [*by("address", *addresses.similar_points("address", text)), *of_parties(text, seen, "dso")]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or super().lookup_allowed(lookup, value, request)

    @admin.display(description="DSO")
    def operator(self, point: CongestionPoint) -> str:
        """Return the DSO, as a link."""
        return link(point.dso)

    @admin.display(description="current terms")
    def terms(self, point: CongestionPoint) -> str:
        """Return the current terms, a line for each run of days."""
        current: list[CongestionPointTerms] = getattr(point, "current_terms", [])
        return one_per_line(f"{in_words(terms.period)}: {terms_in_words(terms)}" for terms in current)

    @admin.display(description="connections")
    def connections(self, point: CongestionPoint) -> str:
        """Return how many connections it had when it was last counted."""
        counted = _counted(point)
        return f"{counted.connections:,}" if counted else PLACEHOLDER

    @admin.display(description="represented")
    def represented(self, point: CongestionPoint) -> str:
        """Return how many of its connections an AGR represented when it was last counted."""
        counted = _counted(point)
        return f"{counted.represented:,}" if counted else PLACEHOLDER

    @admin.display(description="share")
    def share(self, point: CongestionPoint) -> str:
        """Return the share of its connections that an AGR represented."""
        return _share(point)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with the day and moment of the last count."""
        state = CoverageState.objects.first()
        counted = {"coverage_day": state.day, "coverage_counted": moment(state.counted_at)} if state else {}
        return super().changelist_view(request, {**counted, **(extra_context or {})})


def _connection(row: Any, seen: Any) -> dict[str, Any]:
    agr = point_members.aggregator_name(row.active_agr, row.active_domain, seen)
    visible = row.active_agr is not None and row.active_agr in seen
    return {
        "connection": link(row.connection),
        "days": link(row, in_words(row.period)),
        "agr": agr or PLACEHOLDER,
        "agr_days": in_words(row.active_period) if visible else "",
    }


def _endings(point: CongestionPoint) -> list[dict[str, Any]]:
    """Return the latest days on which a message ended the congestion point at once (docs/rules.md D5)."""
    rows = point.endings.select_related("recorded_by", "superseded_by").order_by("-day", "-pk")[:MAX_ROWS]
    return [
        {
            "day": row.day,
            "recorded": by_change(row.recorded_by),
            "superseded": by_change(row.superseded_by) if row.superseded_by else "",
        }
        for row in rows
    ]


def _chart(point: CongestionPoint, rows: list[CongestionPointTerms], today: date) -> Any:
    """Draw terms over time."""
    bars = tuple(
        Bar(
            row.period,
            "terms",
            terms_in_words(row),
            f"{in_words(row.period)}: {terms_in_words(row)}",
            reverse("admin:registry_congestionpointterms_change", args=[row.pk]),
        )
        for row in sorted(rows, key=lambda row: row.period.lower)
    )
    about = f"{len(bars)} runs of days. The table below says the same."
    return draw(
        f"Terms of congestion point {point.address}",
        about,
        [Group("Terms", (Lane(str(point), bars),) if bars else ())],
        today=today,
    )


def _counted(point: CongestionPoint) -> CongestionPointCoverage | None:
    return getattr(point, "coverage", None)


def _share(point: CongestionPoint) -> str:
    counted = _counted(point)
    return point_members.percent(counted.represented, counted.connections) if counted else PLACEHOLDER


def _number(percent: str) -> str:
    """Return a share without its sign: `33.3` for `33.3 %`."""
    return percent.removesuffix(" %")


def _name(point: CongestionPoint, day: date) -> str:
    """Return the beginning of a file's name."""
    return f"{slugify(point.address.replace(':', '-').replace('.', '-'))[:80]}-{day}"
