"""What staff can have sent again, and why not: one message, a selection, or all that was refused with 401."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from uftp.delivery import outbox
from uftp.handlers import Party
from uftp.models import CircuitBreaker, DeliveryAttempt, OutboundMessage

State = OutboundMessage.State

UNVERIFIED = 401


def sendable(messages: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
    """Return the messages that staff can have sent again or at once.

    These are this CRO's own messages, and messages that wait to be passed on. One that is being posted is left out.
    """
    now = timezone.now()
    waits = Q(state=State.WAITING, give_up_at__gt=now)
    return messages.filter(Q(passes_on=None) | waits).exclude(outbox.leased(now))


@transaction.atomic
def send_now(keys: list[int]) -> list[OutboundMessage]:
    """Have messages sent again, or at once if they wait; return those for which this was possible.

    If a message that is passed on waits for an earlier one of its sender, the first of them is sent at once.
    """
    chosen = OutboundMessage.objects.filter(pk__in=keys).select_for_update(of=("self",)).defer("sealed")
    done = list(sendable(chosen).order_by("pk"))
    own = [message.pk for message in done if message.passes_on_id is None]
    outbox.send_again(Q(pk__in=own), waiting_too=True)
    lines = {_line_key(each): _line(each) for each in done if each.passes_on_id is not None}
    firsts = [first.pk for line in lines.values() if (first := line.defer("sealed").order_by("pk").first())]
    now = timezone.now()
    OutboundMessage.objects.filter(pk__in=firsts).exclude(outbox.leased(now)).update(
        next_attempt_at=now, not_before=None
    )
    return done


def explanations(messages: Iterable[OutboundMessage]) -> dict[int, str]:
    """Return why a message is not sent, or not at once, by primary key. One that is sent at once is left out."""
    now, found = timezone.now(), {}
    pausing = _pausing({(each.recipient_role, each.recipient_domain) for each in messages})
    for message in messages:
        text = _why_not(message, now) or _what_before(message, pausing)
        if text:
            found[message.pk] = text
    return found


def _why_not(message: OutboundMessage, now: datetime) -> str:
    waits = message.state == State.WAITING
    if waits and message.claimed_until is not None and message.claimed_until > now:
        return "It is being sent at this moment: look at its attempts."
    if message.passes_on_id is None or (waits and message.give_up_at > now):
        return ""
    if waits:
        return "Its time is over, so it is not passed on any more."
    return "It was passed on, and that has ended: only its sender can send it again, as a message of its own."


def _what_before(message: OutboundMessage, pausing: dict[Party, CircuitBreaker]) -> str:
    if message.passes_on_id is not None:
        first = _line(message).filter(pk__lt=message.pk).order_by("pk").values_list("pk", flat=True).first()
        if first is not None:
            return f"It waits for message {first} of the same sender: that one is sent now, and this one after it."
    circuit = pausing.get((message.recipient_role, message.recipient_domain))
    if circuit is None:
        return ""
    return (
        "Its recipient has refused a message, so one message at a time is tried: this one when it is its turn, or when "
        "staff resume deliveries on the participant's page."
    )


def _pausing(recipients: set[Party]) -> dict[Party, CircuitBreaker]:
    opened = CircuitBreaker.objects.filter(
        state=CircuitBreaker.State.OPEN, domain__in={domain for _, domain in recipients}
    )
    return {(circuit.role, circuit.domain): circuit for circuit in opened}


def _line_key(message: OutboundMessage) -> tuple[int | None, str, str]:
    return message.sealed_by_id, message.recipient_role, message.recipient_domain


def _line(message: OutboundMessage) -> QuerySet[OutboundMessage]:
    """Return the waiting messages of the same sender to the same recipient."""
    sender, role, domain = _line_key(message)
    return OutboundMessage.objects.filter(
        sealed_by=sender, recipient_role=role, recipient_domain=domain, state=State.WAITING
    )


def with_earlier(messages: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
    """Annotate each message with `earlier`, the message right before it in its line, and `trial_at`, or None.

    `trial_at` is the moment of the next trial, if the circuit breaker of the recipient is open.
    """
    line = OutboundMessage.objects.filter(
        sealed_by=OuterRef("sealed_by"),
        recipient_role=OuterRef("recipient_role"),
        recipient_domain=OuterRef("recipient_domain"),
        state=State.WAITING,
        sealed_by__isnull=False,
        pk__lt=OuterRef("pk"),
    )
    opened = CircuitBreaker.objects.filter(
        role=OuterRef("recipient_role"), domain=OuterRef("recipient_domain"), state=CircuitBreaker.State.OPEN
    )
    return messages.annotate(
        earlier=Subquery(line.order_by("-pk").values("pk")[:1]),
        trial_at=Subquery(opened.values("next_trial_at")[:1]),
    )


def refused_unverified(messages: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
    """Return the messages that are not delivered, and whose latest attempt was answered with 401."""
    latest = DeliveryAttempt.objects.filter(message=OuterRef("pk")).order_by("-pk").values("status")[:1]
    open_ones = messages.filter(state__in=[State.WAITING, State.FAILED])
    return sendable(open_ones.annotate(latest_status=Subquery(latest)).filter(latest_status=UNVERIFIED))
