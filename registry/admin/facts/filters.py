"""Filters of the lists of facts: by item, by days, and by the day of recording."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from common.search import matching
from participants.admin_base.filters import MAX_MATCHES, DayRangeFilter, DSOFilter, TextFilter
from registry.models import Change, CongestionPoint, Connection
from registry.periods import Days, half_open
from registry.queries import addresses

SAFETY_MARGIN = timedelta(days=1)
"""No change takes as long as this from beginning to end."""
MAX_CHANGES = 1_000
"""At most this many changes are searched for the first or last one of some days."""

MAX_SPELLINGS = 10
"""At most this many addresses differ from a typed one only by case."""


class DSOOfPointFilter(DSOFilter):
    """Terms by the DSO of their congestion point."""

    fields = ("congestion_point__dso",)


class ConnectionFilter(TextFilter):
    """Facts about the connection with a typed entity address, in any case, with or without `ean.`."""

    title = parameter_name = "connection"

    @property
    def suggest_url(self) -> str:
        """Return the address of the suggestions."""
        return reverse("admin:registry_connection_suggest")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the facts about the connection."""
        if not self.text:
            return queryset
        keys, _ = matching(Connection.objects.all(), addresses.whole("address", self.text), MAX_SPELLINGS)
        return queryset.filter(connection__in=keys) if keys else queryset.none()


class CongestionPointFilter(TextFilter):
    """Facts about the congestion points whose entity address is the typed text, or begins or ends with it."""

    title = "congestion point"
    parameter_name = "point"

    @property
    def suggest_url(self) -> str:
        """Return the address of the suggestions."""
        return reverse("admin:registry_congestionpoint_suggest")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the facts about the congestion points."""
        if not self.text:
            return queryset
        points = self.seen.restrict(CongestionPoint.objects.all(), "dso")
        found, _ = addresses.find(points, self.text, MAX_MATCHES)
        return queryset.filter(congestion_point__in=[point.pk for point in found])


class RecordedFilter(DayRangeFilter):
    """Facts recorded on the typed days.

    By the days alone, PostgreSQL cannot find where in the list to begin. So the filter adds the numbers of changes
    well before and after them. A change gets its number before its moment. No change takes as long as
    SAFETY_MARGIN.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "when it was recorded"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the facts that were recorded on the typed days."""
        found = super().queryset(request, queryset)
        begin, end = self.bounds()
        if begin:
            before = Change.objects.filter(moment__lte=begin - SAFETY_MARGIN).order_by("-moment")[
                :MAX_CHANGES
            ]
            if last := before.aggregate(last=Max("pk"))["last"]:
                found = found.filter(recorded_by__gt=last)
        if end:
            after = Change.objects.filter(moment__gte=end + SAFETY_MARGIN).order_by("moment")[:MAX_CHANGES]
            if first := after.aggregate(first=Min("pk"))["first"]:
                found = found.filter(recorded_by__lt=first)
        return found


class DaysFilter(DayRangeFilter):
    """Facts that are about at least one of the typed days; either end may be left empty."""

    by_period = True
    default_title = "days that it is about"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.default_title

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the facts that are about the typed days."""
        try:
            first = date.fromisoformat(self.first) if self.first else date.min
            last = date.fromisoformat(self.last) if self.last else None
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        if not (self.first or self.last):
            return queryset
        days = half_open(first, last)
        return queryset.none() if days.isempty else self.about(queryset, days)

    def about(self, queryset: QuerySet[Any], days: Days) -> QuerySet[Any]:
        """Return the rows that are about at least one of `days` (half-open)."""
        found = queryset.filter(**{f"{self.field_path}__overlap": days})
        # The same condition again, for the index of first days.
        return (
            found
            if days.upper is None
            else found.filter(**{f"{self.field_path}__startswith__lt": days.upper})
        )
