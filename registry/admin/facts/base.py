"""The common part of the screens of facts: days, and the changes that recorded and superseded the facts."""

from itertools import chain
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from common.display import PLACEHOLDER
from common.search import FieldCondition, by
from participants.admin_base.exporting import Column
from participants.admin_base.html import link, moment
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import of_parties
from participants.scope import NOBODY, Scope
from registry import periods
from registry.admin.facts import adjust
from registry.models import Change, Claim, ClaimStanding, Fact, FactQuerySet
from registry.queries import addresses

ANOTHER = "another participant"
"""Stands for a participant that the viewer may not see."""

EXPORTED_DAYS: tuple[Column, ...] = (
    ("First day", lambda row: row.period.lower),
    ("Last day", lambda row: periods.last_day(row.period)),
)
"""The columns of an export with the days of a row; an empty last day means open-ended."""

EXPORTED_CHANGES: tuple[Column, ...] = (
    ("Recorded", "recorded_by.moment"),
    ("Superseded", "superseded_by.moment"),
)


class KnowledgeFilter(admin.SimpleListFilter):
    """Current facts, unless staff choose superseded ones."""

    title = "what is known"
    parameter_name = "known"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices besides current facts."""
        return [("superseded", "Superseded"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Return the choices, with current facts as the first."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "Current"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the facts of the chosen kind."""
        if self.value() == "all":
            return queryset
        if self.value() == "superseded":
            return queryset.filter(superseded_by__isnull=False)
        return queryset.filter(superseded_by__isnull=True)


LINKED = ("recorded_by__id__exact", "superseded_by__id__exact")
"""The lookups with which the page of a change links to its facts."""


class FactAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list and the pages of one kind of fact; messages, imports and decisions change the facts."""

    change_form_template = "admin/registry/adjustable_change_form.html"
    list_select_related: ClassVar[tuple[str, ...]] = ()
    item = "connection"
    """The field with the item that the facts are about."""

    list_display_links = ("days",)
    sortable_by: ClassVar[tuple[str, ...]] = ("recorded",)
    pages = adjust.PAGES

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return facts with the rows that the list names."""
        return super().get_queryset(request).select_related(*self.list_select_related)

    def audit_changes(self, row: Fact) -> list[int]:
        """Return the changes that recorded and superseded the fact."""
        return [number for number in (row.recorded_by_id, row.superseded_by_id) if number is not None]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Add a heading with the item and the days of the fact; a current fact links to the page that adjusts it."""
        context = super().page_context(request, row)
        context["subtitle"] = f"{getattr(row, self.item)}, {periods.in_words(row.period)}"
        if row.superseded_by_id is None and adjust.may_adjust(self, request, row):
            context["adjust_url"] = adjust.adjust_url(row)
        return context

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions that the text is, begins or ends an address of the fact, or names its party."""
        similar = {"connection": addresses.similar, "congestion_point": addresses.similar_points}
        items = [name for name in similar if any(field.name == name for field in self.model._meta.fields)]
        of_items = (by(name.replace("_", " "), *similar[name](f"{name}__address", text)) for name in items)
        return [*chain.from_iterable(of_items), *of_parties(text, self.seen(request), *self.scope_by)]

    @admin.display(description="days")
    def days(self, fact: Fact) -> str:
        """Return the days of the fact."""
        return periods.in_words(fact.period)

    @admin.display(description="recorded", ordering="recorded_by_id")
    def recorded(self, fact: Fact) -> str:
        """Return when the fact was recorded, as a link to the change."""
        return by_change(fact.recorded_by)

    @admin.display(description="superseded")
    def superseded(self, fact: Fact) -> str:
        """Return when the fact was superseded, as a link to the change."""
        return by_change(fact.superseded_by)

    @admin.display(description="waiting since")
    def waiting(self, claim: Claim) -> str:
        """Return since when the claim waits, as a link to the change."""
        return by_change(claim.waiting_since)

    @admin.display(description="days given to")
    def given(self, claim: Claim) -> str:
        """Return the party that the days of a refused claim were given to."""
        refused = claim.standing == ClaimStanding.REFUSED
        return recipient(claim, getattr(claim, "viewer_scope", NOBODY)) if refused else PLACEHOLDER

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the fact, with the viewer's scope for what its page names."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.viewer_scope = self.seen(request)
        return row


def by_change(change: Change | None) -> str:
    """Return when a change became known, as a link to the change."""
    return link(change, moment(change.moment)) if change else PLACEHOLDER


def recipient(claim: Claim, seen: Scope, *, named: bool = False) -> SafeString | str:
    """Return the party that the days of a refused claim were given to (docs/rules.md C3).

    Args:
        claim: The refused claim.
        seen: The participants that the viewer may see. Another one is not named.
        named: The page names the party to the viewer anyway.
    """
    party = claim.given_to
    if party is None:
        return ANOTHER
    if party in seen:
        return link(party)
    return str(party) if named else ANOTHER


def current_first(facts: FactQuerySet[Any]) -> QuerySet[Any]:
    """Return facts in the order for reading: current ones, then those superseded last, each by days."""
    latest = F("superseded_by__moment").desc(nulls_first=True)
    return facts.order_by(latest, "period").select_related("recorded_by", "superseded_by")
