"""The list of conflicts; the other modules here have its pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localdate

from common import clock
from common.display import PLACEHOLDER
from common.search import FieldCondition
from participants.admin_base.extensions import badge
from participants.admin_base.html import link, moment, one_per_line, party_link
from participants.admin_base.journal import JOURNAL_PAGES, READS
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.journal import follow_ups
from registry import periods
from registry.admin.conflicts import bulk, groups, views
from registry.admin.conflicts.filters import (
    DecisionFilter,
    OpenedFilter,
    OpenFilter,
    PartyFilter,
    PointFilter,
    age,
)
from registry.admin.facts.base import EXPORTED_DAYS, by_change
from registry.decisions.history import replacements
from registry.models import Conflict
from registry.queries import reference_search


@admin.register(Conflict)
class ConflictAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list of conflicts, and their pages."""

    scope_by = ("holder", "claimant")
    linked_lookups = ("opened_by__id__exact", "closed_by__id__exact")
    list_display = (
        "number",
        "kind",
        "about",
        "held_by",
        "claimed_by",
        "days",
        "age",
        "outcome",
        "follow_up",
    )
    export_display = (
        "number",
        "kind",
        ("Connection", "connection.address"),
        ("Holder", "holder.domain"),
        ("Claimant", "claimant.domain"),
        *EXPORTED_DAYS,
        ("Opened", "opened_by.moment"),
        ("Closed", "closed_by.moment"),
        "decision",
        ("Split at", "split_at"),
        ("Reason", "reason"),
        ("Decided by", "decided_by"),
        ("Decided at", lambda row: row.closed_by.moment if row.decision and row.closed_by else None),
        ("Replaced by", lambda row: ", ".join(str(later.pk) for later in row.replacements)),
    )
    list_select_related = ("connection", "holder", "claimant", "opened_by", "closed_by")
    list_filter = (
        OpenFilter,
        "kind",
        DecisionFilter,
        PartyFilter,
        PointFilter,
        ("opened_by__moment", OpenedFilter),
    )
    search_fields = ("pk__exact", "connection__address__startswith")
    search_help_text = (
        "A number, a connection's or congestion point's entity address or its end, a party's domain, or a word of a"
        " reason"
    )
    sortable_by = ("number", "kind", "age")
    actions = (bulk.settle_together,)
    pages = (*bulk.PAGES, *groups.PAGES, *JOURNAL_PAGES, *views.PAGES)
    change_list_template = "admin/registry/conflicts.html"

    class Media:
        css = {"all": ("cro_project/decisions.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conflict]:
        """Return conflicts with the rows that the list names."""
        return super().get_queryset(request).select_related(*self.list_select_related)

    def read_beside(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Add the later decisions that replace the decision of a conflict; and, once a column asks, its follow-up."""
        rows = list(rows)
        found = replacements(rows)
        followed: Any = SimpleLazyObject(lambda: follow_ups.of_all(rows))
        for row in rows:
            row.replacements, row.follow_ups = found.get(row, []), followed

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions by number, connection, congestion point, party and reason."""
        return reference_search.conflicts(text, self.seen(request))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Show age and follow-up of open conflicts, and how closed ones ended.

        Those who may not read journals do not see the follow-up.
        """
        closed = request.GET.get("state") in ("closed", "all") or "decision" in request.GET
        left_out = {"age", "follow_up"} if closed else {"outcome"}
        if not request.user.has_perm(READS):
            left_out.add("follow_up")
        return tuple(name for name in self.list_display if name not in left_out)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Return whether this member of staff may settle conflicts."""
        return bool(request.user.has_perm(bulk.PERMISSION))

    def is_export(self, request: HttpRequest) -> bool:
        """Return whether all rows are needed: for an export, and when a whole list is settled."""
        match = request.resolver_match
        return super().is_export(request) or (match is not None and match.url_name in bulk.SETTLE_URLS)

    def audit_changes(self, row: Conflict) -> list[int]:
        """Return the changes that opened and closed the conflict, and those of later decisions about it."""
        later = row.replaced_by.values_list("closed_by_id", flat=True)
        numbers = {row.opened_by_id, row.closed_by_id, *later}
        return sorted(number for number in numbers if number is not None)

    @admin.display(description="number", ordering="pk")
    def number(self, conflict: Conflict) -> str:
        """Return the number of the conflict."""
        return str(conflict.pk)

    @admin.display(description="connection")
    def about(self, conflict: Conflict) -> str:
        """Return the connection, as a link."""
        return link(conflict.connection)

    @admin.display(description="holder")
    def held_by(self, conflict: Conflict) -> str:
        """Return the holder, as a link for those who may see it."""
        return party_link(conflict, conflict.holder)

    @admin.display(description="claimant")
    def claimed_by(self, conflict: Conflict) -> str:
        """Return the claimant, as a link for those who may see it."""
        return party_link(conflict, conflict.claimant)

    @admin.display(description="contested days")
    def days(self, conflict: Conflict) -> str:
        """Return the contested days."""
        return periods.in_words(conflict.period)

    @admin.display(description="age", ordering="-pk")
    def age(self, conflict: Conflict) -> str:
        """Return how long ago the conflict opened."""
        opened = conflict.opened_by.moment
        return format_html('<span title="{}">{}</span>', moment(opened), age(opened, clock.now()))

    @admin.display(description="outcome")
    def outcome(self, conflict: Conflict) -> str:
        """Return how the conflict ended, and by which change."""
        if conflict.closed_by is None:
            return "Open"
        decision = conflict.get_decision_display() or "No decision"
        later = conflict.replacements  # type: ignore[attr-defined]
        replaced = (
            format_html('<div><span class="badge">Replaced</span> by {}</div>', _links(later))
            if later
            else ""
        )
        return format_html(
            '{}{} <div class="quiet">{}</div>', decision, replaced, by_change(conflict.closed_by)
        )

    @admin.display(description="follow-up")
    def follow_up(self, conflict: Any) -> str:
        """Return who looks after the conflict, until which day it waits, and whether that day has come."""
        found = conflict.follow_ups.get(conflict)
        if found is None:
            return PLACEHOLDER
        lines = [str(found.assignee)] if found.assignee else []
        if found.wait_until:
            is_due = found.wait_until <= localdate(clock.now())
            lines.append(format_html("until {} {}", found.wait_until, badge("warn", "due") if is_due else ""))
        return one_per_line(lines)


def _links(conflicts: Iterable[Conflict]) -> str:
    """Return links to conflicts by their numbers."""
    return format_html_join(", ", "{}", ((link(each, str(each)),) for each in conflicts))
