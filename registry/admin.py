"""The operator's screens for the common reference: looked at here, changed by messages, imports and decisions."""

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from participants.admin_html import lines, link, list_link, table
from participants.list_filters import ParticipantFilter
from participants.models import Role
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from registry import conflict_admin, history_admin, periods, setting_admin
from registry.adjust_admin import AdjustableAdmin
from registry.fact_admin import FactAdmin, KnowledgeFilter, by_change, current_first
from registry.models import (
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    Representation,
)

# Imported for the screens that they register.
__all__ = ["conflict_admin", "history_admin", "setting_admin"]

SHOWN = 100
"""Rows about one thing on its page; the rest is a click away."""


class AGRFilter(ParticipantFilter):
    title = "AGR's domain"
    roles = (Role.AGR,)
    fields = ("agr",)


class DSOFilter(ParticipantFilter):
    title = "DSO's domain"
    roles = (Role.DSO,)
    fields = ("dso",)


class DSOOfPointFilter(DSOFilter):
    fields = ("congestion_point__dso",)


@admin.register(CongestionPoint)
class CongestionPointAdmin(ReadOnlyAdmin, ScalableAdmin):
    scope_by = ("dso",)
    list_display = ("address", "operator", "terms")
    list_select_related = ("dso",)
    list_filter = (DSOFilter,)
    search_fields = ("address__startswith",)
    search_help_text = "The beginning of an entity address"
    fields = ("address", "operator", "rows", "connections")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CongestionPoint]:
        current = CongestionPointTerms.objects.current().order_by("period")
        return super().get_queryset(request).prefetch_related(Prefetch("terms", current, "current_terms"))

    @admin.display(description="DSO")
    def operator(self, point: CongestionPoint) -> str:
        return link(point.dso)

    @admin.display(description="current terms")
    def terms(self, point: CongestionPoint) -> str:
        current: list[CongestionPointTerms] = getattr(point, "current_terms", [])
        return lines(f"{periods.in_words(terms.period)}: {in_words(terms)}" for terms in current)

    @admin.display(description="terms")
    def rows(self, point: CongestionPoint) -> str:
        return table(
            ["Days", "Terms", "Recorded", "Superseded"],
            (
                [
                    periods.in_words(row.period),
                    in_words(row),
                    by_change(row.recorded_by),
                    by_change(row.superseded_by),
                ]
                for row in current_first(CongestionPointTerms.objects.filter(congestion_point=point))[:SHOWN]
            ),
        )

    @admin.display(description="connections")
    def connections(self, point: CongestionPoint) -> str:
        return lines(
            [
                list_link(
                    CongestionPointConnection, "current memberships", congestion_point__id__exact=point.pk
                ),
                list_link(
                    CongestionPointConnection,
                    "memberships ever",
                    congestion_point__id__exact=point.pk,
                    known="all",
                ),
            ]
        )


@admin.register(CongestionPointTerms)
class CongestionPointTermsAdmin(AdjustableAdmin, FactAdmin):
    scope_by = ("congestion_point__dso",)
    list_display = ("congestion_point", "dso", "days", "terms", "recorded", "superseded")
    list_select_related = ("congestion_point__dso", "recorded_by", "superseded_by")
    list_filter = (KnowledgeFilter, DSOOfPointFilter)
    search_fields = ("congestion_point__address__startswith",)
    search_help_text = "The beginning of a congestion point's entity address"
    fields = (
        "congestion_point",
        "dso",
        "days",
        "mutex_offers_supported",
        "day_ahead_redispatch_by",
        "intraday_redispatch_by",
        "recorded",
        "superseded",
    )

    @admin.display(description="DSO")
    def dso(self, terms: CongestionPointTerms) -> str:
        return str(terms.congestion_point.dso)

    @admin.display(description="terms")
    def terms(self, terms: CongestionPointTerms) -> str:
        return in_words(terms)


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ("address",)
    search_fields = ("address__startswith",)
    search_help_text = "The beginning of an entity address"
    fields = ("address", "representations", "memberships", "conflicts")

    def in_scope(self, request: HttpRequest, rows: QuerySet[Connection]) -> QuerySet[Connection]:
        """Connections that a participant in scope has, or ever had, a claim on."""
        scope = self.seen(request)
        if scope.everyone:
            return rows
        represented = scope.restrict(Representation.objects.all(), "agr").values("connection")
        connected = scope.restrict(CongestionPointConnection.objects.all(), "dso").values("connection")
        return rows.filter(pk__in=represented.union(connected, all=True))

    @admin.display(description="representations")
    def representations(self, connection: Connection) -> str:
        rows = current_first(Representation.objects.filter(connection=connection)).select_related("agr")
        return lines(
            [
                table(
                    ["AGR", "Days", "Standing", "Recorded", "Superseded"],
                    (
                        [
                            link(row.agr),
                            link(row, periods.in_words(row.period)),
                            row.get_standing_display(),
                            by_change(row.recorded_by),
                            by_change(row.superseded_by),
                        ]
                        for row in rows.select_related("agr", "recorded_by", "superseded_by")[:SHOWN]
                    ),
                ),
                list_link(Representation, "as a list", connection__id__exact=connection.pk, known="all"),
            ]
        )

    @admin.display(description="memberships")
    def memberships(self, connection: Connection) -> str:
        rows = current_first(CongestionPointConnection.objects.filter(connection=connection))
        return lines(
            [
                table(
                    ["DSO", "Congestion point", "Days", "Standing", "Recorded", "Superseded"],
                    (
                        [
                            link(row.dso),
                            link(row.congestion_point),
                            link(row, periods.in_words(row.period)),
                            row.get_standing_display() + ("" if row.exclusive else ", beside another DSO"),
                            by_change(row.recorded_by),
                            by_change(row.superseded_by),
                        ]
                        for row in rows.select_related(
                            "dso", "congestion_point", "recorded_by", "superseded_by"
                        )[:SHOWN]
                    ),
                ),
                list_link(
                    CongestionPointConnection,
                    "as a list",
                    connection__id__exact=connection.pk,
                    known="all",
                ),
            ]
        )

    @admin.display(description="conflicts")
    def conflicts(self, connection: Connection) -> str:
        rows = Conflict.objects.filter(connection=connection).order_by("-pk")
        return table(
            ["Number", "Kind", "Claimant", "Holder", "Days", "Opened", "Closed"],
            (
                [
                    link(row, row.pk),
                    row.get_kind_display(),
                    link(row.claimant),
                    link(row.holder),
                    periods.in_words(row.period),
                    by_change(row.opened_by),
                    by_change(row.closed_by),
                ]
                for row in rows.select_related("claimant", "holder", "opened_by", "closed_by")[:SHOWN]
            ),
        )


@admin.register(CongestionPointConnection)
class MembershipAdmin(AdjustableAdmin, FactAdmin):
    scope_by = ("dso",)
    list_display = (
        "connection",
        "congestion_point",
        "operator",
        "days",
        "standing",
        "recorded",
        "superseded",
    )
    list_select_related = (
        "connection",
        "congestion_point",
        "dso",
        "recorded_by",
        "superseded_by",
        "waiting_since",
    )
    list_filter = (KnowledgeFilter, "standing", DSOFilter)
    search_fields = ("connection__address__startswith", "congestion_point__address__startswith")
    search_help_text = "The beginning of the entity address of a connection or congestion point"
    fields = (
        "connection",
        "congestion_point",
        "operator",
        "days",
        "standing",
        "exclusive",
        "waiting",
        "recorded",
        "superseded",
    )

    @admin.display(description="DSO")
    def operator(self, membership: CongestionPointConnection) -> str:
        return link(membership.dso)


@admin.register(Representation)
class RepresentationAdmin(AdjustableAdmin, FactAdmin):
    scope_by = ("agr",)
    list_display = ("connection", "agr", "days", "standing", "recorded", "superseded")
    list_select_related = ("connection", "agr", "recorded_by", "superseded_by", "waiting_since")
    list_filter = (KnowledgeFilter, "standing", AGRFilter)
    search_fields = ("connection__address__startswith",)
    search_help_text = "The beginning of a connection's entity address"
    fields = ("connection", "agr", "days", "standing", "waiting", "recorded", "superseded")


def in_words(terms: CongestionPointTerms) -> str:
    """`day-ahead by AGR, intraday by DSO, mutex offers`: what holds on the terms' days."""
    said = [f"day-ahead by {terms.day_ahead_redispatch_by}"]
    if terms.intraday_redispatch_by:
        said.append(f"intraday by {terms.intraday_redispatch_by}")
    said.append("mutex offers" if terms.mutex_offers_supported else "no mutex offers")
    return ", ".join(said)
