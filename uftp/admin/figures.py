"""The figures on the dashboard about messages that staff should look at."""

from collections.abc import Iterator
from datetime import datetime

from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.scope import Scope
from uftp.models import CircuitBreaker, InboundMessage, OutboundMessage, Refusal
from uftp.receiving import refusals


def message_figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Yield the figures of messages that were not handled or delivered, and of refused requests."""
    inbound, outbound = InboundMessage.State, OutboundMessage.State
    if may_view(InboundMessage):
        stuck = InboundMessage.objects.filter(state=inbound.SET_ASIDE)
        aside = scope.restrict_named(stuck, "sender__role", "sender__domain")
        yield counted("Messages set aside", aside, Urgency.NOW, state__exact=inbound.SET_ASIDE)
    if may_view(OutboundMessage):
        sent = scope.restrict_named(OutboundMessage.objects.all(), "recipient_role", "recipient_domain")
        waiting, failed = sent.filter(state=outbound.WAITING), sent.filter(state=outbound.FAILED)
        yield counted("Deliveries waiting", waiting, state__exact=outbound.WAITING)
        # Staff can do nothing here about a message that was passed on and failed. The app that passed it on shows it.
        own = failed.filter(passes_on=None)
        yield counted("Deliveries failed", own, Urgency.NOW, state__exact=outbound.FAILED, passed_on="no")
    if may_view(CircuitBreaker):
        opened = CircuitBreaker.objects.filter(state=CircuitBreaker.State.OPEN)
        paused = scope.restrict_named(opened, "role", "domain")
        yield counted("Paused recipients", paused, Urgency.NOW, state__exact=CircuitBreaker.State.OPEN)
    if may_view(Refusal):
        yield counted(
            "Refused requests in 24 hours", refusals.last_day(scope, now), Urgency.SOON, at_recent="24h"
        )
