"""The screens of notices: who was told of a decision by e-mail, and who is to be told by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.extensions import badge
from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.admin_base.filters import ChoiceFilter, DayRangeFilter, ParticipantFilter
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.scope import Scope
from registry.admin import telling
from registry.models import Change, Notice

State = Notice.State

TONES = {State.SENT: "ok", State.TOLD: "ok", State.BY_HAND: "warn"}


class StateFilter(ChoiceFilter):
    """Notices by state."""

    title = parameter_name = field = "state"
    values = tuple(State.values)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states in words."""
        return [(str(value), str(label)) for value, label in State.choices]


class ToldFilter(ParticipantFilter):
    """Notices by the domain of the participant."""

    title = "participant's domain"
    fields = ("participant",)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list of notices, and their pages."""

    scope_by = ("participant",)
    list_display = ("number", "participant", "decision", "state_column", "created", "finished", "detail")
    export_display = (
        "number",
        ("Role", "participant.role"),
        ("Participant", "participant.domain"),
        ("Decision", "change_id"),
        ("State", "state"),
        ("Created", "created_at"),
        ("Finished", "finished_at"),
        ("Tries", "tries"),
        "detail",
    )
    list_select_related = ("participant", "change")
    list_filter = (StateFilter, ToldFilter, ("created_at", DayRangeFilter))
    search_fields = ("pk__exact", "change_id__exact")
    search_help_text = "A notice's number, or that of the decision"
    fields = (
        "participant",
        "decision",
        "state_column",
        "created",
        "finished",
        "tries",
        "addresses",
        "refused_addresses",
        "detail",
    )
    change_form_template = "admin/registry/notice.html"
    pages = telling.PAGES
    actions = (telling.record_many_told,)

    def has_tell_permission(self, request: HttpRequest) -> bool:
        """Return whether this member of staff may tell participants."""
        return bool(request.user.has_perm(telling.TELLS))

    def page_context(self, request: HttpRequest, row: Notice) -> dict[str, Any]:
        """Add the link to the page on which staff tell the participant."""
        tells = row is not None and row.state == State.BY_HAND and telling.may_tell(self, request, row)
        return {
            **super().page_context(request, row),
            "told_url": self.url_to("told", row.pk) if tells else "",
        }

    @admin.display(description="number")
    def number(self, notice: Notice) -> str:
        """Return the number of the notice."""
        return str(notice.pk)

    @admin.display(description="decision")
    def decision(self, notice: Notice) -> str:
        """Return the decision, as a link to its change."""
        return link(notice.change, notice.reference)

    @admin.display(description="state")
    def state_column(self, notice: Notice) -> SafeString:
        """Return the state as a badge."""
        return state_badge(notice)

    @admin.display(description="decided")
    def created(self, notice: Notice) -> str:
        """Return when the notice was queued."""
        return moment(notice.created_at)

    @admin.display(description="told")
    def finished(self, notice: Notice) -> str:
        """Return when the participant was told."""
        return moment(notice.finished_at)

    @admin.display(description="sent to")
    def addresses(self, notice: Notice) -> str:
        """Return the addresses that it was sent to."""
        return one_per_line(notice.sent_to)

    @admin.display(description="refused for good")
    def refused_addresses(self, notice: Notice) -> str:
        """Return the addresses that the mail server refused for good."""
        return one_per_line(notice.refused)


def state_badge(notice: Notice) -> SafeString:
    """Return the state of a notice as a badge."""
    state = State(notice.state)
    return badge(TONES.get(state, ""), state.label)


def told_of(change: Change | None, scope: Scope) -> list[SafeString]:
    """Return, for each participant in `scope`, whether it was told of the decision of `change`."""
    if change is None:
        return []
    rows: QuerySet[Notice] = scope.restrict(
        Notice.objects.filter(change=change).select_related("participant"), "participant"
    )
    return [
        format_html(
            "{}: {}{}",
            notice.participant,
            link(notice, state_badge(notice)),
            f" {moment(notice.finished_at)}" if notice.finished_at else "",
        )
        for notice in rows.order_by("participant")
    ]


def notice_figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Yield the figure of participants in scope who are to be told by hand."""
    if may_view(Notice):
        rows = scope.restrict(Notice.objects.filter(state=State.BY_HAND), "participant")
        yield counted("To be told by hand", rows, Urgency.SOON, state=State.BY_HAND)
