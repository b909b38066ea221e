"""Handlers for messages about flexibility reservations."""

from __future__ import annotations

from typing import cast

from django.conf import settings

from common import clock
from participants import discovery
from participants.models import Participant
from reservations.models import UpdateState
from reservations.updates import lifecycle
from reservations.updates.pass_on_result import pass_on_until
from uftp.delivery import forwarding
from uftp.handlers import Incoming, Outcome
from uftp.protocol import parsing
from uftp.protocol.messages import FlexReservationUpdate, FlexReservationUpdateResponse


def flex_reservation_update(incoming: Incoming) -> Outcome:
    """Check and record a reservation update of a DSO, and pass it on to its AGR where there is an endpoint."""
    update = cast(FlexReservationUpdate, parsing.parse(incoming.content))
    state = lifecycle.receive(
        incoming.sender, update, incoming.inbound, lambda agr: _has_endpoint(agr, incoming)
    )
    if state.state != UpdateState.State.RECEIVED:
        return Outcome()
    stored = state.update
    forwarding.pass_on(
        incoming.inbound,
        recipient_role=stored.agr.role,
        recipient_domain=stored.agr.domain,
        until=pass_on_until(stored),
        now=clock.now(),
    )
    return Outcome(answered_by=str(stored.agr), also_deliver_to=((stored.agr.role, stored.agr.domain),))


def flex_reservation_update_response(incoming: Incoming) -> Outcome:
    """Record the outcome that an AGR gave a DSO, from the copy of its response.

    A response that changes nothing is stored too, with the reason.
    """
    response = cast(FlexReservationUpdateResponse, parsing.parse(incoming.content))
    lifecycle.record_response(incoming.sender, response, incoming.inbound)
    return Outcome()


def _has_endpoint(agr: Participant, incoming: Incoming) -> bool:
    """Return whether `agr` has an endpoint, registered or published in DNS (docs/rules.md F14)."""
    if agr.endpoint:
        return True
    if not settings.DISCOVERY_DNS:
        return False
    major = incoming.inbound.major

    def is_published() -> bool:
        try:
            return discovery.configured().endpoint(agr.role, agr.domain, major) is not None
        except discovery.DiscoveryFailed:
            return True  # It may publish one. The delivery looks it up again.

    return incoming.look_up(("endpoint", agr.pk, major), is_published)
