"""The list of connections, and the page of one on any day, as known at any moment."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from common import clock
from common.check_digits import right_check_digit
from common.identifiers import odd_character
from common.search import FieldCondition, by, matching, matching_by
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.pages import CHANGE, Page, may_read
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.scope import NOBODY
from registry.admin.facts.adjust import PERMISSION
from registry.admin.reference.autocomplete import SUGGEST, SuggestingAdmin
from registry.admin.reference.connection_page import (
    CLAIMS,
    Viewer,
    conflicts_of,
    facts_of,
    facts_on,
    history,
    next_claims,
)
from registry.admin.reference.filters import AGRTodayFilter, DSOTodayFilter, PointTodayFilter
from registry.admin.time_forms import KnownForm, first_record
from registry.charts import timeline
from registry.decisions.history import replaced_among
from registry.market.market import market, today_at
from registry.models import ClaimStanding, CongestionPointConnection, Connection, Representation
from registry.periods import in_words
from registry.queries import addresses, reference_search


def connection_page(model_admin: ScalableAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """Show the page of one connection.

    `on` selects the day; `known_day` and `known_time` select the moment at which the facts were known.
    """
    now = clock.now()
    today = today_at(now, market().time_zone)
    form = KnownForm(request, today=today, now=now)
    day, known_at = form.day, form.final_known_at()
    seen = model_admin.seen(request)
    viewer = Viewer.of(seen, model_admin.acted_for(request) if request.user.has_perm(PERMISSION) else NOBODY)
    representations, memberships = facts_on(connection, day, known_at, viewer)
    next_representations, next_memberships = next_claims(connection, day, known_at, viewer)
    page, past = history(connection, request.GET.get("page", "1"), viewer)
    conflicts = conflicts_of(connection, seen)
    replaced = replaced_among(conflicts)
    parameters = {name: value for name, value in request.GET.items() if name in form.fields and value}
    context = {
        "right_check_digit": right_check_digit(connection.address),
        "address": connection.address,
        "odd_character": odd_character(connection.address),
        "form": form,
        "day": day,
        "is_today": day == today,
        "known_at": moment(known_at) if known_at else "",
        "first_record": first_record(known_at, *facts_of(connection, seen)),
        "timeline": timeline.of_connection(connection, today=today, known_at=known_at, scope=seen),
        "representations": representations[:CLAIMS],
        "memberships": memberships[:CLAIMS],
        "more_claims": max(len(representations), len(memberships)) > CLAIMS,
        "next_representations": next_representations,
        "next_memberships": next_memberships,
        "limited": not seen.everyone,
        "conflicts": [(each, in_words(each.period), each in replaced) for each in conflicts],
        "all_conflicts": urlencode({"q": connection.address, "state": "all"}),
        "page": page,
        "parameters": f"{urlencode(parameters)}&" if parameters else "",
        "history": past,
    }
    title = f"Connection {connection.address}"
    return model_admin.page(request, "admin/registry/connection.html", title, **context)


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin, SuggestingAdmin):
    """The list of connections, and their pages."""

    list_display = ("address", "agr", "points")
    export_display = (
        "address",
        ("AGR today", lambda row: "; ".join(claim.agr.domain for claim in row.active)),
        (
            "Congestion point today",
            lambda row: "; ".join(claim.congestion_point.address for claim in row.inside),
        ),
        ("DSO today", lambda row: "; ".join(claim.dso.domain for claim in row.inside)),
    )
    list_filter = (AGRTodayFilter, DSOTodayFilter, PointTodayFilter)
    sortable_by = ("address",)
    search_fields = ("address__startswith",)
    search_help_text = (
        "The beginning or the end of an entity address, with or without ean.; a whole one opens its page"
    )
    pages = (SUGGEST, Page(CHANGE, "change", connection_page, may=may_read))

    def in_scope(self, request: HttpRequest, rows: QuerySet[Connection]) -> QuerySet[Connection]:
        """Return the connections that a participant in scope claims or ever claimed."""
        scope = self.seen(request)
        if scope.everyone:
            return rows
        represented = scope.restrict(Representation.objects.all(), "agr").values("connection")
        connected = scope.restrict(CongestionPointConnection.objects.all(), "dso").values("connection")
        return rows.filter(pk__in=represented.union(connected, all=True))

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions that the address begins or ends with the text."""
        return by("address", *addresses.similar("address", text))

    def find_keys(self, request: HttpRequest, text: str, limit: int) -> tuple[dict[int, str], bool]:
        """Return the keys of the connections in scope that the text finds.

        Each claim that may bring a connection into scope is a branch of its own: PostgreSQL then looks up the claims
        of the connections that fit the text, instead of all claims of the participants.
        """
        scopes = reference_search.connections_in(self.seen(request))
        conditions = self.all_conditions(request, text)
        in_scope = [
            FieldCondition(field, scope & condition) for field, condition in conditions for scope in scopes
        ]
        return matching_by(Connection.objects.all(), in_scope, limit)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Order by address; for limited staff, the latest first.

        No index has the addresses of the connections in a scope.
        """
        some = not self.seen(request).everyone and not request.GET.get("q", "").strip()
        return ("-pk",) if some else ("address",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """Return connections with the claims that count today, as `active` and `inside`."""
        today, seen = today_at(clock.now(), market().time_zone), self.seen(request)
        active = Representation.objects.current().on(today).filter(standing=ClaimStanding.EFFECTIVE)
        inside = (
            CongestionPointConnection.objects.current().on(today).filter(standing=ClaimStanding.EFFECTIVE)
        )
        return (
            super()
            .get_queryset(request)
            .prefetch_related(
                Prefetch("representations", seen.restrict(active, "agr").select_related("agr"), "active"),
                Prefetch(
                    "memberships",
                    seen.restrict(inside, "dso").select_related("congestion_point", "dso").order_by("pk"),
                    "inside",
                ),
            )
        )

    @admin.display(description="AGR today")
    def agr(self, connection: Connection) -> str:
        """Return the AGR that is active today, as a link."""
        active: list[Representation] = getattr(connection, "active", [])
        return one_per_line(link(claim.agr) for claim in active)

    @admin.display(description="congestion point today")
    def points(self, connection: Connection) -> str:
        """Return the congestion points that the connection belongs to today, as links."""
        inside: list[CongestionPointConnection] = getattr(connection, "inside", [])
        return one_per_line(
            link(claim.congestion_point, f"{claim.congestion_point} of {claim.dso}") for claim in inside
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        """Show the list; a search for a whole address goes straight to its connection."""
        searched = request.GET.get("q", "").strip().replace("\x00", "")
        if request.method == "GET" and searched and self.has_view_permission(request):
            rows = self.in_scope(request, Connection.objects.all())
            keys, _ = matching(rows, addresses.whole("address", searched), 1)
            if keys:
                return HttpResponseRedirect(reverse("admin:registry_connection_change", args=keys))
        return super().changelist_view(request, extra_context)
