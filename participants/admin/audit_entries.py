"""The screens of the audit trail: who changed what and why, the latest first."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from common.search import FieldCondition, by, words
from participants.admin_base.audited import changes_in_words
from participants.admin_base.exporting import ExportableChangeList
from participants.admin_base.filters import MAX_SUGGESTIONS, DayRangeFilter, SubjectFilter, TextFilter
from participants.admin_base.html import moment, one_per_line
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import parties
from participants.models import AuditEntry, FollowUp, Participant

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
    """Filter entries by actor."""

    title = "who"
    parameter_name = column = "actor"

    def suggestions(self) -> Iterable[str]:
        if not self.seen.everyone:
            in_scope = AuditEntry.objects.filter(participants__overlap=sorted(self.seen.ids)).order_by(
                self.column
            )
            return in_scope.values_list(self.column, flat=True).distinct()[:MAX_SUGGESTIONS]
        with connection.cursor() as cursor:
            cursor.execute(_DISTINCT.format(column=self.column, limit=MAX_SUGGESTIONS))
            return [value for (value,) in cursor.fetchall()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        return queryset.filter(**{f"{self.column}__in": self.matching_values(self.suggestions())})


class ActionFilter(ActorFilter):
    """Filter entries by action."""

    title = "what"
    parameter_name = column = "action"


class ConcernedFilter(TextFilter):
    """Filter entries by a participant: `AGR agr.example`, or its domain or a part of it."""

    title = parameter_name = "participant"

    def suggestions(self) -> Iterable[str]:
        return [f"{role} {domain}" for role, domain in self.seen.domains()[:MAX_SUGGESTIONS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        *role, domain = self.text.split()
        participants = self.seen.restrict(Participant.objects.all(), "pk")
        if role:
            participants = participants.filter(role=role[0].upper())
        matches = participants.filter(domain__in=self.matching_domains(participants, domain))
        keys = list(matches.values_list("pk", flat=True))
        return queryset.filter(participants__overlap=keys) if keys else queryset.none()


def add_pages(request: HttpRequest, site: AdminSite, entries: Iterable[AuditEntry | FollowUp]) -> None:
    """Set `page` of each entry or follow-up to the URL of its object's page; empty if the viewer may not see that page.

    Makes one query for each kind of object.
    """
    of_kind = defaultdict(list)
    for entry in entries:
        entry.page = ""  # type: ignore[union-attr]
        if entry.content_type_id is not None:
            of_kind[entry.content_type_id].append(entry)
    for kind, about in of_kind.items():
        model = ContentType.objects.get_for_id(kind).model_class()
        if model is None or not site.is_registered(model):
            continue
        model_admin = site.get_model_admin(model)
        if not model_admin.has_view_permission(request):
            continue
        rows = model_admin.get_queryset(request).filter(pk__in={entry.object_pk for entry in about})
        found = {str(pk) for pk in rows.order_by().values_list("pk", flat=True)}
        name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        for entry in about:
            if entry.object_pk in found:
                entry.page = reverse(name, args=[quote(entry.object_pk)])  # type: ignore[union-attr]


class AuditEntryList(ExportableChangeList):
    """A page of entries, each with a link to its object."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        model_admin: Any = self.model_admin
        if not model_admin.is_export(request):
            add_pages(request, model_admin.admin_site, self.result_list)


def _as_json(stored: object) -> str | None:
    """Return the stored values before or after, as JSON."""
    return None if stored is None else json.dumps(stored, ensure_ascii=False)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, ScalableAdmin):
    audited = False
    export_display = (
        ("Moment", "moment"),
        "who",
        "what",
        ("About", "subject"),
        ("Before", lambda entry: _as_json(entry.before)),
        ("After", lambda entry: _as_json(entry.after)),
        "why",
    )
    list_display = fields = ("at", "who", "what", "about", "changed", "why")
    list_filter = [ActorFilter, ActionFilter, ConcernedFilter, SubjectFilter, ("moment", DayRangeFilter)]
    rows_name = "audit entries"
    search_fields = ["subject__startswith", "actor__exact", "action__exact"]
    search_help_text = (
        "What a subject starts with, a participant's domain, a word of a reason, or exactly who or what"
    )
    sortable_by = ("at", "who", "what")

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        named = parties(text, self.seen(request))
        return [
            *by("about", Q(subject__startswith=text)),
            *by("who", Q(actor=text)),
            *by("what", Q(action=text)),
            *by("participant", *([Q(participants__overlap=named)] if named else [])),
            *by("reason", words("reason", text) & ~Q(reason="")),
        ]

    def in_scope(self, request: HttpRequest, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        scope = self.seen(request)
        return rows if scope.everyone else rows.filter(participants__overlap=sorted(scope.ids))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AuditEntryList]:
        return AuditEntryList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditEntry | None:
        entry: AuditEntry | None = super().get_object(request, object_id, from_field)
        if entry is not None:
            add_pages(request, self.admin_site, [entry])
        return entry

    @admin.display(description="about")
    def about(self, entry: AuditEntry) -> str:
        page = getattr(entry, "page", "")
        return format_html('<a href="{}">{}</a>', page, entry.subject) if page else entry.subject

    @admin.display(description="moment", ordering="pk")
    def at(self, entry: AuditEntry) -> str:
        return moment(entry.moment)

    @admin.display(description="who", ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor

    @admin.display(description="what", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return entry.action

    @admin.display(description="before → after")
    def changed(self, entry: AuditEntry) -> str:
        return one_per_line(changes_in_words(entry))

    @admin.display(description="why")
    def why(self, entry: AuditEntry) -> str:
        return entry.reason
