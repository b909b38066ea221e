"""The pages on which staff record that they told participants of decisions by hand: one, or several at once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from participants.admin_base.html import link
from participants.admin_base.pages import Page, may_view
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scalable import ScalableAdmin
from registry.models import Notice
from registry.notices import by_hand
from registry.notices.queue import why_not_by_mail

BY_HAND = Notice.State.BY_HAND

TELLS = "registry.settle_conflict"
"""Who may settle may tell."""
DENIED = "Telling a participant needs the right to settle conflicts, and to act for the participant."

MAX_TOLD = 200
"""At most this many notices are recorded as told at once."""


class ToldForm(ReasonForm):
    """How the participant was told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = "How"
        self.fields["reason"].help_text = "Such as: called Ann at 14:00. To send it by e-mail instead: why."


class ManyToldForm(ToldForm):
    """How several participants were told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = "Such as: called each of them this morning. It is kept with each notice."


def may_tell(model_admin: Any, request: HttpRequest, notice: Notice) -> bool:
    """Return whether this member of staff may tell the participant of `notice`."""
    return (
        may_view(model_admin, request, notice)
        and request.user.has_perm(TELLS)
        and model_admin.may_act(request, notice.participant_id)
    )


def told_view(model_admin: ScalableAdmin, request: HttpRequest, notice: Notice) -> HttpResponse:
    """Record that the participant was told by hand; or, with the other button, have the e-mail sent."""
    back, following = model_admin.url_to("change", notice.pk), _next_url(model_admin, request, notice)
    if notice.state != BY_HAND:
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
                by_hand.record_told([notice], by=actor(request), how=reason, now=now)
        except ValidationError as error:
            form.refuse(error)
        else:
            said = (
                f"The e-mail to {notice.participant} is sent soon."
                if "send" in request.POST
                else f"It is recorded that {notice.participant} was told."
            )
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(following if following and "_next" in request.POST else back)
    return model_admin.page(
        request,
        "admin/registry/notice_told.html",
        f"Tell {notice.participant}",
        row=notice,
        form=form,
        notice=notice,
        reference=link(notice.change, notice.reference),
        contacts=notice.participant.contacts.all() if _may_view_contacts(request) else [],
        by_mail=not why_not_by_mail(notice.participant),
        next_url=following,
        submit="They are told",
        cancel=back,
    )


def _next_url(model_admin: ScalableAdmin, request: HttpRequest, notice: Notice) -> str:
    """Return the page that tells the next participant: of the next older notice, else of the latest; empty if none."""
    rows = model_admin.acted_on(request, model_admin.get_queryset(request))
    others = rows.filter(state=BY_HAND).exclude(pk=notice.pk)
    following = others.filter(pk__lt=notice.pk).first() or others.first()
    return model_admin.url_to("told", following.pk) if following else ""


@admin.action(description="Told by hand", permissions=["tell"])
def record_many_told(
    model_admin: ScalableAdmin, request: HttpRequest, queryset: QuerySet[Notice]
) -> HttpResponse | None:
    """Ask how the participants of the selected notices were told, and record it for all of them at once."""
    rows = (
        queryset.filter(state=BY_HAND).select_related("participant", "change").order_by("participant", "pk")
    )
    notices = list(rows.prefetch_related("participant__contacts")[: MAX_TOLD + 1])
    if not notices:
        text = "None of these is to be told by hand, or you do not act for them."
        model_admin.message_user(request, text, messages.WARNING)
        return None
    if len(notices) > MAX_TOLD:
        model_admin.message_user(request, f"Choose at most {MAX_TOLD} notices at once.", messages.ERROR)
        return None
    number = f"{len(notices)} notice{'' if len(notices) == 1 else 's'}"
    form = ManyToldForm(request.POST if "reason" in request.POST else None)
    if form.is_valid():
        how = form.cleaned_data["reason"]
        try:
            by_hand.record_told(notices, by=actor(request), how=how, now=timezone.now())
        except ValidationError as error:
            form.refuse(error)
        else:
            model_admin.message_user(request, f"Recorded as told by hand: {number}.", messages.SUCCESS)
            return None
    return model_admin.page(
        request,
        "admin/registry/notices_told.html",
        f"Record {number} as told by hand",
        form=form,
        submit="They are told",
        cancel=request.get_full_path(),
        rows=[
            (
                each,
                link(each.change, each.reference),
                each.participant.contacts.all() if _may_view_contacts(request) else [],
            )
            for each in notices
        ],
        checkbox=helpers.ACTION_CHECKBOX_NAME,
    )


def _may_view_contacts(request: HttpRequest) -> bool:
    return request.user.has_perm("participants.view_contact")


PAGES = (Page("<path:object_id>/told/", "told", told_view, may_tell, DENIED),)
