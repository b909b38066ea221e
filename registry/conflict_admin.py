"""The operator's screens for conflicts: the queue, and one of them with what can be decided about it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from participants.admin_html import NOTHING
from participants.list_filters import ParticipantFilter
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from registry import periods
from registry.fact_admin import by_change
from registry.models import Conflict


class PartyFilter(ParticipantFilter):
    title = "domain of either party"
    fields = ("holder", "claimant")


class OpenFilter(admin.SimpleListFilter):
    """Open conflicts, unless staff ask for those that are closed."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "Open"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(closed_by__isnull=self.value() != "closed")


@admin.register(Conflict)
class ConflictAdmin(ReadOnlyAdmin, ScalableAdmin):
    scope_by = ("holder", "claimant")
    list_display = (
        "number",
        "kind",
        "connection",
        "claimant",
        "holder",
        "days",
        "opened",
        "closed",
        "decision",
    )
    list_select_related = ("connection", "holder", "claimant", "opened_by", "closed_by")
    list_filter = (OpenFilter, "kind", "decision", PartyFilter)
    search_fields = ("pk__exact", "connection__address__startswith")
    search_help_text = "A conflict's number, or the beginning of a connection's entity address"
    fields = (
        "kind",
        "connection",
        "claimant",
        "holder",
        "days",
        "opened",
        "closed",
        "decision",
        "split_at",
        "decided_by",
        "reason",
        "settling",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conflict]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Open conflicts say since when they are; they have neither an end nor a decision to show."""
        left_out = ("opened",) if request.GET.get("state") in ("closed", "all") else ("closed", "decision")
        return tuple(name for name in self.list_display if name not in left_out)

    def audit_subject(self, row: Conflict) -> str:
        return f"conflict {row.pk}"

    @admin.display(description="number")
    def number(self, conflict: Conflict) -> str:
        return str(conflict.pk)

    @admin.display(description="contested days")
    def days(self, conflict: Conflict) -> str:
        return periods.in_words(conflict.period)

    @admin.display(description="opened")
    def opened(self, conflict: Conflict) -> str:
        return by_change(conflict.opened_by)

    @admin.display(description="closed")
    def closed(self, conflict: Conflict) -> str:
        return by_change(conflict.closed_by)

    @admin.display(description="how to settle it")
    def settling(self, conflict: Conflict) -> str:
        """The command that decides an open conflict."""
        if conflict.closed_by_id:
            return NOTHING
        return format_html(
            "On the command line: <code>manage.py settle_conflict {} keep|give|split --reason TEXT</code>; "
            "with split, also <code>--at DAY</code>, the first day that {} gets.",
            conflict.pk,
            conflict.claimant,
        )
