"""Filters of the lists of facts: by what they are about, their days, and when they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from participants.admin_base.filters import DayRangeFilter, DSOFilter, TextFilter
from registry.models import Change, CongestionPoint, Connection
from registry.periods import Days, half_open

SPARE = timedelta(days=1)
"""Longer than any change takes from beginning to end."""
NEARBY = 1_000
"""Changes among which the first or last of some days is looked for."""


class DSOOfPointFilter(DSOFilter):
    fields = ("congestion_point__dso",)


class ConnectionFilter(TextFilter):
    """The rows about the connection with the entity address typed in."""

    title = parameter_name = "connection"

    @property
    def suggest_url(self) -> str:
        return reverse("admin:registry_connection_suggest")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        found = Connection.objects.filter(address=self.text).first()
        return queryset.filter(connection=found) if found else queryset.none()


class CongestionPointFilter(TextFilter):
    """The rows about the congestion points, of whichever DSO, with the entity address typed in."""

    title = "congestion point"
    parameter_name = "point"

    @property
    def suggest_url(self) -> str:
        return reverse("admin:registry_congestionpoint_suggest")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        found = list(CongestionPoint.objects.filter(address=self.text).values_list("pk", flat=True))
        return queryset.filter(congestion_point__in=found) if found else queryset.none()


class RecordedFilter(DayRangeFilter):
    """The rows that were recorded on the days typed in.

    The days alone do not tell PostgreSQL where in the list to begin; the numbers of changes well before and after
    them do. A change gets its number before its moment, and none takes as long as SPARE.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "when it was recorded"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        begin, end = self.bounds()
        if begin:
            before = Change.objects.filter(moment__lte=begin - SPARE).order_by("-moment")[:NEARBY]
            if last := before.aggregate(last=Max("pk"))["last"]:
                found = found.filter(recorded_by__gt=last)
        if end:
            after = Change.objects.filter(moment__gte=end + SPARE).order_by("moment")[:NEARBY]
            if first := after.aggregate(first=Min("pk"))["first"]:
                found = found.filter(recorded_by__lt=first)
        return found


class DaysFilter(DayRangeFilter):
    """The rows that are about one of the days typed in, at least; either end may be left open."""

    template = "admin/registry/days_filter.html"
    named = "days that it is about"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.named

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": bool(self.first or self.last),
            "query_string": changelist.get_query_string(remove=self.parameters),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            first = date.fromisoformat(self.first) if self.first else date.min
            last = date.fromisoformat(self.last) if self.last else None
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        if not (self.first or self.last):
            return queryset
        asked = half_open(first, last)
        return queryset.none() if asked.isempty else self.about(queryset, asked)

    def about(self, queryset: QuerySet[Any], asked: Days) -> QuerySet[Any]:
        """The rows that are about one of the days `asked`, at least."""
        found = queryset.filter(**{f"{self.field_path}__overlap": asked})
        # The same said once more, in the words of the index of first days.
        return (
            found
            if asked.upper is None
            else found.filter(**{f"{self.field_path}__startswith__lt": asked.upper})
        )
