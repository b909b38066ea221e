"""Count the messages of a day: those rejected, and how long deliveries took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Case, Count, F, Value, When

from participants.daily_counts import Key
from participants.models import Participant
from uftp.models import InboundMessage, OutboundMessage

REJECTED = "rejected"

DELIVERED: tuple[tuple[str, timedelta | None], ...] = (
    ("delivered in 10 s", timedelta(seconds=10)),
    ("delivered in 1 min", timedelta(minutes=1)),
    ("delivered in 1 h", timedelta(hours=1)),
    ("delivered later", None),
)
"""Measures of deliveries, by how long after its making a message was delivered at most."""


def count_rejected(begin: datetime, end: datetime) -> Iterator[tuple[Key, int]]:
    """Yield how many of the messages received in that time were rejected, in all and by sender."""
    rows = InboundMessage.objects.filter(received_at__gte=begin, received_at__lt=end, result="Rejected")
    counted = rows.order_by().values_list("sender__role", "sender__domain").annotate(many=Count("pk"))
    yield from _of_each((role, domain, REJECTED, many) for role, domain, many in counted)


def count_delivered(begin: datetime, end: datetime) -> Iterator[tuple[Key, int]]:
    """Yield how many of the messages made in that time were delivered, by how long that took."""
    taken = F("finished_at") - F("created_at")
    limits = [
        When(finished_at__lte=F("created_at") + limit, then=Value(name)) for name, limit in DELIVERED if limit
    ]
    delivered = OutboundMessage.State.DELIVERED
    rows = OutboundMessage.objects.filter(created_at__gte=begin, created_at__lt=end, state=delivered)
    named = rows.annotate(taken=taken, measure=Case(*limits, default=Value(DELIVERED[-1][0])))
    counted = named.order_by().values_list("recipient_role", "recipient_domain", "measure")
    yield from _of_each(counted.annotate(many=Count("pk")))


def _of_each(counted: object) -> Iterator[tuple[Key, int]]:
    """Yield each number in all, and for the participant with that role and domain."""
    known = {
        (role, domain): pk for pk, role, domain in Participant.objects.values_list("pk", "role", "domain")
    }
    for role, domain, measure, many in counted:  # type: ignore[attr-defined]
        yield (measure, None), many
        if (role, domain) in known:
            yield (measure, known[role, domain]), many
