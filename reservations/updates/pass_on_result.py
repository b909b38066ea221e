"""Until when an update is passed on to its AGR, and the result (docs/rules.md F13)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from registry.changes import Source
from reservations.models import ReservationUpdate, UpdateState
from reservations.updates import lifecycle
from reservations.updates.checks import local
from uftp.handlers import Party, PassOnResult
from uftp.processing.responses import reject_later
from uftp.protocol.reasons import Reason, named

LEAST_TIME = timedelta(seconds=10)
"""For how long after its receipt an update is passed on at least, so that each that came in time is tried."""


def pass_on_until(update: ReservationUpdate) -> datetime:
    """Return the moment from which an update is not posted to its AGR any more."""
    return max(update.deadline, update.received_at + LEAST_TIME)


def record_pass_on_result(passed: PassOnResult) -> Iterable[Party]:
    """Record whether the update was delivered to its AGR.

    An update that was not delivered is undone, and a rejection is sent to its DSO, unless the DSO has got one before
    staff sent the update again. An outcome that came before stays.

    Returns:
        The DSO, when there is a rejection to deliver to it.
    """
    update = ReservationUpdate.objects.select_related("dso", "agr", "version").get(message=passed.inbound)
    source = Source.of_delivery(passed.inbound, passed.detail)
    state = lifecycle.record_delivery(update, delivered=passed.delivered, source=source)
    if state is None or state.state != UpdateState.State.UNDONE or passed.inbound.replies.exists():
        return ()
    reject_later(passed.inbound, [_reason(update, expired=passed.expired)], passed.at)
    return [(update.dso.role, update.dso.domain)]


def _reason(update: ReservationUpdate, *, expired: bool) -> str:
    deadline = local(update.deadline, update.version.time_zone)
    detail = f"could not be reached by {deadline}, the deadline" if expired else "refused to take the message"
    return named(Reason.UNDELIVERABLE, [update.agr.domain], detail)
