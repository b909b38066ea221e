"""Explain the states of reservation updates to staff."""

from __future__ import annotations

from django.utils.safestring import SafeString

from participants.admin_base.extensions import badge
from reservations.models import ReservationUpdate, UpdateState

State = UpdateState.State

TONES = {
    State.RECEIVED: "warn",
    State.PASSED_ON: "ok",
    State.ACCEPTED: "ok",
    State.REJECTED: "bad",
    State.UNDONE: "bad",
}

MEANINGS = {
    State.RECEIVED: "It is being delivered to {agr} until the deadline, and does not count until it is there.",
    State.PASSED_ON: "{agr} has it, and it counts for settlement. The AGR answers the DSO itself: a copy of that "
    "answer sent to this CRO, or you on the parties’ word, makes the update accepted or rejected.",
    State.ACCEPTED: "It counts for settlement.",
    State.REJECTED: "It does not count: what was reserved before it stays reserved.",
    State.UNDONE: "It could not be delivered to {agr}, so it does not count, and {dso} was answered Rejected. If "
    "both parties confirm the update all the same, record it as accepted.",
}


def state_badge(state: str) -> SafeString:
    """Return the badge of a state."""
    return badge(TONES[State(state)], State(state).label)


def meaning(update: ReservationUpdate, state: str) -> str:
    """Return what `state` means for `update`, and what staff can do."""
    return MEANINGS[State(state)].format(agr=update.agr.domain, dso=update.dso.domain)
