"""Give several undone updates an outcome, or send them again, as one action with one reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from common import clock
from common.retry import retried
from participants.admin_base.html import link
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from registry.changes import Source
from reservations.admin.updates.outcome import OutcomeForm
from reservations.admin.updates.page import state_of
from reservations.admin.updates.states import state_badge
from reservations.models import ReservationUpdate, UpdateState
from reservations.updates.lifecycle import OutcomeError, record_outcome, send_again
from uftp.wakeups import wakeups

State = UpdateState.State

MAX_UPDATES = 500
"""Maximum number of updates of one action."""

MAX_NAMED = 50

SEND_AGAIN = (
    "Each update is passed on to its AGR again, as its DSO signed it, until its deadline. It does not count before it "
    "is there.",
    "Its DSO was answered Rejected when the update was undone, and is not answered again: tell the DSO. The AGR "
    "answers the DSO itself.",
)
OUTCOME = (
    "Choose what both parties confirm, for all of them. Accepted updates count from then on, in the order of their "
    "TimeStamps.",
    "Their DSOs were answered Rejected when the updates were undone, and are not answered again.",
)


def ask_to_send_again(
    model_admin: ScopedAdmin, request: HttpRequest, chosen: QuerySet[ReservationUpdate]
) -> HttpResponse | None:
    """Ask why, and send the chosen undone updates again."""
    form = ReasonForm(request.POST if "reason" in request.POST else None)

    def send(update: ReservationUpdate) -> None:
        source = Source.of_staff(actor(request), form.cleaned_data["reason"])
        send_again(update, source=source, now=clock.now())

    done = _ask(model_admin, request, chosen, form, send, "send_again", "Send again", SEND_AGAIN)
    if isinstance(done, HttpResponse):
        return done
    for domain in sorted({update.agr.domain for update in done}):
        wakeups.wake_outbox("AGR", domain)
    return None


def ask_for_outcome(
    model_admin: ScopedAdmin, request: HttpRequest, chosen: QuerySet[ReservationUpdate]
) -> HttpResponse | None:
    """Ask for the outcome that the parties confirm, and record it for the chosen undone updates."""
    form = OutcomeForm(request.POST if "reason" in request.POST else None, state=State.UNDONE)

    def record(update: ReservationUpdate) -> None:
        values = form.cleaned_data
        source = Source.of_staff(actor(request), values["reason"])
        accepted = values["outcome"] == State.ACCEPTED
        record_outcome(update, accepted=accepted, source=source, expected=State.UNDONE)

    done = _ask(model_admin, request, chosen, form, record, "record_outcome", "Record the outcome", OUTCOME)
    return done if isinstance(done, HttpResponse) else None


def _ask(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    chosen: QuerySet[ReservationUpdate],
    form: Any,
    act: Callable[[ReservationUpdate], None],
    action: str,
    verb: str,
    consequences: tuple[str, ...],
) -> HttpResponse | list[ReservationUpdate]:
    """Show the page that asks, or do it for each update by itself; return those for which it was done.

    The updates come with their current states (`reservations.admin.updates.page.with_state`).
    """
    rows = list(chosen.order_by("pk")[:MAX_UPDATES])
    undone = [update for update in rows if state_of(update) == State.UNDONE]
    if not undone:
        model_admin.message_user(request, "None of these updates is undone.", messages.WARNING)
        return []
    if form.is_valid():
        return _do(model_admin, request, undone, act)
    return model_admin.page(
        request,
        "admin/reservations/updates_together.html",
        f"{verb}: {len(undone)} undone update{'' if len(undone) == 1 else 's'}",
        form=form,
        submit=verb,
        cancel=request.get_full_path(),
        consequences=consequences,
        rows=[
            (link(update), update.contract, update.agr.domain, state_badge(State.UNDONE))
            for update in undone[:MAX_NAMED]
        ],
        more=max(0, len(undone) - MAX_NAMED),
        left_out=len(rows) - len(undone),
        at_most=MAX_UPDATES if len(rows) == MAX_UPDATES else 0,
        keys=[update.pk for update in undone],
        checkbox=helpers.ACTION_CHECKBOX_NAME,
        action=action,
    )


def _do(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    updates: list[ReservationUpdate],
    act: Callable[[ReservationUpdate], None],
) -> list[ReservationUpdate]:
    """Do it for each update in a transaction of its own. Say for how many, and for which not and why."""
    done, refusals = [], []
    for update in updates:
        try:
            retried(lambda update=update: act(update))  # type: ignore[misc]
        except OutcomeError as refusal:
            refusals.append(str(refusal))
        else:
            done.append(update)
    if done:
        text = f"Done for {len(done)} update{'' if len(done) == 1 else 's'}."
        model_admin.message_user(request, text, messages.SUCCESS)
    for text in refusals[:MAX_NAMED]:
        model_admin.message_user(request, text, messages.WARNING)
    if len(refusals) > MAX_NAMED:
        model_admin.message_user(request, f"… and {len(refusals) - MAX_NAMED} more.", messages.WARNING)
    return done
