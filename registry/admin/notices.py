"""The screens of notices: who was told of a decision by e-mail, and who is to be told by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.extensions import badge
from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.admin_base.filters import ChoiceFilter, DayRangeFilter, ParticipantFilter
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.pages import Page, may_view
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.scope import Scope
from registry.models import Change, Notice
from registry.notices import by_hand
from registry.notices.queue import why_not_by_mail

State = Notice.State

TELLS = "registry.settle_conflict"
"""Who may settle may tell."""
DENIED = "Telling a participant needs the right to settle conflicts, and to act for the participant."
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


class ToldForm(ReasonForm):
    """How the participant was told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = "How"
        self.fields["reason"].help_text = "Such as: called Ann at 14:00. To send it by e-mail instead: why."


def may_tell(model_admin: Any, request: HttpRequest, notice: Notice) -> bool:
    """Return whether this member of staff may tell the participant of `notice`."""
    return (
        may_view(model_admin, request, notice)
        and request.user.has_perm(TELLS)
        and model_admin.may_act(request, notice.participant_id)
    )


def told_view(model_admin: ScalableAdmin, request: HttpRequest, notice: Notice) -> HttpResponse:
    """Record that the participant was told by hand; or, with the other button, have the e-mail sent."""
    back = model_admin.url_to("change", notice.pk)
    if notice.state != State.BY_HAND:
        model_admin.message_user(
            request, f"{notice.participant} is not to be told by hand.", messages.WARNING
        )
        return HttpResponseRedirect(back)
    form = ToldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason, now = form.cleaned_data["reason"], timezone.now()
        try:
            if "send" in request.POST:
                by_hand.send_again(notice, by=actor(request), why=reason, now=now)
            else:
                by_hand.record_told(notice, by=actor(request), how=reason, now=now)
        except ValidationError as error:
            form.refuse(error)
        else:
            said = "The e-mail is sent soon." if "send" in request.POST else "It is recorded."
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/registry/notice_told.html",
        f"Tell {notice.participant}",
        row=notice,
        form=form,
        notice=notice,
        contacts=notice.participant.contacts.all()
        if request.user.has_perm("participants.view_contact")
        else [],
        by_mail=not why_not_by_mail(notice.participant),
        submit="They are told",
        cancel=back,
    )


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
    pages = (Page("<path:object_id>/told/", "told", told_view, may_tell, DENIED),)

    def page_context(self, request: HttpRequest, row: Notice) -> dict[str, Any]:
        """Add the link to the page on which staff tell the participant."""
        tells = row is not None and row.state == State.BY_HAND and may_tell(self, request, row)
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
        return link(notice.change, f"decision {notice.change_id}")

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
