"""The lists of facts: staff view them here; messages, imports and decisions change them."""

from django.contrib import admin

from participants.admin_base.filters import AGRFilter, DSOFilter
from participants.admin_base.html import link
from registry.admin.facts.base import EXPORTED_CHANGES, EXPORTED_DAYS, LINKED, FactAdmin, KnowledgeFilter
from registry.admin.facts.filters import (
    CongestionPointFilter,
    ConnectionFilter,
    DaysFilter,
    DSOOfPointFilter,
    RecordedFilter,
)
from registry.admin.facts.terms import terms_in_words
from registry.models import CongestionPointConnection, CongestionPointTerms, Representation

DAYS = ("period", DaysFilter)
RECORDED = ("recorded_by__moment", RecordedFilter)


@admin.register(CongestionPointTerms)
class CongestionPointTermsAdmin(FactAdmin):
    """The list and the pages of terms."""

    item = "congestion_point"
    scope_by = ("congestion_point__dso",)
    linked_lookups = (*LINKED, "congestion_point__id__exact")
    list_display = ("point", "operator", "days", "terms", "recorded", "superseded")
    export_display = (
        ("Congestion point", "congestion_point.address"),
        ("DSO", "congestion_point.dso.domain"),
        *EXPORTED_DAYS,
        "mutex_offers_supported",
        "day_ahead_redispatch_by",
        "intraday_redispatch_by",
        *EXPORTED_CHANGES,
    )
    list_select_related = ("congestion_point__dso", "recorded_by", "superseded_by")
    list_filter = (KnowledgeFilter, CongestionPointFilter, DSOOfPointFilter, DAYS, RECORDED)
    search_fields = ("congestion_point__address__startswith",)
    search_help_text = "The beginning or the end of a congestion point's entity address, or the DSO's domain"
    fields = (
        "congestion_point",
        "operator",
        "days",
        "mutex_offers_supported",
        "day_ahead_redispatch_by",
        "intraday_redispatch_by",
        "recorded",
        "superseded",
    )

    @admin.display(description="congestion point")
    def point(self, terms: CongestionPointTerms) -> str:
        """Return the congestion point, as a link."""
        return link(terms.congestion_point)

    @admin.display(description="DSO")
    def operator(self, terms: CongestionPointTerms) -> str:
        """Return the DSO, as a link."""
        return link(terms.congestion_point.dso)

    @admin.display(description="terms")
    def terms(self, terms: CongestionPointTerms) -> str:
        """Return the terms in words."""
        return terms_in_words(terms)


@admin.register(CongestionPointConnection)
class MembershipAdmin(FactAdmin):
    """The list and the pages of memberships."""

    linked_lookups = (*LINKED, "congestion_point__id__exact")
    scope_by = ("dso",)
    list_display = (
        "about",
        "point",
        "operator",
        "days",
        "standing",
        "recorded",
        "superseded",
    )
    export_display = (
        ("Connection", "connection.address"),
        ("Congestion point", "congestion_point.address"),
        ("DSO", "dso.domain"),
        *EXPORTED_DAYS,
        "standing",
        "exclusive",
        *EXPORTED_CHANGES,
    )
    list_select_related = (
        "connection",
        "congestion_point",
        "dso",
        "recorded_by",
        "superseded_by",
        "waiting_since",
    )
    list_filter = (
        KnowledgeFilter,
        "standing",
        ConnectionFilter,
        CongestionPointFilter,
        DSOFilter,
        DAYS,
        RECORDED,
    )
    search_fields = ("connection__address__startswith", "congestion_point__address__startswith")
    search_help_text = "The beginning or the end of an entity address, or the DSO's domain"
    fields = (
        "connection",
        "congestion_point",
        "operator",
        "days",
        "standing",
        "exclusive",
        "waiting",
        "given",
        "recorded",
        "superseded",
    )

    @admin.display(description="connection")
    def about(self, membership: CongestionPointConnection) -> str:
        """Return the connection, as a link."""
        return link(membership.connection)

    @admin.display(description="congestion point")
    def point(self, membership: CongestionPointConnection) -> str:
        """Return the congestion point, as a link."""
        return link(membership.congestion_point)

    @admin.display(description="DSO")
    def operator(self, membership: CongestionPointConnection) -> str:
        """Return the DSO, as a link."""
        return link(membership.dso)


@admin.register(Representation)
class RepresentationAdmin(FactAdmin):
    """The list and the pages of representations."""

    scope_by = ("agr",)
    linked_lookups = LINKED
    list_display = ("about", "party", "days", "standing", "recorded", "superseded")
    export_display = (
        ("Connection", "connection.address"),
        ("AGR", "agr.domain"),
        *EXPORTED_DAYS,
        "standing",
        *EXPORTED_CHANGES,
    )
    list_select_related = ("connection", "agr", "recorded_by", "superseded_by", "waiting_since")
    list_filter = (KnowledgeFilter, "standing", ConnectionFilter, AGRFilter, DAYS, RECORDED)
    search_fields = ("connection__address__startswith",)
    search_help_text = "The beginning or the end of a connection's entity address, or the AGR's domain"
    fields = ("connection", "agr", "days", "standing", "waiting", "given", "recorded", "superseded")

    @admin.display(description="connection")
    def about(self, representation: Representation) -> str:
        """Return the connection, as a link."""
        return link(representation.connection)

    @admin.display(description="AGR")
    def party(self, representation: Representation) -> str:
        """Return the AGR, as a link."""
        return link(representation.agr)
