"""Filters of the list of conflicts, and the age of a conflict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest

from participants.admin_base.filters import (
    MAX_MATCHES,
    ChoiceFilter,
    DayRangeFilter,
    ParticipantFilter,
    TextFilter,
)
from registry.admin.facts.filters import MAX_CHANGES, SAFETY_MARGIN
from registry.models import Change, Conflict, CongestionPoint, CongestionPointConnection
from registry.queries import addresses


class PartyFilter(ParticipantFilter):
    """Conflicts by the domain of either party."""

    title = "domain of either party"
    fields = ("holder", "claimant")


class PointFilter(TextFilter):
    """Conflicts about connections with a claimed membership in a congestion point.

    Congestion points outside the viewer's scope do not match.
    """

    title = "congestion point"
    parameter_name = "point"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the conflicts that match the typed address."""
        if not self.text:
            return queryset
        named, _ = addresses.find(
            self.seen.restrict(CongestionPoint.objects.all(), "dso"), self.text, MAX_MATCHES
        )
        points = [point.pk for point in named]
        claimed = CongestionPointConnection.objects.current().filter(congestion_point__in=points)
        return queryset.filter(connection__in=claimed.values("connection"))


class DecisionFilter(ChoiceFilter):
    """Conflicts by the decision of staff."""

    title = parameter_name = field = "decision"
    values = tuple(Conflict.Decision.values)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the decisions, and the choice of conflicts that ended without one."""
        return [*Conflict.Decision.choices, ("none", "Closed without a decision")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the conflicts with the chosen decision."""
        if self.value() == "none":
            return queryset.filter(decision="", closed_by__isnull=False)
        return super().queryset(request, queryset)


class OpenFilter(admin.SimpleListFilter):
    """Open conflicts, unless staff choose closed ones, or a decision."""

    title = "state"
    parameter_name = "state"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.decided = DecisionFilter.parameter_name in request.GET
        super().__init__(request, *args)

    def value(self) -> str | None:
        """Return the chosen state; closed ones when a decision is chosen."""
        return super().value() or ("closed" if self.decided else None)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states besides open."""
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield the choices, with open as the first."""
        first, *others = super().choices(changelist)
        without = [self.parameter_name, DecisionFilter.parameter_name]
        yield {**first, "display": "Open", "query_string": changelist.get_query_string(remove=without)}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the conflicts in the chosen state."""
        if self.value() == "all":
            return queryset
        return queryset.filter(closed_by__isnull=self.value() != "closed")


class OpenedFilter(DayRangeFilter):
    """Conflicts by the day on which they opened.

    The list is in the order of numbers, and PostgreSQL cannot find the place of a moment in it. So the filter adds
    bounds by number, with a day as margin. A conflict gets its number before the moment of the change that opens it,
    and no change takes as long as a day.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "day it opened"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the conflicts that opened on the chosen days."""
        found = super().queryset(request, queryset)
        begin, end = self.bounds()
        if begin and (last := _numbers(moment__lte=begin - SAFETY_MARGIN, newest=True)["last"]):
            found = found.filter(pk__gt=last)
        if end and (first := _numbers(moment__gte=end + SAFETY_MARGIN, newest=False)["first"]):
            found = found.filter(pk__lt=first)
        return found


def _numbers(*, newest: bool, **when: datetime) -> dict[str, int | None]:
    """Return the first and last number of the conflicts that the newest, or oldest, changes in `when` opened."""
    changes = Change.objects.filter(**when).order_by("-moment" if newest else "moment")[:MAX_CHANGES]
    return Conflict.objects.filter(opened_by__in=changes.values("pk")).aggregate(
        first=Min("pk"), last=Max("pk")
    )


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago `since` was, in its largest whole unit, such as `3 days`; empty when it is None."""
    if since is None:
        return ""
    passed = now - since
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if (number := passed // length) > 0:
            return f"{number:,} {unit}{'s' if number > 1 else ''}"
    return "under an hour"
