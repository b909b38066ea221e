"""The operator's screens for how the common reference came to be as it is: changes and revisions."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from participants import registering
from participants.admin_html import NOTHING, count_in_words, lines, link, list_link, moment
from participants.list_filters import ChoiceFilter, DayRangeFilter, ParticipantFilter
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from registry import revisions
from registry.fact_admin import by_change
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
    RevisionPlace,
)
from uftp.admin import InboundMessageAdmin
from uftp.models import InboundMessage, Sender


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ("number", "known_from", "kind", "source", "reason")
    list_select_related = ("message", "message__sender")
    list_filter = ("kind", ("moment", DayRangeFilter))
    search_fields = ("pk__exact", "message__message_id__exact")
    search_help_text = "A change's number, or the whole MessageID of the message that it came from"
    fields = ("number", "known_from", "kind", "source", "reason", "facts", "conflicts")

    def in_scope(self, request: HttpRequest, rows: QuerySet[Change]) -> QuerySet[Change]:
        """Changes by a message of a participant in scope, or of a fact of one."""
        scope = self.seen(request)
        if scope.everyone:
            return rows
        touched = Q()
        for facts, path in (
            (Representation.objects.all(), "agr"),
            (CongestionPointConnection.objects.all(), "dso"),
            (CongestionPointTerms.objects.all(), "congestion_point__dso"),
        ):
            theirs = scope.restrict(facts, path)
            touched |= Q(Exists(theirs.filter(recorded_by=OuterRef("pk"))))
            touched |= Q(Exists(theirs.filter(superseded_by=OuterRef("pk"))))
        senders = scope.restrict_named(Sender.objects.all(), "role", "domain").values_list("pk", flat=True)
        return rows.filter(Q(message__sender__in=list(senders)) | touched)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        return super().get_queryset(request).select_related("message__sender").defer("message__sealed")

    @admin.display(description="number")
    def number(self, change: Change) -> str:
        return str(change.pk)

    @admin.display(description="known from")
    def known_from(self, change: Change) -> str:
        return moment(change.moment)

    @admin.display(description="source")
    def source(self, change: Change) -> str:
        if change.message is None:
            return change.actor or NOTHING
        return link(change.message, f"{change.message.message_type} of {change.message.sender}")

    @admin.display(description="facts")
    def facts(self, change: Change) -> str:
        return what_it_changed(change)

    @admin.display(description="conflicts")
    def conflicts(self, change: Change) -> str:
        said = []
        for verb, field in (("opened", "opened_by"), ("closed", "closed_by")):
            many = count_in_words(Conflict.objects.filter(**{field: change}))
            if many != "0":
                query = {f"{field}__id__exact": change.pk, "state": "all"}
                said.append(list_link(Conflict, f"{many} {verb}", **query))
        return lines(said)


class SenderFilter(ParticipantFilter):
    title = "sender's domain"
    fields = ("sender",)


class UpdateTypeFilter(ChoiceFilter):
    title = "type"
    parameter_name = field = "update_type"
    values = ("AGRPortfolioUpdate", "DSOPortfolioUpdate")


class ReasonActionForm(ActionForm):
    """Asks why beside the choice of an action."""

    reason = forms.CharField(required=False, label="Reason:", max_length=500)


@admin.register(RevisionPlace)
class RevisionPlaceAdmin(ReadOnlyAdmin, ScalableAdmin):
    scope_by = ("sender",)
    list_display = ("sender", "update_type", "sequence", "time_stamp_in_words", "updated")
    list_select_related = ("sender",)
    list_filter = (UpdateTypeFilter, SenderFilter)
    search_fields = ("sender__domain__startswith",)
    search_help_text = "The beginning of a sender's domain"
    fields = ("sender", "update_type", "sequence", "time_stamp_in_words", "updated")
    action_form = ReasonActionForm
    actions = ("reset",)

    def audit_subject(self, row: RevisionPlace) -> str:
        return f"{row.update_type} of {row.sender}"

    @admin.display(description="TimeStamp")
    def time_stamp_in_words(self, place: RevisionPlace) -> str:
        return moment(place.time_stamp)

    @admin.display(description="moved")
    def updated(self, place: RevisionPlace) -> str:
        return moment(place.updated_at)

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("registry.change_revisionplace"))

    @admin.action(description="Reset, so that any update passes next", permissions=["reset"])
    def reset(self, request: HttpRequest, queryset: QuerySet[RevisionPlace]) -> None:
        reason = request.POST.get("reason", "").strip()
        try:
            registering.require_reason("a reset", reason)
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


def what_it_changed(change: Change) -> str:
    """How many facts of each kind a change recorded and superseded, as links to them."""
    said = []
    for model in (CongestionPointTerms, CongestionPointConnection, Representation):
        links = []
        for verb, field in (("recorded", "recorded_by"), ("superseded", "superseded_by")):
            many = count_in_words(model.objects.filter(**{field: change}))
            if many != "0":
                query = {f"{field}__id__exact": change.pk, "known": "all"}
                links.append(list_link(model, f"{many} {verb}", **query))
        if links:
            kind = str(model._meta.verbose_name_plural).capitalize()
            said.append(
                format_html("{}: {}", kind, format_html_join(" · ", "{}", ((link,) for link in links)))
            )
    return lines(said)


class ChangeInline(ReadOnlyAdmin, admin.TabularInline[Change, InboundMessage]):
    model = Change
    template = "admin/shown_inline.html"
    without_rows = "Nothing: the message changed no day of anything."
    extra = 0
    fields = readonly_fields = ("known_from", "what")
    verbose_name_plural = "What it changed in the common reference"

    @admin.display(description="known from")
    def known_from(self, change: Change) -> str:
        return by_change(change)

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        return what_it_changed(change)


# The layer of messages knows no facts, so its screen gets what a message changed from here.
InboundMessageAdmin.inlines = (*InboundMessageAdmin.inlines, ChangeInline)
