"""Change the standing of one participant on its page, or of several in the list, always with a reason."""

from dataclasses import dataclass

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString

from common.retry import retried
from participants import registration
from participants.admin_base.extensions import badge, waiting_messages
from participants.admin_base.html import link
from participants.admin_base.pages import Page, may_change
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from participants.admission import current_mode
from participants.models import Mode, Participant, ParticipantStanding

MAX_NAMED = 50


@dataclass(frozen=True, slots=True)
class StandingChange:
    """A change of standing: the texts of the button, of the confirmation and of the consequences."""

    button: str
    done: str
    consequences: str


_REFUSED = (
    "From then on every message of it is rejected: updates, queries, TestMessages and answers. The CRO takes a message "
    "in, registers nothing of it, and answers Rejected with the reason {reason}."
)
_STAYS = (
    "What it has registered stays, and goes on counting. Answers that wait for it are still delivered. "
    "You can take this back at any time by authorizing it; what was rejected in between it has to send anew."
)
STANDING_CHANGES: dict[str, StandingChange] = {
    ParticipantStanding.AUTHORIZED: StandingChange(
        "Authorize",
        "authorized",
        "From then on its messages are handled, whether the CRO is open or closed. What was rejected before is not "
        "handled now: it has to send that anew. You can take this back at any time by suspending or barring it.",
    ),
    ParticipantStanding.SUSPENDED: StandingChange(
        "Suspend", "suspended", f"{_REFUSED.format(reason='“Unauthorized”')}\n{_STAYS}"
    ),
    ParticipantStanding.BARRED: StandingChange(
        "Bar", "barred", f"{_REFUSED.format(reason='“Barred Sender”')}\n{_STAYS}"
    ),
    ParticipantStanding.KNOWN: StandingChange(
        "Set to known",
        "set to known",
        "From then on its messages are handled while the CRO is open, and rejected with “Unauthorized” while it is "
        "closed. You can take this back at any time by authorizing it.",
    ),
}
TONES = {
    ParticipantStanding.AUTHORIZED: "ok",
    ParticipantStanding.SUSPENDED: "warn",
    ParticipantStanding.BARRED: "bad",
}


def standing_badge(standing: str) -> SafeString:
    """Return the badge of a standing."""
    return badge(TONES.get(ParticipantStanding(standing), ""), ParticipantStanding(standing).label)


def meaning(standing: str, mode: str) -> str:
    """Return in words what `standing` allows while the CRO's mode is `mode`."""
    match standing:
        case ParticipantStanding.AUTHORIZED:
            return "Its messages are handled, whether the CRO is open or closed."
        case ParticipantStanding.SUSPENDED:
            return "Each of its messages is answered Rejected: Unauthorized."
        case ParticipantStanding.BARRED:
            return "Each of its messages is answered Rejected: Barred Sender."
        case _ if mode == Mode.OPEN:
            return "The CRO is open, so its messages are handled; in closed mode they would be rejected."
        case _:
            return "The CRO is closed, so its messages are answered Rejected: Unauthorized."


class StandingForm(ReasonForm):
    """Ask for a reason. `expected` is the standing that the page showed: another user may have changed it since."""

    expected = forms.ChoiceField(choices=ParticipantStanding.choices, widget=forms.HiddenInput)


def set_standing(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, standing: str
) -> HttpResponse:
    """Show the consequences, ask for a reason, and change the standing."""
    if standing not in STANDING_CHANGES:
        raise Http404
    change = STANDING_CHANGES[standing]
    back = model_admin.url_to("change", participant.pk)
    form = StandingForm(request.POST or None, initial={"expected": participant.standing})
    if participant.standing == standing:
        model_admin.message_user(request, f"{participant} is {change.done} already.", messages.WARNING)
        return HttpResponseRedirect(back)
    if request.method == "POST" and form.is_valid():
        try:
            _set_standings({participant: form.cleaned_data["expected"]}, standing, request, form)
        except ValidationError as error:
            form.refuse(error)
            participant.refresh_from_db()
        else:
            model_admin.message_user(request, f"{participant} is {change.done}.", messages.SUCCESS)
            return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/participants/standing.html",
        f"{change.button} {participant}",
        row=participant,
        form=form,
        submit=change.button,
        cancel=back,
        participant=participant,
        badge=standing_badge(participant.standing),
        means=meaning(participant.standing, current_mode()),
        consequences=change.consequences.splitlines(),
        waiting=waiting_messages([participant]).get(participant.pk, 0),
    )


@admin.action(description="Authorize", permissions=["change"])
def authorize(
    model_admin: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Participant]
) -> HttpResponse | None:
    """Authorize the selected participants."""
    return _set_many(model_admin, request, queryset, ParticipantStanding.AUTHORIZED, "authorize")


@admin.action(description="Suspend", permissions=["change"])
def suspend(
    model_admin: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Participant]
) -> HttpResponse | None:
    """Suspend the selected participants."""
    return _set_many(model_admin, request, queryset, ParticipantStanding.SUSPENDED, "suspend")


def _set_many(
    model_admin: ScopedAdmin, request: HttpRequest, chosen: QuerySet[Participant], standing: str, action: str
) -> HttpResponse | None:
    """Show the participants, ask for a reason, and change the standing of all of them at once."""
    change = STANDING_CHANGES[standing]
    concerned = [
        participant
        for participant in chosen.order_by("role", "domain")
        if participant.standing != standing and model_admin.may_act(request, participant)
    ]
    if not concerned:
        text = f"Nothing changes: these are {change.done} already, or you do not act for them."
        model_admin.message_user(request, text, messages.WARNING)
        return None
    form = ReasonForm(request.POST if "reason" in request.POST else None)
    if form.is_valid():
        try:
            expected = {each: request.POST.get(f"expected_{each.pk}", "") for each in concerned}
            _set_standings(expected, standing, request, form)
        except ValidationError as error:
            form.refuse(error)
            concerned = list(chosen.filter(pk__in=[each.pk for each in concerned]).order_by("role", "domain"))
        else:
            them = "participant is" if len(concerned) == 1 else "participants are"
            model_admin.message_user(request, f"{len(concerned)} {them} {change.done}.", messages.SUCCESS)
            return None
    waiting = waiting_messages(concerned)
    count = f"{len(concerned)} participant" + ("" if len(concerned) == 1 else "s")
    return model_admin.page(
        request,
        "admin/participants/many_standings.html",
        f"{change.button} {count}",
        form=form,
        submit=f"{change.button} {count}",
        cancel=request.get_full_path(),
        consequences=change.consequences.splitlines(),
        rows=[
            (link(each), each.name, standing_badge(each.standing), waiting.get(each.pk, 0))
            for each in concerned[:MAX_NAMED]
        ],
        more=max(0, len(concerned) - MAX_NAMED),
        were=[(each.pk, each.standing) for each in concerned],
        checkbox=helpers.ACTION_CHECKBOX_NAME,
        action=action,
    )


def _set_standings(
    expected: dict[Participant, str], standing: str, request: HttpRequest, form: ReasonForm
) -> None:
    """Change the standing of all or none. Raise ValidationError if one has no longer its `expected` standing."""

    def set_all() -> None:
        for participant in sorted(expected, key=lambda each: each.pk):
            try:
                registration.set_standing(
                    participant,
                    standing,
                    actor=actor(request),
                    reason=form.cleaned_data["reason"],
                    expected=expected[participant],
                )
            except ValidationError as error:
                raise ValidationError(f"{participant}: {' '.join(error.messages)}") from None

    retried(set_all)


PAGES = (Page("<path:object_id>/standing/<slug:standing>/", "standing", set_standing, may=may_change),)
