"""The mode: its page, and the page that switches it, which shows the participants concerned."""

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from common.retry import retried
from participants import registration
from participants.admin.standing import standing_badge
from participants.admin_base.extensions import waiting_messages
from participants.admin_base.html import link, list_link, moment
from participants.admin_base.pages import CHANGE, Page, may_change, may_read
from participants.admin_base.reasons import OneRowAdmin, ReasonForm, actor
from participants.admission import Admission, admit, current_mode
from participants.models import AuditEntry, Mode, Participant, ParticipantStanding
from participants.scope import Scope

MAX_NAMED = 50

MEANINGS = {
    Mode.OPEN: (
        "Participants that are known or authorized may act. A sender that is not registered, but whose published key "
        "proves who it is, is recorded as known and may act at once."
    ),
    Mode.CLOSED: (
        "Only participants that you have authorized may act. Messages of those that are merely known are answered "
        "Rejected: Unauthorized; so are those of a sender that is not registered, and it is not recorded."
    ),
}


def switch(model_admin: OneRowAdmin, request: HttpRequest, value: str) -> HttpResponse:
    """Show what switching to `value` changes and for whom, ask for a reason, and switch."""
    if value not in MEANINGS:
        raise Http404
    before, back = current_mode(), model_admin.url_to("change", 1)
    if before == value:
        text = f"This CRO is {value} already."
        if entry := AuditEntry.objects.about(Mode()).first():
            text = f"This CRO is {value} already: set by {entry.actor} at {moment(entry.moment)}."
        model_admin.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(back)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        retried(lambda: registration.set_mode(value, actor=actor(request), reason=reason))
        model_admin.message_user(request, f"This CRO is {value}.", messages.SUCCESS)
        return HttpResponseRedirect(back)
    seen = model_admin.seen(request).restrict(Participant.objects.all(), "pk")
    concerned = list(seen.filter(standing__in=_affected_standings(before, value)))
    waiting = waiting_messages(concerned)
    verb = "Close" if value == Mode.CLOSED else "Open"
    return model_admin.page(
        request,
        "admin/participants/switch_mode.html",
        f"{verb} this CRO?",
        trail=[(back, "Mode")],
        form=form,
        submit=f"{verb} this CRO",
        cancel=back,
        closing=value == Mode.CLOSED,
        means=MEANINGS[value],
        concerned=len(concerned),
        messages_waiting=sum(waiting.values()),
        rows=[
            (
                link(each),
                each.name,
                standing_badge(each.standing),
                moment(each.last_heard_at),
                waiting.get(each.pk, 0),
            )
            for each in sorted(concerned, key=lambda each: -waiting.get(each.pk, 0))[:MAX_NAMED]
        ],
        more=max(0, len(concerned) - MAX_NAMED),
        every=list_link(Participant, "all of them", standing__exact=ParticipantStanding.KNOWN),
        counts=_counts(model_admin.seen(request)),
    )


def mode_view(model_admin: OneRowAdmin, request: HttpRequest, row: Mode) -> HttpResponse:
    """Show the mode, since when and why. Nothing is changed here."""
    mode = row.value
    return model_admin.page(
        request,
        "admin/participants/mode.html",
        "Mode",
        trail=[],
        mode=mode,
        label=row,
        modes=[(Mode(value=value), MEANINGS[value], value == mode) for value in MEANINGS],
        set=AuditEntry.objects.about(row).first(),
        counts=_counts(model_admin.seen(request)),
        may=model_admin.has_change_permission(request),
        other=Mode(value=_other(mode)),
        switch=model_admin.url_to("switch", _other(mode)),
        **model_admin.page_context(request, row),
    )


@admin.register(Mode)
class ModeAdmin(OneRowAdmin):
    """One page shows the mode; another one switches it, in a second step."""

    pages = (
        Page(CHANGE, "change", mode_view, may=may_read),
        Page("1/switch/<slug:value>/", "switch", switch, may=may_change),
    )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Mode | None:
        """Return the mode, or open while nobody has set it."""
        return Mode(value=current_mode()) if object_id == "1" else None


def _other(mode: str) -> str:
    return Mode.CLOSED if mode == Mode.OPEN else Mode.OPEN


def _affected_standings(before: str, after: str) -> list[str]:
    """Return the standings that allow to act in one of the two modes only."""
    return [
        standing
        for standing in ParticipantStanding.values
        if (admit(Participant(standing=standing), before) is Admission.ALLOWED)
        != (admit(Participant(standing=standing), after) is Admission.ALLOWED)
    ]


def _counts(seen: Scope) -> list[tuple[object, int, str, str]]:
    """Return for each standing its badge, how many have it, and its result in open and in closed mode."""
    rows: list[tuple[object, int, str, str]] = []
    participants = seen.restrict(Participant.objects.all(), "pk")
    for standing in ParticipantStanding:
        open_, closed = (
            "may act" if admission is Admission.ALLOWED else f"rejected: {admission.value}"
            for admission in (
                admit(Participant(standing=standing), mode) for mode in (Mode.OPEN, Mode.CLOSED)
            )
        )
        count = participants.filter(standing=standing).count()
        rows.append((standing_badge(standing), count, open_, closed))
    return rows
