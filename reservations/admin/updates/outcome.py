"""Record the outcome of a reservation update that both parties confirm, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from common.retry import retried
from participants.admin_base.pages import Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from registry.changes import Source
from reservations.admin.updates.page import state_of
from reservations.admin.updates.states import meaning, state_badge
from reservations.models import ReservationUpdate, UpdateState
from reservations.updates.lifecycle import OutcomeError, record_outcome

State = UpdateState.State

PERMISSION = "reservations.record_outcome"

OUTCOMES = {
    State.ACCEPTED: "Accepted: it counts for settlement",
    State.REJECTED: "Rejected: it does not count",
}
STILL_BEING_DELIVERED = "It is still being delivered: record its outcome once it is passed on or undone."


class OutcomeForm(ReasonForm):
    """Ask for an outcome other than the present state, and for the reason.

    `expected` is the state that the page was made from.
    """

    outcome = forms.ChoiceField(
        widget=forms.RadioSelect,
        label="Outcome that both parties confirm",
        error_messages={
            "required": "Choose the outcome.",
            "invalid_choice": "The update has this outcome already.",
        },
    )
    expected = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, state: str, **kwargs: Any) -> None:
        super().__init__(*args, initial={"expected": state}, **kwargs)
        outcome = self.fields["outcome"]
        assert isinstance(outcome, forms.ChoiceField)
        outcome.choices = [each for each in OUTCOMES.items() if each[0] != state]

    def once_more(self, refusal: str, *, state: str) -> OutcomeForm:
        """Return the form as filled in, for the update in its new `state`, with the reason of the refusal."""
        form = OutcomeForm({**self.cleaned_data, "expected": state}, state=state)
        form.is_valid()
        form.add_error(None, refusal)
        return form


def may_record_outcome(model_admin: ScopedAdmin, request: HttpRequest, update: ReservationUpdate) -> bool:
    """Return whether this member of staff has the permission, and acts for both parties."""
    return request.user.has_perm(PERMISSION) and model_admin.may_act(request, update.dso_id, update.agr_id)


def is_offered(model_admin: ScopedAdmin, request: HttpRequest, update: ReservationUpdate) -> bool:
    """Return whether this member of staff can record an outcome of the update now."""
    return may_record_outcome(model_admin, request, update) and state_of(update) != State.RECEIVED


def outcome_view(model_admin: ScopedAdmin, request: HttpRequest, update: ReservationUpdate) -> HttpResponse:
    """Ask for the outcome and the reason; on a POST, record them."""
    state, back = state_of(update), model_admin.url_to("change", update.pk)
    if state == State.RECEIVED:
        model_admin.message_user(request, STILL_BEING_DELIVERED, messages.WARNING)
        return HttpResponseRedirect(back)
    form = OutcomeForm(request.POST or None, state=state)
    if request.method == "POST" and form.is_valid():
        refusal = _record(model_admin, request, update, form.cleaned_data)
        if not refusal:
            return HttpResponseRedirect(back)
        update = model_admin.row_or_404(request, str(update.pk))
        form = form.once_more(refusal, state=state_of(update))
    return _outcome_page(model_admin, request, update, form)


def _record(
    model_admin: ScopedAdmin, request: HttpRequest, update: ReservationUpdate, values: Mapping[str, Any]
) -> str:
    """Record the outcome in the form; return why it is refused, or an empty string."""
    accepted, source = values["outcome"] == State.ACCEPTED, Source.of_staff(actor(request), values["reason"])
    try:
        retried(lambda: record_outcome(update, accepted=accepted, source=source, expected=values["expected"]))
    except OutcomeError as refusal:
        return str(refusal)
    done = f"The update for {update.period} is {values['outcome']}."
    model_admin.message_user(request, done, messages.SUCCESS)
    return ""


def _outcome_page(
    model_admin: ScopedAdmin, request: HttpRequest, update: ReservationUpdate, form: OutcomeForm
) -> TemplateResponse:
    state = state_of(update)
    return model_admin.page(
        request,
        "admin/reservations/update_outcome.html",
        "Record the outcome of the update",
        row=update,
        form=form,
        update=update,
        state=state_badge(state),
        meaning=meaning(update, state),
        submit="Record",
        cancel=model_admin.url_to("change", update.pk),
    )


PAGE = Page(
    "<path:object_id>/outcome/",
    "outcome",
    outcome_view,
    may=may_record_outcome,
    denied="Recording an outcome needs the permission for it, and to act for both parties.",
)
