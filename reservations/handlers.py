"""Messages about flexibility reservations: in as they came, out as what the verbs made of them."""

from __future__ import annotations

from typing import cast

from django.conf import settings

from common import clock
from participants import discovery
from participants.models import Participant
from reservations.models import UpdateState
from reservations.updates import lifecycle
from uftp.delivery import forwarding
from uftp.handlers import Incoming, Outcome
from uftp.protocol import parsing
from uftp.protocol.messages import FlexReservationUpdate, FlexReservationUpdateResponse


def flex_reservation_update(incoming: Incoming) -> Outcome:
    """A DSO says what it leaves reserved: checked, recorded, and passed on to the AGR that it is addressed to."""
    said = cast(FlexReservationUpdate, parsing.parse(incoming.content))
    state = lifecycle.receive(
        incoming.sender, said, incoming.inbound, lambda agr: _has_endpoint(agr, incoming)
    )
    if state.state != UpdateState.State.RECEIVED:
        return Outcome()
    update = state.update
    forwarding.pass_on(
        incoming.inbound,
        recipient_role=update.agr.role,
        recipient_domain=update.agr.domain,
        until=update.deadline,
        now=clock.now(),
    )
    return Outcome(answered_by=str(update.agr), also_deliver_to=((update.agr.role, update.agr.domain),))


def flex_reservation_update_response(incoming: Incoming) -> Outcome:
    """A copy of what an AGR answered a DSO; it settles the update, or is kept with why it does not."""
    response = cast(FlexReservationUpdateResponse, parsing.parse(incoming.content))
    lifecycle.settle_by_response(incoming.sender, response, incoming.inbound)
    return Outcome()


def _has_endpoint(agr: Participant, incoming: Incoming) -> bool:
    """Return whether there is somewhere to post to, configured or published (docs/rules.md F14)."""
    if agr.endpoint:
        return True
    if not settings.DISCOVERY_DNS:
        return False
    major = incoming.inbound.major

    def is_published() -> bool:
        try:
            return discovery.configured().endpoint(agr.role, agr.domain, major) is not None
        except discovery.DiscoveryFailed:
            return True  # It may publish one: the delivery asks again.

    return incoming.look_up(("endpoint", agr.pk, major), is_published)
