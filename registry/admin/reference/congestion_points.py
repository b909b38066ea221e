"""The operator's screens of congestion points: the list by coverage, and one of them with what lies behind it."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.text import slugify

from common import clock
from common.csv.writer import respond
from common.display import NOTHING
from participants.admin_base.filters import DSOFilter
from participants.admin_base.html import lines, link, moment
from participants.admin_base.scalable import ReadOnlyAdmin
from registry.admin.facts.adjust import RIGHT, adjusting
from registry.admin.facts.base import by_change, current_first
from registry.admin.facts.terms import terms_in_words
from registry.admin.reference.autocomplete import SuggestingAdmin
from registry.admin.time_forms import OnDayForm
from registry.charts.lanes import Bar, Group, Lane
from registry.charts.lanes_svg import draw
from registry.market.market import market, today_at
from registry.models import (
    CongestionPoint,
    CongestionPointCoverage,
    CongestionPointTerms,
    Coverage,
    CoverageState,
)
from registry.periods import in_words
from registry.queries import point_members

AT_ONCE = 100
"""Connections on a page, and terms."""


class CoverageFilter(admin.SimpleListFilter):
    """Congestion points by the share of their connections that an AGR represents."""

    title = "connections represented"
    parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(band.value), str(band.label)) for band in Coverage]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        known = {str(band.value) for band in Coverage}
        return queryset.filter(coverage__band=int(asked)) if asked in known else queryset


class CountedPages(Paginator[Any]):
    """Pages of rows whose number is known."""

    def __init__(self, rows: QuerySet[Any], per_page: int, *, count: int) -> None:
        super().__init__(rows, per_page)
        self._known = count

    @cached_property
    def count(self) -> int:
        return self._known


@admin.register(CongestionPoint)
class CongestionPointAdmin(ReadOnlyAdmin, SuggestingAdmin):
    scope_by = ("dso",)
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
    search_help_text = "The beginning of an entity address"
    change_list_template = "admin/registry/congestion_points.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[CongestionPoint]:
        current = CongestionPointTerms.objects.current().order_by("period")
        return super().get_queryset(request).prefetch_related(Prefetch("terms", current, "current_terms"))

    @admin.display(description="DSO")
    def operator(self, point: CongestionPoint) -> str:
        return link(point.dso)

    @admin.display(description="current terms")
    def terms(self, point: CongestionPoint) -> str:
        current: list[CongestionPointTerms] = getattr(point, "current_terms", [])
        return lines(f"{in_words(terms.period)}: {terms_in_words(terms)}" for terms in current)

    @admin.display(description="connections")
    def connections(self, point: CongestionPoint) -> str:
        counted = _counted(point)
        return f"{counted.connections:,}" if counted else NOTHING

    @admin.display(description="represented")
    def represented(self, point: CongestionPoint) -> str:
        counted = _counted(point)
        return f"{counted.represented:,}" if counted else NOTHING

    @admin.display(description="share")
    def share(self, point: CongestionPoint) -> str:
        return _share(point)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        state = CoverageState.objects.first()
        counted = {"coverage_day": state.day, "coverage_counted": moment(state.counted_at)} if state else {}
        return super().changelist_view(request, {**counted, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path(
                "<path:object_id>/connections.csv",
                guarded(self.connections_csv),
                name="registry_congestionpoint_connections_csv",
            ),
            path(
                "<path:object_id>/aggregators.csv",
                guarded(self.aggregators_csv),
                name="registry_congestionpoint_aggregators_csv",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one congestion point; `on` says for which day."""
        point: CongestionPoint = self.row_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        today = _today()
        form = OnDayForm(request, today=today)
        day = form.day
        here = point_members.terms_on(point, day)
        seen = self.seen(request)
        total, aggregators = point_members.aggregators(point, day, seen) if here else (0, [])
        page = CountedPages(point_members.memberships(point, day), AT_ONCE, count=total).get_page(
            request.GET.get("page", "1")
        )
        may_adjust = request.user.has_perm(RIGHT) and self.may_act(request, point.dso)
        history = CongestionPointTerms.objects.filter(congestion_point=point)
        rows = list(current_first(history)[: AT_ONCE + 1])
        asked = urlencode({"on": day})
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Congestion point {point.address}",
            "trail": [(reverse("admin:registry_congestionpoint_changelist"), "Congestion points")],
            "point": point,
            "dso": link(point.dso),
            "form": form,
            "errors": form.errors,
            "day": day,
            "is_today": day == today,
            "here": terms_in_words(here) if here else "",
            "total": total,
            "waiting": point_members.waiting(point, day),
            "aggregators": aggregators,
            "page": page,
            "connections": [_connection(row, seen) for row in page.object_list] if here else [],
            "picture": _picture(point, rows, today),
            "terms": [
                {
                    "days": link(row, in_words(row.period)),
                    "terms": terms_in_words(row),
                    "recorded": by_change(row.recorded_by),
                    "superseded": by_change(row.superseded_by) if row.superseded_by else "",
                    "adjust_url": adjusting(row) if may_adjust and not row.superseded_by_id else "",
                }
                for row in rows[:AT_ONCE]
            ],
            "more_terms": len(rows) > AT_ONCE,
            "asked": f"{asked}&",
            "connections_csv": f"{self._file(point, 'connections')}?{asked}",
            "aggregators_csv": f"{self._file(point, 'aggregators')}?{asked}",
        }
        return TemplateResponse(request, "admin/registry/congestion_point.html", context)

    def connections_csv(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """The connections behind the congestion point on the day `on`, with the AGR that is active at each."""
        point, day = self._asked(request, object_id)
        headings = ("Connection", "First day", "Last day", "AGR", "AGR's first day", "AGR's last day")
        rows = point_members.as_lines(point, day, self.seen(request))
        return respond(f"{_name(point, day)}-connections.csv", headings, rows)

    def aggregators_csv(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Who is active behind the congestion point on the day `on`, at how many of its connections."""
        point, day = self._asked(request, object_id)
        here = point_members.terms_on(point, day)
        _, told = point_members.aggregators(point, day, self.seen(request)) if here else (0, [])
        rows = [
            (
                "" if each.name == point_members.NOBODY_ACTIVE else each.name,
                each.connections,
                _number(each.share),
            )
            for each in told
        ]
        return respond(f"{_name(point, day)}-aggregators.csv", ("AGR", "Connections", "Share (%)"), rows)

    def _asked(self, request: HttpRequest, object_id: str) -> tuple[CongestionPoint, date]:
        point: CongestionPoint = self.row_or_404(request, object_id)
        form = OnDayForm(request, today=_today())
        if form.errors:
            raise Http404
        return point, form.day

    def _file(self, point: CongestionPoint, what: str) -> str:
        return reverse(f"admin:registry_congestionpoint_{what}_csv", args=[point.pk])


def _connection(row: Any, seen: Any) -> dict[str, Any]:
    agr = point_members.name_of(row.active_agr, row.active_domain, seen)
    told = row.active_agr is not None and row.active_agr in seen
    return {
        "connection": link(row.connection),
        "days": link(row, in_words(row.period)),
        "agr": agr or NOTHING,
        "agr_days": in_words(row.active_period) if told else "",
    }


def _picture(point: CongestionPoint, rows: list[CongestionPointTerms], today: date) -> Any:
    """The current terms over time."""
    bars = tuple(
        Bar(
            row.period,
            "terms",
            terms_in_words(row),
            f"{in_words(row.period)}: {terms_in_words(row)}",
            reverse("admin:registry_congestionpointterms_change", args=[row.pk]),
        )
        for row in sorted(rows, key=lambda row: row.period.lower)
        if row.superseded_by_id is None
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
    return point_members.percent(counted.represented, counted.connections) if counted else NOTHING


def _number(percent: str) -> str:
    """`33.3` of `33.3 %`."""
    return percent.removesuffix(" %")


def _name(point: CongestionPoint, day: date) -> str:
    """The beginning of a file's name."""
    return f"{slugify(point.address.replace(':', '-').replace('.', '-'))[:80]}-{day}"


def _today() -> date:
    return today_at(clock.now(), market().time_zone)
