"""The decisions: everything that staff did, in the order in which they did it, each with who, what and why."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from participants.admin_base.audited import what_changed
from participants.admin_base.filters import SUGGESTIONS, DayRangeFilter, SubjectFilter, TextFilter
from participants.admin_base.html import lines, moment
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.models import AuditEntry, Participant

Place = tuple[str, str]
"""Where something is: the permission that it takes to look there, and the URL."""

PLACES: list[Callable[[AuditEntry], Place | None]] = []
"""Layers above append functions that tell where the thing is that an entry is about; without a query."""

_PARTICIPANT = re.compile(r"(AGR|DSO) [a-z0-9.-]+")

# The distinct values of an indexed column: one index probe for each, whatever the number of rows.
_DISTINCT = """
WITH RECURSIVE found(value) AS (
    (SELECT {column} FROM participants_auditentry ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM participants_auditentry WHERE {column} > value ORDER BY {column} LIMIT 1)
    FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT {limit}
"""


class ActorFilter(TextFilter):
    """Whose decisions."""

    title = "who"
    parameter_name = column = "actor"

    def suggestions(self) -> Iterable[str]:
        if not self.seen.everyone:
            theirs = AuditEntry.objects.filter(participants__overlap=sorted(self.seen.ids)).order_by(
                self.column
            )
            return theirs.values_list(self.column, flat=True).distinct()[:SUGGESTIONS]
        with connection.cursor() as cursor:
            cursor.execute(_DISTINCT.format(column=self.column, limit=SUGGESTIONS))
            return [value for (value,) in cursor.fetchall()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        return queryset.filter(**{f"{self.column}__in": self.among(self.suggestions())})


class ActionFilter(ActorFilter):
    """Decisions of one kind."""

    title = "what"
    parameter_name = column = "action"


class ConcernedFilter(TextFilter):
    """Decisions about a participant, given as `AGR agr.example` or by its domain, or a part of that, alone."""

    title = parameter_name = "participant"

    def suggestions(self) -> Iterable[str]:
        return [f"{role} {domain}" for role, domain in self.seen.domains()[:SUGGESTIONS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        *role, domain = self.text.split()
        playing = self.seen.restrict(Participant.objects.all(), "pk")
        if role:
            playing = playing.filter(role=role[0].upper())
        meant = playing.filter(domain__in=self.domains(playing, domain))
        found = list(meant.values_list("pk", flat=True))
        return queryset.filter(participants__overlap=found) if found else queryset.none()


def place_of(entry: AuditEntry) -> Place | None:
    """Where the thing is that `entry` is about, as far as its words tell."""
    subject = entry.subject
    if subject == "mode":
        return "participants.view_mode", reverse("admin:participants_mode_change", args=[1])
    if len(entry.participants) == 1 and _PARTICIPANT.match(subject):
        page = reverse("admin:participants_participant_change", args=entry.participants)
        return "participants.view_participant", page
    if found := _PARTICIPANT.match(subject):
        page = reverse("admin:participants_participant_changelist")
        return "participants.view_participant", f"{page}?{urlencode({'q': found[0]})}"
    if subject.startswith("user "):
        page = reverse("admin:auth_user_changelist")
        return "auth.view_user", f"{page}?{urlencode({'q': subject.removeprefix('user ')})}"
    return next((place for tell in PLACES if (place := tell(entry))), None)


def _as_json(stored: object) -> str | None:
    """What an entry holds of before or after, as it holds it."""
    return None if stored is None else json.dumps(stored, ensure_ascii=False)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, ScalableAdmin):
    export_display = (
        ("Moment", "moment"),
        "who",
        "what",
        ("About", "subject"),
        ("Before", lambda entry: _as_json(entry.before)),
        ("After", lambda entry: _as_json(entry.after)),
        "why",
    )
    list_filter = [ActorFilter, ActionFilter, ConcernedFilter, SubjectFilter, ("moment", DayRangeFilter)]
    search_fields = ["subject__startswith", "actor__exact", "action__exact"]
    search_help_text = "What a subject starts with, or exactly who or what"

    def in_scope(self, request: HttpRequest, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        scope = self.seen(request)
        return rows if scope.everyone else rows.filter(participants__overlap=sorted(scope.ids))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["at", "who", "what", self._about(request), "changed", "why"]

    def get_fields(self, request: HttpRequest, obj: AuditEntry | None = None) -> list[Any]:
        return self.get_list_display(request)

    def _about(self, request: HttpRequest) -> Callable[[AuditEntry], str]:
        """The column that links to the thing, where this member of staff may look at it."""

        @admin.display(description="about")
        def about(entry: AuditEntry) -> str:
            place = place_of(entry)
            if place is None or not request.user.has_perm(place[0]):
                return entry.subject
            return format_html('<a href="{}">{}</a>', place[1], entry.subject)

        return about

    @admin.display(description="moment")
    def at(self, entry: AuditEntry) -> str:
        return moment(entry.moment)

    @admin.display(description="who")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor

    @admin.display(description="what")
    def what(self, entry: AuditEntry) -> str:
        return entry.action

    @admin.display(description="before → after")
    def changed(self, entry: AuditEntry) -> str:
        return lines(what_changed(entry))

    @admin.display(description="why")
    def why(self, entry: AuditEntry) -> str:
        return entry.reason
