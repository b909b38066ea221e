"""Filters of the lists of connections and congestion points."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from common import clock
from participants.admin_base.filters import ParticipantFilter, TextFilter
from participants.models import Participant, Role
from registry.market.market import market, today_at
from registry.models import (
    ClaimStanding,
    CongestionPoint,
    CongestionPointConnection,
    Coverage,
    Representation,
)
from registry.queries import addresses

MAX_POINTS = 100
"""At most this many congestion points may match the text of a filter."""


class CoverageFilter(admin.SimpleListFilter):
    """Congestion points by the share of their connections that an AGR represents.

    Those that have no terms on the day of the count are in no band.
    """

    title = "connections represented"
    parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the bands of coverage."""
        return [(str(band.value), str(band.label)) for band in Coverage]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the congestion points in the chosen band."""
        chosen = self.value()
        known = {str(band.value) for band in Coverage}
        return (
            queryset.filter(coverage__has_terms=True, coverage__band=int(chosen))
            if chosen in known
            else queryset
        )


class _EffectiveToday(ParticipantFilter):
    """Connections of which an effective claim of a participant has today."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the connections that the participants named by the text have today."""
        if not self.text:
            return queryset
        playing = Participant.objects.filter(role__in=self.roles)
        meant = list(playing.filter(domain__in=self.matching_domains(playing)).values_list("pk", flat=True))
        return queryset.filter(pk__in=self.claimed(self.seen.restrict(playing, "pk").filter(pk__in=meant)))

    def claimed(self, by: QuerySet[Participant]) -> QuerySet[Any]:
        """Return the connections that are claimed by a participant, with effect today."""
        raise NotImplementedError


class AGRTodayFilter(_EffectiveToday):
    """Connections by the AGR that represents them today."""

    title = "AGR today"
    parameter_name = "agr"
    roles = (Role.AGR,)

    def claimed(self, by: QuerySet[Participant]) -> QuerySet[Any]:
        """Return the connections that one of the AGRs represents today."""
        of = list(by.values_list("pk", flat=True))
        return _effective(Representation.objects.filter(agr__in=of))


class DSOTodayFilter(_EffectiveToday):
    """Connections by the DSO to whose congestion points they belong today."""

    title = "DSO today"
    parameter_name = "dso"
    roles = (Role.DSO,)

    def claimed(self, by: QuerySet[Participant]) -> QuerySet[Any]:
        """Return the connections that belong to a congestion point of one of the DSOs today."""
        of = list(by.values_list("pk", flat=True))
        return _effective(CongestionPointConnection.objects.filter(dso__in=of))


class PointTodayFilter(TextFilter):
    """Connections by the congestion point that they belong to today, typed whole, by its beginning or its end."""

    title = "congestion point today"
    parameter_name = "point"

    @property
    def suggest_url(self) -> str:
        """Return the address of the suggestions."""
        return reverse("admin:registry_congestionpoint_suggest")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the connections that belong to a congestion point that fits the text."""
        if not self.text:
            return queryset
        in_scope = self.seen.restrict(CongestionPoint.objects.all(), "dso")
        points, _ = addresses.find(in_scope, self.text, MAX_POINTS)
        of = [point.pk for point in points]
        return queryset.filter(
            pk__in=_effective(CongestionPointConnection.objects.filter(congestion_point__in=of))
        )


def _effective(claims: QuerySet[Any]) -> QuerySet[Any]:
    today = today_at(clock.now(), market().time_zone)
    now = claims.filter(superseded_by=None, standing=ClaimStanding.EFFECTIVE, period__contains=today)
    return now.values("connection")
