"""Screens of changes and revision places."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.html import format_html

from common.display import PLACEHOLDER
from common.search import FieldCondition
from participants import edits
from participants.admin_base.filters import ChoiceFilter, DayRangeFilter, ParticipantFilter
from participants.admin_base.html import count_in_words, link, list_link, moment, one_per_line
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import of_parties
from participants.models import Participant
from participants.scope import NOBODY, Scope, seen_by
from registry.admin.changes import reverse
from registry.admin.facts.base import by_change
from registry.admin.facts.counts import fact_counts, has_facts_without_days
from registry.models import Change, Conflict, RevisionPlace
from registry.models.imports import ImportRun
from registry.previews.effects import of_change
from registry.previews.presentation import render_for
from registry.queries import reference_search
from registry.updates import revisions
from uftp.models import InboundMessage, Sender


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list and the pages of changes."""

    change_form_template = "admin/registry/change.html"
    list_display = ("number", "known_from", "kind", "source", "why")
    export_display = (
        "number",
        ("Known from", "moment"),
        "kind",
        "actor",
        ("Message type", "message.message_type"),
        ("Sender's role", lambda change: change.message.sender.role if _may_see_sender(change) else None),
        ("Sender", lambda change: change.message.sender.domain if _may_see_sender(change) else None),
        ("MessageID", lambda change: change.message.message_id if _may_see_sender(change) else None),
        ("File", lambda change: change.file_name if _is_import(change) else None),
        ("Reason", lambda change: _why(change)),
    )
    list_select_related = ("message", "message__sender")
    list_filter = ("kind", ("moment", DayRangeFilter))
    search_fields = ("pk__exact", "message__message_id__startswith")
    search_help_text = "A change's number, the beginning of its message's MessageID, or a word of a reason"
    sortable_by = ("number", "known_from")
    fields = ("number", "known_from", "kind", "source", "why", "facts", "conflicts", "reversal")
    pages = reverse.PAGES

    def audit_changes(self, row: Change) -> list[int]:
        """Return the change itself: its audit entries are on its page."""
        return [row.pk]

    def in_scope(self, request: HttpRequest, rows: QuerySet[Change]) -> QuerySet[Change]:
        """Return the changes of a fact of a participant in scope."""
        scope = self.seen(request)
        return rows if scope.everyone else rows.filter(participants__overlap=sorted(scope.ids))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        """Return changes with their messages.

        `sender_is_seen` tells whether the viewer may see the sender of the message.
        """
        scope = self.seen(request)
        named = Value(True) if scope.everyone else Q(message__sender__in=_senders(scope))
        rows: QuerySet[Change] = (
            super()
            .get_queryset(request)
            .annotate(sender_is_seen=ExpressionWrapper(named, output_field=BooleanField()))
        )
        return rows.select_related("message__sender").defer("message__sealed")

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions by number, message and reason."""
        return reference_search.changes(text, Q(sender_is_seen=True))

    def page_context(self, request: HttpRequest, row: Change) -> dict[str, Any]:
        """Add the consequences of the change, for a viewer who sees every participant.

        Other viewers see on the page only the facts and conflicts of their participants. A change of facts without
        days has no consequences to show.
        """
        context, scope = super().page_context(request, row), self.seen(request)
        if scope.everyone:
            consequences = render_for(of_change(row.pk), scope)
            context["consequences"] = (
                None if consequences.is_empty and has_facts_without_days(row) else consequences
            )
        context["reverse_url"] = reverse.reverse_url(self, request, row)
        return context

    @admin.display(description="number", ordering="pk")
    def number(self, change: Change) -> str:
        """Return the number of the change."""
        return str(change.pk)

    @admin.display(description="known from", ordering="moment")
    def known_from(self, change: Change) -> str:
        """Return the moment from which the change was known."""
        return moment(change.moment)

    @admin.display(description="source")
    def source(self, change: Change) -> str:
        """Return where the change came from; a sender outside the viewer's scope is not named."""
        if _is_import(change):
            by = f" by {change.actor}" if change.actor else ""
            return format_html("{}{}", _file_of(change), by)
        if change.message is None:
            return change.actor or PLACEHOLDER
        passed_on = "delivery of " if change.kind == Change.Kind.DELIVERY else ""
        if not _may_see_sender(change):
            return f"{passed_on}{change.message.message_type} of another participant"
        message = link(change.message, f"{change.message.message_type} of {change.message.sender}")
        return format_html("{}{}", passed_on, message)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Change | None:
        """Return the change, with the viewer's scope for the counts on its page."""
        change: Change | None = super().get_object(request, object_id, from_field)
        if change is not None:
            change.counted_in = self.seen(request)  # type: ignore[attr-defined]
            if _is_import(change) and self.seen(request).everyone:
                change.import_run = ImportRun.objects.filter(change=change).first()  # type: ignore[attr-defined]
        return change

    @admin.display(description="reason")
    def why(self, change: Change) -> str:
        """Return the reason of the change."""
        return _why(change) or PLACEHOLDER

    @admin.display(description="facts")
    def facts(self, change: Change) -> str:
        """Return how many facts of each kind the change recorded and superseded."""
        return fact_counts(change, getattr(change, "counted_in", NOBODY))

    @admin.display(description="conflicts")
    def conflicts(self, change: Change) -> str:
        """Return how many conflicts the change opened and closed."""
        return conflicts_of(change, getattr(change, "counted_in", NOBODY))

    @admin.display(description="reversal")
    def reversal(self, change: Change) -> str:
        """Return which change this one reverses, and which changes reversed this one."""
        said = []
        if change.reverses is not None:
            said.append(format_html("Reverses {}", link(change.reverses, f"change {change.reverses_id}")))
        said += [
            format_html("Reversed by {}, {}", link(each, f"change {each.pk}"), moment(each.moment))
            for each in change.reversed_by.order_by("pk")
        ]
        return one_per_line(said)


def _is_import(change: Change) -> bool:
    return change.kind == Change.Kind.IMPORT


def _file_of(change: Change) -> str:
    """Return the file of an import; as a link to the import on the page of the change, for a viewer who sees all."""
    run = getattr(change, "import_run", None)
    return change.file_name if run is None else link(run, f"Import {run.pk}: {change.file_name}")


def _why(change: Change) -> str:
    """Return the reason that staff gave, or what is recorded about a delivery."""
    return change.why if _is_import(change) else change.reason


def _may_see_sender(change: Change) -> bool:
    """Return whether `change` came from a message whose sender the viewer may see."""
    return change.message is not None and getattr(change, "sender_is_seen", False)


def _senders(scope: Scope) -> list[int]:
    """Return the numbers of the senders that are participants in `scope`."""
    return list(scope.restrict_named(Sender.objects.all(), "role", "domain").values_list("pk", flat=True))


class SenderFilter(ParticipantFilter):
    """Revision places by the domain of their sender."""

    title = "sender's domain"
    fields = ("sender",)


class UpdateTypeFilter(ChoiceFilter):
    """Revision places by type of update."""

    title = "type"
    parameter_name = field = "update_type"
    values = ("AGRPortfolioUpdate", "DSOPortfolioUpdate")


class ReasonActionForm(ActionForm):
    """The choice of an action, with a field for the reason."""

    reason = forms.CharField(required=False, label="Reason:", max_length=500)


@admin.register(RevisionPlace)
class RevisionPlaceAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list of revision places, and the action that resets them."""

    scope_by = ("sender",)
    list_display = ("sender", "update_type", "sequence", "time_stamp_in_words", "updated")
    export_display = (
        ("Sender's role", "sender.role"),
        ("Sender", "sender.domain"),
        "update_type",
        "sequence",
        ("TimeStamp", "time_stamp"),
        ("Moved", "updated_at"),
    )
    list_select_related = ("sender",)
    list_filter = (UpdateTypeFilter, SenderFilter)
    search_fields = ("sender__domain__startswith",)
    search_help_text = "A sender's domain, or a part of it"
    fields = ("sender", "update_type", "sequence", "time_stamp_in_words", "updated")
    action_form = ReasonActionForm
    actions = ("reset",)

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the condition that the text names the sender."""
        return of_parties(text, self.seen(request), "sender")

    def audit_object(self, row: RevisionPlace) -> Participant:
        """Return the sender: the audit entry of a reset is about it, because the place is deleted."""
        return row.sender

    @admin.display(description="TimeStamp")
    def time_stamp_in_words(self, place: RevisionPlace) -> str:
        """Return the TimeStamp of the sender's last update."""
        return moment(place.time_stamp)

    @admin.display(description="moved")
    def updated(self, place: RevisionPlace) -> str:
        """Return when the place last moved."""
        return moment(place.updated_at)

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Return whether this member of staff may reset places."""
        return bool(request.user.has_perm("registry.change_revisionplace"))

    @admin.action(description="Reset, so that any update passes next", permissions=["reset"])
    def reset(self, request: HttpRequest, queryset: QuerySet[RevisionPlace]) -> None:
        """Delete the selected places, so that the next update of their senders is accepted with any TimeStamp."""
        reason = request.POST.get("reason", "").strip()
        try:
            edits.require_reason("a reset", reason)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return
        places = list(queryset.select_related("sender"))
        with transaction.atomic():
            for place in places:
                revisions.reset(
                    place.sender, place.update_type, actor=request.user.get_username(), reason=reason
                )
        names = ", ".join(f"{place.update_type} of {place.sender}" for place in places)
        self.message_user(request, f"Reset: {names}.", messages.SUCCESS)


def conflicts_of(change: Change, scope: Scope) -> str:
    """Return how many conflicts of parties in `scope` a change opened and closed, as links to them."""
    links = []
    for action, field in (("opened", "opened_by"), ("closed", "closed_by")):
        rows = Conflict.objects.filter(**{field: change})
        count = count_in_words(scope.restrict(rows, "holder", "claimant"))
        if count != "0":
            query = {f"{field}__id__exact": change.pk, "state": "all"}
            links.append(list_link(Conflict, f"{count} {action}", **query))
    if len(links) == 2:
        at_once = scope.restrict(
            Conflict.objects.filter(opened_by=change, closed_by=change), "holder", "claimant"
        )
        if (count := count_in_words(at_once)) != "0":
            links.append(format_html("{} of these decided again: opened and closed at once", count))
    return one_per_line(links)


class ChangeInline(ReadOnlyAdmin, admin.TabularInline[Change, InboundMessage]):
    """The changes that a message made, on its page."""

    model = Change
    template = "admin/readonly_inline.html"
    without_rows = "Nothing: the message changed no day of anything."
    extra = 0
    fields = readonly_fields = ("known_from", "what", "conflicts")
    verbose_name_plural = "What it changed in the common reference"
    scope = NOBODY

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        """Store the viewer's scope for the counts; Django makes a new inline for each request."""
        self.scope = seen_by(request.user)
        return super().get_queryset(request)

    @admin.display(description="known from")
    def known_from(self, change: Change) -> str:
        """Return the moment from which the change was known, as a link to it."""
        return by_change(change)

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        """Return how many facts of each kind the change recorded and superseded."""
        return fact_counts(change, self.scope)

    @admin.display(description="conflicts")
    def conflicts(self, change: Change) -> str:
        """Return how many conflicts the change opened and closed."""
        return conflicts_of(change, self.scope)
