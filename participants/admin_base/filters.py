"""Filters for lists of any size: users type the value, so no query has to collect the values of the table."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware

from common import clock
from participants.admin_base.audited import entries_about
from participants.models import Participant, Role
from participants.scope import Scope, seen_by

_CHANGES = re.compile(r"\d{1,18}(,\d{1,18}){0,99}", re.ASCII)

MAX_SUGGESTIONS = 500
MAX_MATCHES = 100
"""How many values one typed text may match."""
LAST_DAY = "24h"
"""The value in a list's URL that filters the 24 hours before now."""


class TextFilter(admin.SimpleListFilter):
    """A filter with a text field. A subclass filters by `text` in `queryset`.

    `seen` are the participants that may be suggested to the viewer.
    """

    template = "admin/text_filter.html"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.other_parameters = _other_parameters(request, [str(self.parameter_name)])
        self.seen: Scope = seen_by(request.user)
        super().__init__(request, *args)

    @property
    def text(self) -> str:
        """Return the typed text; empty if the filter is not used."""
        return (self.value() or "").strip().replace("\x00", "")

    @property
    def selected_text(self) -> str:
        """Return what the rows are filtered by, for the text of an empty list."""
        return self.text

    def suggestions(self) -> Iterable[str]:
        """Return the values that the browser offers while one types."""
        return ()

    def matching_values(self, known: Iterable[str]) -> list[str]:
        """Return the text, and the values of `known` that contain it unless the text is one of them."""
        values = list(known)
        if self.text in values:
            return [self.text]
        part = self.text.lower()
        return [self.text, *[value for value in values if part in value.lower()][:MAX_MATCHES]]

    def matching_domains(
        self, participants: QuerySet[Participant] | None = None, text: str = ""
    ) -> list[str]:
        """Return `text`, and the domains of seen participants that contain it unless it is one of them.

        Args:
            participants: The participants to search in; by default all.
            text: By default the text of the filter.
        """
        text = (text or self.text).lower()
        known = self.seen.restrict(Participant.objects.all() if participants is None else participants, "pk")
        if known.filter(domain=text).exists():
            return [text]
        matches = known.filter(domain__contains=text).order_by("domain")
        return [text, *matches.values_list("domain", flat=True).distinct()[:MAX_MATCHES]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": bool(self.text),
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
        }


class ParticipantFilter(TextFilter):
    """Filter by a participant in one of `fields`, given by its domain or a part of it."""

    title = "domain"
    parameter_name = "domain"
    roles: tuple[str, ...] = tuple(Role.values)
    fields: tuple[str, ...] = ()

    def suggestions(self) -> Iterable[str]:
        known = self.seen.restrict(Participant.objects.filter(role__in=self.roles), "pk")
        return known.order_by("domain").values_list("domain", flat=True).distinct()[:MAX_SUGGESTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        participants = Participant.objects.filter(role__in=self.roles)
        matches = participants.filter(domain__in=self.matching_domains(participants))
        keys = list(matches.values_list("pk", flat=True))
        if not keys:
            return queryset.none()
        condition = Q()
        for field in self.fields:
            condition |= Q(**{f"{field}__in": keys})
        return queryset.filter(condition)


class AGRFilter(ParticipantFilter):
    title = "AGR's domain"
    roles = (Role.AGR,)
    fields = ("agr",)


class DSOFilter(ParticipantFilter):
    title = "DSO's domain"
    roles = (Role.DSO,)
    fields = ("dso",)


class LastHeardFilter(admin.SimpleListFilter):
    """Filter the participants that sent nothing for some time, or never."""

    title = "last heard from"
    parameter_name = "heard"
    thresholds: ClassVar[dict[str, timedelta]] = {
        "not-today": timedelta(days=1),
        "not-this-week": timedelta(days=7),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("never", "Never"),
            ("not-today", "Not in the last day"),
            ("not-this-week", "Not in the last week"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        never = Q(last_heard_at__isnull=True)
        if self.value() == "never":
            return queryset.filter(never)
        if threshold := self.thresholds.get(self.value() or ""):
            return queryset.filter(never | Q(last_heard_at__lt=clock.now() - threshold))
        return queryset


class SubjectFilter(TextFilter):
    """Filter audit entries by the beginning of the subject, in whole words.

    A link has an `object` instead. It may add `change`, numbers of changes of the registry: their entries are found
    as well.
    """

    title = parameter_name = "subject"
    object_parameter, change_parameter = "object", "change"

    def __init__(self, request: HttpRequest, params: dict[str, Any], *args: Any) -> None:
        super().__init__(request, params, *args)
        own = [self.parameter_name, self.object_parameter, self.change_parameter]
        self.other_parameters = _other_parameters(request, own)
        linked = {}
        for name in own[1:]:
            linked[name] = str((params.pop(name, None) or [""])[-1])
            if linked[name]:
                self.used_parameters[name] = linked[name]
        self.object, changes = linked[self.object_parameter], linked[self.change_parameter]
        self.changes = [int(number) for number in changes.split(",")] if _CHANGES.fullmatch(changes) else []

    @property
    def selected_text(self) -> str:
        return self.text or self.linked

    @property
    def linked(self) -> str:
        """Return the object that a link names, by its kind and primary key: `conflict 5`."""
        model, _, pk = self.object.partition(":")
        try:
            return f"{apps.get_model(model)._meta.verbose_name} {pk}"
        except (LookupError, ValueError):
            return ""

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, self.object_parameter, self.change_parameter]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": bool(self.text or self.object or self.changes),
            "query_string": changelist.get_query_string(remove=self.expected_parameters()),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.text:
            queryset = queryset.filter(Q(subject=self.text) | Q(subject__startswith=f"{self.text} "))
        if self.object or self.changes:
            queryset = queryset.filter(entries_about(self.object, self.changes))
        return queryset


class ChoiceFilter(admin.SimpleListFilter):
    """Filter by a `field` with a fixed set of values."""

    field = ""
    values: Iterable[str] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted and wanted not in self.values:
            return queryset.none()
        return queryset.filter(**{self.field: wanted}) if wanted else queryset


class DayRangeFilter(admin.FieldListFilter):
    """Filter by a moment on the given days, both inclusive, in the time zone of the page.

    One link filters the 24 hours before now.

    Attributes:
        by_period: Whether the field is a period of days, not a moment.
    """

    template = "admin/day_range_filter.html"
    by_period: ClassVar[bool] = False

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.first_parameter, self.last_parameter = f"{field_path}_from", f"{field_path}_to"
        self.recent_parameter = f"{field_path}_recent"
        self.parameters: list[str] = [self.first_parameter, self.last_parameter, self.recent_parameter]
        self.other_parameters = _other_parameters(request, self.parameters)
        super().__init__(field, request, params, model, model_admin, field_path)
        self.first = self._parameter(self.first_parameter)
        self.last = self._parameter(self.last_parameter)
        self.recent = self._parameter(self.recent_parameter) == LAST_DAY

    @property
    def is_reversed(self) -> bool:
        """Return whether the last day is before the first, so that no row matches."""
        return bool(self.first and self.last and self.first > self.last)

    @property
    def selected_text(self) -> str:
        """Return the days, for the text of an empty list."""
        days = [f"{word} {day}" for word, day in (("from", self.first), ("to", self.last)) if day]
        return " ".join([*(["last 24 hours"] if self.recent else []), *days])

    def expected_parameters(self) -> list[str | None]:
        return [*self.parameters]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": bool(self.first or self.last or self.recent),
            "query_string": changelist.get_query_string(remove=self.parameters),
            "recent": self.recent,
            "last_day": changelist.get_query_string(
                {self.recent_parameter: LAST_DAY}, remove=self.parameters
            ),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        begin, end = self.bounds()
        if begin:
            queryset = queryset.filter(**{f"{self.field_path}__gte": begin})
        if end:
            queryset = queryset.filter(**{f"{self.field_path}__lt": end})
        return queryset

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return the first moment, and the end, exclusive; None if there is no bound."""
        begin = clock.now() - timedelta(days=1) if self.recent else None
        end = None
        try:
            if self.first:
                first = _start_of(date.fromisoformat(self.first))
                begin = max(begin, first) if begin else first
            if self.last:
                end = _start_of(date.fromisoformat(self.last) + timedelta(days=1))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error
        return begin, end

    def _parameter(self, name: str) -> str:
        value: Any = self.used_parameters.get(name, "")
        return str(value[-1] if isinstance(value, list) else value).strip()


def _start_of(day: date) -> datetime:
    return make_aware(datetime.combine(day, time()))


def _other_parameters(request: HttpRequest, own: list[str]) -> list[tuple[str, str]]:
    """Return the parameters that the form of one filter must keep: other filters and the search, not the page."""
    return [(name, str(value)) for name, value in request.GET.items() if name not in [*own, "p", "e"]]
