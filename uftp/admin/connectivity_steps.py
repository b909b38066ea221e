"""The steps of a connectivity test, in words: stored, delivered, answered, and what staff can do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.extensions import badge
from participants.admin_base.html import link, moment, one_per_line
from participants.keys import format_public_key, public_key_of_seed
from uftp import meanings
from uftp.delivery.circuits import open_circuit
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage, Refusal

ANSWER_EXPECTED_WITHIN = timedelta(seconds=30)
"""After this time without a response, the page says what to check."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a test: its badge, its title, its result in words, and what staff can do."""

    badge: SafeString
    title: str
    text: object = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class TestProgress:
    """The progress of a test: its steps, its outcome in a few words, and whether it is over."""

    steps: list[Step]
    outcome: SafeString
    over: bool


def progress_of(test: OutboundMessage, now: datetime) -> TestProgress:
    """Return the progress of `test` at the moment `now`, in real time."""
    attempts = list(test.delivery_attempts.order_by("pk"))
    steps = [Step(badge("ok", "done"), "Stored", f"at {moment(test.created_at)}")]
    delivery, delivered = _delivery(test, attempts, now)
    steps.append(delivery)
    answer = _answer_to(test)
    if answer:
        took = (answer.received_at - test.created_at).total_seconds()
        text = format_html(
            "{}, {} after the test was stored", link(answer, answer.message_type), _in_words(took)
        )
        if answer.result == "Rejected":
            steps.append(
                Step(
                    badge("bad", "rejected"),
                    "Answer",
                    format_html("{}: {}", text, answer.reason or "without a reason"),
                    "The participant's system answers, but does not accept the test. Ask the participant why.",
                )
            )
            return TestProgress(steps, badge("bad", f"answered Rejected after {_in_words(took)}"), over=True)
        steps.append(Step(badge("ok", "received"), "Answer", text))
        return TestProgress(steps, badge("ok", f"answered after {_in_words(took)}"), over=True)
    if test.state == OutboundMessage.State.FAILED:
        steps.append(Step(badge("", "none"), "Answer", "There is none: the test was not delivered."))
        return TestProgress(steps, badge("bad", "not delivered"), over=True)
    if not delivered:
        steps.append(Step(badge("", "not yet"), "Answer", "comes after the delivery"))
        outcome = badge("warn", "not delivered so far") if attempts else badge("", "being delivered")
        return TestProgress(steps, outcome, over=False)
    steps.append(_waits_for_answer(test, now))
    return TestProgress(steps, badge("warn", "delivered, not answered so far"), over=False)


def _delivery(test: OutboundMessage, attempts: list[DeliveryAttempt], now: datetime) -> tuple[Step, bool]:
    """Return the step of the delivery with all attempts, and whether the test is delivered."""
    sentences: list[str] = [_attempt_in_words(attempt) for attempt in attempts]
    action = meanings.of_attempt(attempts[-1]).action if attempts else ""
    if attempts and attempts[-1].status in (401, 419):
        action = f"{action} {own_key()}"
    match test.state:
        case OutboundMessage.State.DELIVERED:
            return Step(badge("ok", "done"), "Delivered", one_per_line(sentences)), True
        case OutboundMessage.State.FAILED:
            return Step(badge("bad", "failed"), "Delivery", one_per_line(sentences), action), False
    circuit = open_circuit((test.recipient_role, test.recipient_domain))
    if circuit is not None:
        sentences.append(
            "This participant has refused a message, so one message at a time is tried. "
            + _next(max(circuit.next_trial_at, test.next_attempt_at or now), now)
        )
        return Step(badge("warn", "paused"), "Delivery", one_per_line(sentences), action), False
    if not attempts:
        text = "A worker delivers it within seconds. If this text stays, no worker runs: see /health/ready."
        return Step(badge("", "under way"), "Delivery", text), False
    if test.next_attempt_at:
        sentences.append(
            f"{_next(test.next_attempt_at, now)} Attempts go on until {moment(test.give_up_at)}."
        )
    return Step(badge("warn", "tried"), "Delivery", one_per_line(sentences), action), False


def _attempt_in_words(attempt: DeliveryAttempt) -> SafeString:
    return format_html(
        "{}: {} {}{}",
        moment(attempt.started_at),
        meanings.of_attempt(attempt).text,
        f"({_answer(attempt)}) " if attempt.detail else "",
        f"Posted to {attempt.endpoint}" if attempt.endpoint else "",
    )


def _answer(attempt: DeliveryAttempt) -> str:
    """Return the reply to an attempt, or in a few words why there was none."""
    known = next((words for text, words in _IN_FEW_WORDS.items() if text in attempt.detail), "")
    return known if known and attempt.status is None else attempt.detail.rstrip(".")


_IN_FEW_WORDS = {
    "has no address": "no address for this name",
    "refused": "connection refused",
    "ConnectTimeout": "connection timed out",
    "Timeout": "no answer in time",
}
"""Text in the detail of an attempt without a reply to the words for staff."""


def _waits_for_answer(test: OutboundMessage, now: datetime) -> Step:
    """Return the step of a response that has not come yet. After a while it says what to check."""
    since = now - (test.finished_at or now)
    if since < ANSWER_EXPECTED_WITHIN:
        return Step(badge("", "awaited"), "Answer", "Its system has the test; its answer is awaited.")
    refused = (
        Refusal.objects.filter(
            role=test.recipient_role, domain=test.recipient_domain, at__gte=test.created_at
        )
        .order_by("-pk")
        .first()
    )
    if refused:
        text = format_html(
            "None, but at {} this CRO refused {}.", moment(refused.at), link(refused, "a request in its name")
        )
        return Step(
            badge("bad", "refused"), "Answer", text, meanings.of_refusal(refused.status, refused.line).action
        )
    return Step(
        badge("warn", "awaited"),
        "Answer",
        f"None since {_in_words(since.total_seconds())}.",
        f"Ask the participant whether its system has MessageID {test.message_id}, and whether it knows where this CRO "
        f"({settings.CRO_DOMAIN}) takes messages.",
    )


def _answer_to(test: OutboundMessage) -> InboundMessage | None:
    return (
        InboundMessage.objects.filter(
            conversation_id=test.conversation_id,
            message_type="TestMessageResponse",
            sender__role=test.recipient_role,
            sender__domain=test.recipient_domain,
        )
        .defer("sealed")
        .order_by("pk")
        .first()
    )


def _in_words(seconds: float) -> str:
    if seconds < 0.1:
        return "under 0.1 s"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def _next(at: datetime, now: datetime) -> str:
    """Return when the next attempt is. A worker takes one that is due within seconds, so it has no moment any more."""
    return (
        f"Next attempt at {moment(at)}, {_in_how_long(at - now)}." if at > now else "The next attempt is due."
    )


def _in_how_long(time: timedelta) -> str:
    """Return a duration that is not over, such as `in 40 seconds`."""
    seconds = max(round(time.total_seconds()), 1)
    unit, length = next(
        (unit, length)
        for unit, length in (("hour", 3_600), ("minute", 60), ("second", 1))
        if seconds >= 2 * length or length == 1
    )
    count = round(seconds / length)
    return f"in {count} {unit}{'' if count == 1 else 's'}"


def own_key() -> str:
    """Return a sentence with the domain and the public key of this CRO, or "" if it has no key."""
    if settings.CRO_SIGNING_KEY is None:
        return ""
    key = format_public_key(public_key_of_seed(settings.CRO_SIGNING_KEY))
    return f"This CRO is {settings.CRO_DOMAIN}, and its public key is {key}"
